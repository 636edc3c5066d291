"""What a TLS handshake has agreed on, for the session."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from ..session import Session, TLSInfo

_SHORT: Final = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""The short names of RFC 4514, section 3."""
_SPECIAL: Final = re.compile(r'[",+;<>\\\0]|^[ #]| $')


def note_tls(session: Session, transport: asyncio.BaseTransport) -> None:
    """Give a session what its handshake agreed on."""
    certificate: dict[str, Any] = transport.get_extra_info("peercert") or {}
    cipher = transport.get_extra_info("cipher") or ("", "", 0)
    session.ssl = certificate
    shown = transport.get_extra_info("ssl_object")
    version = shown.version() if shown is not None else None
    session.tls = TLSInfo(version or cipher[1], cipher[0], subject_of(certificate))


def subject_of(certificate: dict[str, Any]) -> str | None:
    """Return the subject of a certificate as text, such as `CN=client,O=Example` (RFC 4514); None for none.

    `certificate`: as `ssl.SSLSocket.getpeercert` returns it.
    """
    names = [
        "+".join(f"{_SHORT.get(name, name)}={_SPECIAL.sub(_escaped, value)}" for name, value in parts)
        for parts in certificate.get("subject", ())
    ]
    return ",".join(reversed(names)) if names else None


def _escaped(found: re.Match[str]) -> str:
    return "\\00" if found[0] == "\0" else f"\\{found[0]}"
