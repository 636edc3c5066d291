"""The certificate and the key of `smtp.tls`, with an error that names the wrong one of the two, and the fault."""

from __future__ import annotations

import ssl
from pathlib import Path

from ...container.errors import ConfigError, reason_of
from ..config import TLSConfig


def server_context(tls: TLSConfig) -> ssl.SSLContext:
    """Return the context of a server with this certificate.

    Raises ConfigError for a file that cannot be read or has the wrong content, and for a key of another certificate.
    """
    for name, path in (("cert", tls.cert), ("key", tls.key)):
        try:
            Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise _wrong(name, path, f"it cannot be read: {reason_of(error)}") from None
    if not _has_certificate(tls.cert):
        raise _wrong("cert", tls.cert, "there is no certificate as PEM in it")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.cert, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        if "MISMATCH" in str(error):
            raise _wrong("key", tls.key, f"it does not belong to the certificate in {tls.cert}") from None
        raise _wrong("key", tls.key, "there is no private key as PEM, without a password, in it") from None
    return context


def _wrong(name: str, path: str, hint: str) -> ConfigError:
    return ConfigError(f"is {path}", key=f"smtp.tls.{name}", hint=hint)


def _has_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except (OSError, ValueError):
        return False
    return True


def _no_password() -> str:
    """Return an empty password, so that OpenSSL does not ask for one on the terminal."""
    return ""
