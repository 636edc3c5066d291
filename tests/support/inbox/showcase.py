"""The mails of a small shop in development: what the inbox's pictures show."""

from __future__ import annotations

import smtplib
import struct
import zlib
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid

from rrpy.worker import Accept, Email, Reject, Verdict

SHOP = "Larch & Loom <orders@larch-loom.example>"

STYLE = """
body { background: #f4f1ec; margin: 0; padding: 28px 16px; color: #2b2a28 }
body { font-family: Inter, system-ui, "Liberation Sans", sans-serif }
.card { max-width: 560px; margin: 0 auto; background: #fff; border-radius: 14px; overflow: hidden }
.top { padding: 22px 32px; background: #24463c; color: #fff }
.top img { vertical-align: middle; margin-right: 12px; border-radius: 8px }
.in { padding: 28px 32px 32px; line-height: 1.6; font-size: 15px }
h1 { font-size: 24px; margin: 0 0 10px; letter-spacing: -.01em }
table { width: 100%; border-collapse: collapse; margin: 20px 0; font-size: 14px }
td { padding: 11px 0; border-bottom: 1px solid #ece7df } td:last-child { text-align: right }
.sum td { font-weight: 700; border: 0 }
.go { display: inline-block; padding: 12px 22px; border-radius: 9px; background: #c8553d; color: #fff;
      text-decoration: none; font-weight: 600 }
.small { color: #8a857c; font-size: 12px; margin-top: 26px }
"""
ORDER = """
<html><head><style>{style}</style></head><body><div class="card">
<div class="top"><img src="cid:{logo}" width="36" height="36" alt=""><b>Larch &amp; Loom</b></div>
<div class="in"><h1>Thank you, Marta!</h1>
<p>Your order <b>#20417</b> is confirmed. We pack it tomorrow and write again when it is on its way.</p>
<table><tr><td>Wool blanket, moss green</td><td>1 &times;</td><td>&euro;129.00</td></tr>
<tr><td>Linen cushion, 50 &times; 50</td><td>2 &times;</td><td>&euro;58.00</td></tr>
<tr><td>Delivery</td><td></td><td>&euro;4.90</td></tr>
<tr class="sum"><td>Total</td><td></td><td>&euro;191.90</td></tr></table>
<a class="go" href="https://shop.example/orders/20417">See your order</a>
<p class="small">The invoice is attached. Questions? Just answer this mail.</p></div></div></body></html>
"""
NEWS = """
<html><head><style>{style}</style></head><body><div class="card"><div class="top"><b>Larch &amp; Loom</b></div>
<div class="in"><h1>The winter looms are warm</h1><p>Three new weaves, spun in the valley and dyed with walnut.</p>
<a class="go" href="https://shop.example/winter">Have a look</a></div></div></body></html>
"""
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4.5" cy="4.5" r="3"/></svg>'


def picture(colour: tuple[int, int, int], size: int = 72) -> bytes:
    """Return a PNG: a light ring on a plain ground."""
    rows = b""
    for y in range(size):
        rows += b"\0"
        for x in range(size):
            distance = ((x - size / 2) ** 2 + (y - size / 2) ** 2) ** 0.5 / size
            rows += bytes((243, 236, 222) if 0.22 < distance < 0.33 else colour)
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def order() -> EmailMessage:
    mail = _mail(SHOP, "Marta Nowak <marta@nowak.example>", "Your order #20417 is confirmed")
    mail["Reply-To"] = "hello@larch-loom.example"
    mail.set_content(
        "Thank you, Marta! Your order #20417 is confirmed: a wool blanket and two linen cushions.\n"
        "See it here: https://shop.example/orders/20417\n"
    )
    logo = make_msgid(domain="larch-loom.example")
    mail.add_alternative(ORDER.format(style=STYLE, logo=logo[1:-1]), subtype="html")
    mail.get_payload()[1].add_related(picture((200, 85, 61)), "image", "png", cid=logo, filename="logo.png")
    invoice = b"%PDF-1.7\n" + bytes(range(256)) * 190
    mail.add_attachment(invoice, maintype="application", subtype="pdf", filename="Invoice 20417.pdf")
    return mail


def mails() -> list[tuple[EmailMessage, list[str] | None]]:
    """Return the mails in the order in which they are sent, each with its envelope's recipients where they differ."""
    report = _mail(
        "Reports <reports@larch-loom.example>", "Team <team@larch-loom.example>", "Weekly sales: up 12 % on last week"
    )
    report.set_content("Hello,\n\n412 orders, 38 returns, the blanket leads again.\nThe figures are attached.\n")
    report.add_attachment("day;orders\nMon;61\nTue;58\n" * 900, subtype="csv", filename="sales-week-47.csv")
    report.add_attachment(picture((36, 70, 60), 160), "image", "png", filename="chart.png")
    report.add_attachment(LOGO, "image", "svg+xml", filename="logo.svg")
    news = _mail(SHOP, "Friends of the loom <news@larch-loom.example>", "The winter looms are warm")
    news.set_content("Three new weaves, spun in the valley and dyed with walnut. https://shop.example/winter\n")
    news.add_alternative(NEWS.format(style=STYLE), subtype="html")
    lottery = _mail("Prize Desk <winner@lottery.example>", "info@larch-loom.example", "You have WON 1.000.000 USD")
    lottery.set_content("Dear {{ winner }}, send us your bank account today: http://bit.ly/prize\n")
    return [
        (news, ["ann@friend.example", "bob@friend.example"]),
        (report, None),
        (
            _plain("Nightly backup", "backup@ops.example", "Backup finished in 14 min", "82 GB to eu-north, 0 errors."),
            None,
        ),
        (lottery, None),
        (
            _plain("Zoé Lefèvre", "zoe@atelier.example", "Vos échantillons sont prêts", "Trois teintes, à bientôt !"),
            None,
        ),
        (
            _plain(
                "CI", "ci@larch-loom.example", "Build 1183 failed on main", "tests/test_checkout.py::test_tax failed."
            ),
            None,
        ),
        (order(), None),
        (
            _plain(
                "Larch & Loom",
                "accounts@larch-loom.example",
                "Your sign-in code",
                "Hi Marta, your code is 481206. It is valid for ten minutes.\n\nOr follow https://shop.example/in/8f3c",
            ),
            None,
        ),
        (
            _plain(
                "Jonas Lind", "jonas@lind.example", "Re: Is the moss green back?", "Great, then I take two of them!"
            ),
            None,
        ),
    ]


def send(address: tuple[str, int]) -> None:
    """Send them all; what the host refuses stays refused."""
    with smtplib.SMTP(*address) as client:
        client.ehlo("shop-web-1")
        client.login("shop", "s3cret-loom")
        for mail, recipients in mails():
            try:
                client.send_message(mail, to_addrs=recipients)
            except smtplib.SMTPDataError:
                client.rset()


def _plain(name: str, address: str, subject: str, text: str) -> EmailMessage:
    mail = _mail(f"{name} <{address}>", "Marta Nowak <marta@nowak.example>", subject)
    mail.set_content(f"{text}\n")
    return mail


def _mail(sender: str, to: str, subject: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Message-ID"], mail["Date"] = make_msgid(domain="larch-loom.example"), localtime()
    return mail


def refuse_the_lottery(email: Email) -> Verdict:
    """Refuse one of them: what the worker of the picture does."""
    return Reject(550, "no lottery mail here") if "lottery" in email.envelope.sender else Accept()
