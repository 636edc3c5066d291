"""`rrpy send`: send a mail to try a server with: text, HTML with an image in it, and an attachment."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from ..container.errors import ConfigError
from ..container.text import printable
from .console import say
from .submission import Server

TEXT = """Hello,

this is a mail to try your server with. It has a text, HTML with an image in it, and an attachment.

https://example.com/welcome
"""
HTML = """<!doctype html>
<html><body style="margin:0;background:#f3f5f7;font:16px/1.5 sans-serif">
<table role="presentation" width="100%" cellpadding="24"><tr><td align="center">
<table role="presentation" width="480" cellpadding="24" style="background:#fff;border-radius:12px"><tr><td>
<img src="cid:{cid}" width="48" height="48" alt="rrpy"><h1 style="font-size:22px;margin:12px 0">Hello</h1>
<p>This is a mail to try your server with. It has a text, <b>HTML</b> with an image in it, and an attachment.</p>
<p><a href="https://example.com/welcome">A link</a></p></td></tr></table></td></tr></table></body></html>
"""
IMAGE = base64.b64decode(
    "R0lGODlhAQABAIAAAA92bgAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="  # one pixel of the page's green
)
_ADDRESS = re.compile(r"[^<>]*<[^\s<>,]+>|[^\s<>,]+")
NOTE = "name,quantity\nblanket,1\ncushion,2\n"


def test_mail(sender: str, recipients: Sequence[str], subject: str) -> bytes:
    """Return the mail. `sender`, `recipients` and `subject` are printable."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = subject
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain="rrpy.example")
    mail.set_content(TEXT)
    cid = make_msgid(domain="rrpy.example")
    mail.add_alternative(HTML.format(cid=cid[1:-1]), subtype="html")
    html = mail.get_payload()[1]  # type: ignore[index]
    html.add_related(IMAGE, "image", "gif", cid=cid, filename="logo.gif", disposition="inline")  # type: ignore[union-attr]
    mail.add_attachment(NOTE, subtype="csv", filename="order.csv")
    return mail.as_bytes()


def send(address: tuple[str, int], sender: str, recipients: Sequence[str], subject: str) -> None:
    """Send the mail and say so. Raises ConfigError and SubmissionError."""
    for option, each in (("--from", sender), *(("--to", recipient) for recipient in recipients)):
        if not (_ADDRESS.fullmatch(each) and each.isprintable()):  # smtplib sends to a part of it
            raise ConfigError(f"{option}: {each!r} is not an address; write one, for example ann@example.com")
    if not subject.isprintable():
        raise ConfigError(f"--subject: {subject!r} has a line break, or another character that is not text")
    content = test_mail(sender, recipients, subject)
    with Server(address) as server:
        server.submit(sender, recipients, content)
    say(printable(f"sent to {', '.join(recipients)} through {address[0]}:{address[1]}"))
