"""The certificate and the key of a TLS server, with an error that names the wrong one of the two, and the fault."""

from __future__ import annotations

import ssl
import stat
import warnings
from pathlib import Path
from typing import Final

from ..errors import ConfigError, reason_of

WEAK: Final = 1.2
"""The version before which TLS is broken (RFC 8996)."""
_VERSIONS: Final = {
    1.0: ssl.TLSVersion.TLSv1,
    1.1: ssl.TLSVersion.TLSv1_1,
    1.2: ssl.TLSVersion.TLSv1_2,
    1.3: ssl.TLSVersion.TLSv1_3,
}
_PLAIN: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
"""OpenSSL's reasons for a first record that TLS does not have."""


def server_context(
    cert: str, key: str, setting: str, *, client_ca: str = "", min_version: float = WEAK
) -> ssl.SSLContext:
    """Return the context of a server with the certificate and the key in these PEM files.

    `setting`: with the keys `cert`, `key`, `client_ca` and `min_version`, for errors. `client_ca`: authorities of
    clients' certificates, empty for none. `min_version`: the oldest TLS.
    Raises ConfigError for a file that cannot be read or has the wrong content, for a key of another certificate, and
    for a version that OpenSSL does not have.
    """
    named = [("cert", cert), ("key", key), *([("client_ca", client_ca)] if client_ca else [])]
    for name, path in named:
        try:
            kind = Path(path).stat().st_mode
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):  # a pipe or a device has no end: it is read at SIGHUP
                raise _wrong(f"{setting}.{name}", path, "it is not a file")
            Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise _wrong(f"{setting}.{name}", path, f"it cannot be read: {reason_of(error)}") from None
        if name != "key" and not _has_certificate(path):
            raise _wrong(f"{setting}.{name}", path, "there is no certificate as PEM in it")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _set_version(context, min_version, f"{setting}.min_version")
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:
        if "MISMATCH" in str(error):
            raise _wrong(f"{setting}.key", key, f"it does not belong to the certificate in {cert}") from None
        raise _wrong(f"{setting}.key", key, "there is no private key as PEM, without a password, in it") from None
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _set_version(context: ssl.SSLContext, version: float, key: str) -> None:
    """Set the oldest version. Versions before `WEAK` need SHA-1, which OpenSSL 3 has at its security level 0 only."""
    if version < WEAK and not (ssl.HAS_TLSv1 if version == 1.0 else ssl.HAS_TLSv1_1):
        raise ConfigError(f"is {version}", key=key, hint=f"{ssl.OPENSSL_VERSION} does not have it")
    try:
        if version < WEAK:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Python, for the old versions
            context.minimum_version = _VERSIONS[version]
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"is {version}", key=key, hint=f"OpenSSL refuses it: {reason_of(error)}") from None


def handshake_fault(error: BaseException) -> str:
    """Return why a handshake failed, as a sentence for the log."""
    if isinstance(error, ConnectionResetError):
        return "the client left in the TLS handshake; perhaps it does not trust the certificate"
    return f"the TLS handshake failed: {reason_of(error)}"


def is_plain(error: BaseException) -> bool:
    """Return whether a handshake failed because the client speaks no TLS."""
    return isinstance(error, ssl.SSLError) and error.reason in _PLAIN


def _wrong(key: str, path: str, hint: str) -> ConfigError:
    return ConfigError(f"is {path}", key=key, hint=hint)


def _has_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except (OSError, ValueError):
        return False
    return True


def _no_password() -> str:
    """Return an empty password, so that OpenSSL does not ask for one on the terminal."""
    return ""
