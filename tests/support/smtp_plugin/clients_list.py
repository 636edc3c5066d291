"""Real mail programs: one order, and the command of each to deliver it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from email import message_from_bytes, message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

SCRIPTS = Path(__file__).parent / "clients"
SENDER = "sender@example.com"
RECIPIENTS = ["first@example.com", "second@example.org"]
SUBJECT = "Zażółć gęślą jaźń ✉"
BODY = "Grüße\n.\n..two dots\nthe end"
"""It has what a client must escape: a lone dot, a leading dot, 8-bit text."""
ATTACHMENT = random.Random(1).randbytes(1 << 20)
NUMBERED = [RECIPIENTS[0], f"2{RECIPIENTS[0]}"]
"""How smtp-source makes several recipients of one."""
WAYS = ("plain", "auth", "starttls")


@dataclass(frozen=True)
class Order:
    """A mail to deliver, and where to; what a script in `clients/` reads as JSON.

    `login`: authenticate. `tls`: STARTTLS first, trusting `ca` alone. `attachment`, `message`: files, of the data to
    attach and of the whole mail with LF line ends, for a client that does not build one.
    """

    host: str
    port: int
    login: bool
    tls: bool
    ca: Path
    folder: Path
    sender: str = SENDER
    recipients: Sequence[str] = tuple(RECIPIENTS)
    subject: str = SUBJECT
    body: str = BODY
    username: str = "user@example.com"
    password: str = "pass word:%"  # no ü: smtplib takes ASCII alone

    @property
    def attachment(self) -> Path:
        return self.folder / "attachment.bin"

    @property
    def message(self) -> Path:
        return self.folder / "message.eml"

    @property
    def file(self) -> Path:
        return self.folder / "order.json"

    def write(self) -> None:
        """Write the files that clients read."""
        self.attachment.write_bytes(ATTACHMENT)
        self.message.write_bytes(as_message(self))
        shown = {**asdict(self), "attachment": self.attachment}
        self.file.write_text(json.dumps(shown, default=str), encoding="utf-8")


@dataclass(frozen=True)
class Call:
    """A command to run, with what it reads on stdin and in its environment."""

    command: Sequence[str | Path]
    stdin: bytes = b""
    environ: Mapping[str, str] | None = None

    def environment(self) -> dict[str, str]:
        return {**os.environ, **(self.environ or {})}


@dataclass(frozen=True)
class Client:
    """`call`: how to deliver an order. `programs`: what it needs beside Python. `ways`: those of WAYS that it can.

    `recipients`: whom the mail is for, where the client does not take the order's.
    """

    call: Callable[[Order], Call]
    programs: tuple[str, ...] = ()
    ways: tuple[str, ...] = WAYS
    recipients: Sequence[str] = tuple(RECIPIENTS)


def as_message(order: Order) -> bytes:
    """Return the mail as a client builds it: 8-bit text with dots to stuff, the attachment in base64."""
    message = EmailMessage()
    message["From"] = order.sender
    message["To"] = ", ".join(order.recipients)
    message["Subject"] = order.subject
    message.set_content(order.body, cte="8bit")
    message.add_attachment(ATTACHMENT, "application", "octet-stream", filename="attachment.bin")
    return message.as_bytes()


def read_message(content: bytes) -> tuple[str, str, bytes]:
    """Return the subject, text and attachment of a mail as its reader sees them."""
    head, _, _ = content.partition(b"\r\n\r\n")
    subject = message_from_string(head.decode(), policy=policy.default)["Subject"]  # 8-bit or encoded, as clients do
    message = message_from_bytes(content, policy=policy.default)
    text = message.get_body(("plain",))
    assert text is not None
    (attachment,) = message.iter_attachments()
    body = text.get_content().replace("\r\n", "\n").rstrip("\n")
    return str(subject), body, attachment.get_payload(decode=True)


def _python(script: str) -> Client:
    def call(order: Order) -> Call:
        return Call([sys.executable, SCRIPTS / script, order.file], environ={"SSL_CERT_FILE": str(order.ca)})

    return Client(call)


def _curl(order: Order) -> Call:
    encoded = EmailMessage(policy.SMTP)
    encoded["Subject"] = order.subject  # curl sends a header as it is given
    command = ["curl", "-sS", "--max-time", "20", f"smtp://{order.host}:{order.port}", "--mail-from", order.sender]
    for recipient in order.recipients:
        command += ["--mail-rcpt", recipient]
    if order.tls:
        command += ["--ssl-reqd", "--cacert", str(order.ca)]
    if order.login:
        command += ["--user", f"{order.username}:{order.password}"]
    command += ["-H", f"From: {order.sender}", "-H", f"To: {', '.join(order.recipients)}"]
    command += ["-H", encoded.as_string().strip().replace("\r\n", "")]
    command += ["-F", "=<-;type=text/plain; charset=utf-8;encoder=quoted-printable"]
    command += ["-F", f"=@{order.attachment};encoder=base64"]
    return Call(command, order.body.encode())


def _swaks(order: Order) -> Call:
    command = ["swaks", "--server", order.host, "--port", str(order.port), "--timeout", "20", "--silent", "1"]
    command += ["--from", order.sender, "--to", ",".join(order.recipients), "--header", f"Subject: {order.subject}"]
    command += ["--attach-type", "text/plain; charset=utf-8", "--attach-body", order.body]
    command += ["--attach-type", "application/octet-stream", "--attach", f"@{order.attachment}"]
    if order.tls:
        command += ["--tls", "--tls-verify", "--tls-ca-path", str(order.ca)]
    if order.login:
        command += ["--auth", "PLAIN", "--auth-user", order.username, "--auth-password", order.password]
    return Call(command)


def _msmtp_account(order: Order) -> list[str]:
    """Return the options of msmtp that say where to and how, and no file of the user's."""
    options = ["msmtp", "--file=/dev/null", f"--host={order.host}", f"--port={order.port}", f"--from={order.sender}"]
    options += ["--timeout=20"]
    if order.tls:
        options += ["--tls=on", "--tls-starttls=on", f"--tls-trust-file={order.ca}"]
    if order.login:
        password = order.folder / "password"
        password.write_text(order.password, encoding="utf-8")
        # 'plain' is named because msmtp chooses no mechanism by itself that shows the password on a clear line.
        options += ["--auth=plain", f"--user={order.username}", f"--passwordeval=cat {password}"]
    return options


def _msmtp(order: Order) -> Call:
    return Call([*_msmtp_account(order), *order.recipients], order.message.read_bytes())


def _php(order: Order) -> Call:
    script = order.folder / "sendmail"
    line = " ".join(f"'{word}'" for word in _msmtp_account(order))
    script.write_text(f"#!/bin/sh\nexec {line} --read-recipients\n")
    script.chmod(0o700)
    return Call(["php", "-d", f"sendmail_path={script}", SCRIPTS / "send_mail.php", order.file])


def node_path() -> str:
    """Return where node looks for modules: what NODE_PATH says, then where Debian's packages are."""
    return os.pathsep.join(filter(None, [os.environ.get("NODE_PATH"), "/usr/share/nodejs"]))


def has_nodemailer() -> bool:
    """Say whether node is here and finds nodemailer."""
    asked = ["node", "-e", "require('nodemailer')"]
    environ = {**os.environ, "NODE_PATH": node_path()}
    return shutil.which("node") is not None and subprocess.run(asked, env=environ, capture_output=True).returncode == 0


def _nodemailer(order: Order) -> Call:
    environ = {"NODE_PATH": node_path(), "NODE_EXTRA_CA_CERTS": str(order.ca)}
    return Call(["node", SCRIPTS / "send_nodemailer.js", order.file], environ=environ)


def _smtp_source(order: Order) -> Call:
    where = f"{order.host}:{order.port}"
    options = ["-f", order.sender, "-t", order.recipients[0], "-r", "2", "-F", order.message]
    return Call(["smtp-source", *options, where])


CLIENTS = {
    "smtplib": _python("send_smtplib.py"),
    "aiosmtplib": _python("send_aiosmtplib.py"),
    "django": _python("send_django.py"),
    "curl": Client(_curl, ("curl",)),
    "swaks": Client(_swaks, ("swaks",)),
    "msmtp": Client(_msmtp, ("msmtp",)),
    "php": Client(_php, ("php", "msmtp")),
    "nodemailer": Client(_nodemailer, ("node",)),
    "smtp-source": Client(_smtp_source, ("smtp-source",), ("plain",), NUMBERED),
}
