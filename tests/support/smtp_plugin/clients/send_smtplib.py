"""Send the mail of an order with the standard library."""

import json
import smtplib
import ssl
import sys
from email.message import EmailMessage
from pathlib import Path

order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
message = EmailMessage()
message["From"] = order["sender"]
message["To"] = ", ".join(order["recipients"])
message["Subject"] = order["subject"]
message.set_content(order["body"])
attachment = Path(order["attachment"])
message.add_attachment(attachment.read_bytes(), "application", "octet-stream", filename=attachment.name)

with smtplib.SMTP(order["host"], order["port"], timeout=20) as client:
    if order["tls"]:
        client.starttls(context=ssl.create_default_context(cafile=order["ca"]))
    if order["login"]:
        client.login(order["username"], order["password"])
    refused = client.send_message(message)
assert refused == {}, refused
