"""The certificate and the key of `smtp.tls`, with an error that says which of the two is wrong, and why."""

from __future__ import annotations

import ssl
from pathlib import Path

from ...container.errors import ConfigError, reason_of
from ..config import TLSConfig


def server_context(tls: TLSConfig, source: str) -> ssl.SSLContext:
    """Return the context of a server with this certificate. `source`: the configuration's name, for errors.

    Raises ConfigError: a file cannot be read, is not what it should be, or the two do not belong together.
    """
    for name, path in (("cert", tls.cert), ("key", tls.key)):
        try:
            Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise ConfigError(f"smtp.tls.{name}: cannot read {path}: {reason_of(error)} (in {source})") from None
    if not _has_certificate(tls.cert):
        raise ConfigError(f"smtp.tls.cert: there is no certificate as PEM in {tls.cert} (in {source})")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.cert, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        if "MISMATCH" in str(error):
            reason = f"the key in {tls.key} does not belong to the certificate in {tls.cert}"
        else:
            reason = f"there is no private key as PEM, without a password, in {tls.key}"
        raise ConfigError(f"smtp.tls.key: {reason} (in {source})") from None
    return context


def _has_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except (OSError, ValueError):
        return False
    return True


def _no_password() -> str:
    """Answer for the person whom OpenSSL would ask on the terminal: a host has nobody there."""
    return ""
