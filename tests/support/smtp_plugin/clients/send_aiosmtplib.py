"""Send the mail of an order with aiosmtplib."""

import asyncio
import json
import sys
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib

order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
message = EmailMessage()
message["From"] = order["sender"]
message["To"] = ", ".join(order["recipients"])
message["Subject"] = order["subject"]
message.set_content(order["body"])
attachment = Path(order["attachment"])
message.add_attachment(attachment.read_bytes(), "application", "octet-stream", filename=attachment.name)

refused, _ = asyncio.run(
    aiosmtplib.send(
        message,
        hostname=order["host"],
        port=order["port"],
        start_tls=order["tls"],
        cert_bundle=order["ca"] if order["tls"] else None,
        username=order["username"] if order["login"] else None,
        password=order["password"] if order["login"] else None,
        timeout=20,
    )
)
assert refused == {}, refused
