"""Send the mail of an order with Django's SMTP backend. It trusts what SSL_CERT_FILE names."""

import json
import sys
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage

order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
settings.configure(
    EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
    EMAIL_HOST=order["host"],
    EMAIL_PORT=order["port"],
    EMAIL_USE_TLS=order["tls"],
    EMAIL_HOST_USER=order["username"] if order["login"] else "",
    EMAIL_HOST_PASSWORD=order["password"] if order["login"] else "",
    EMAIL_TIMEOUT=20,
)
message = EmailMessage(order["subject"], order["body"], order["sender"], order["recipients"])
attachment = Path(order["attachment"])
message.attach(attachment.name, attachment.read_bytes(), "application/octet-stream")
assert message.send() == 1
