"""TLS on the SMTP port: the context of `smtp.tls`, and the faults of handshakes."""

from __future__ import annotations

import ssl

from ...container.net import tls as net
from ..config import TLSConfig


def server_context(tls: TLSConfig) -> ssl.SSLContext:
    """Return the context of a server with these settings. Raises ConfigError."""
    return net.server_context(tls.cert, tls.key, "smtp.tls", client_ca=tls.client_ca, min_version=tls.min_version)


def implicit_handshake_fault(error: OSError) -> str:
    """Return why a handshake failed on a port that speaks TLS from the first byte, where a client may speak plain SMTP.

    Such a client sends a command at once, or nothing: it waits for the greeting.
    """
    if net.is_plain(error):
        return "plain bytes on a port that speaks TLS from the first byte; use TLS, or tls.mode: starttls"
    if isinstance(error, ConnectionAbortedError):
        return "no TLS handshake in time; a client of plain SMTP needs tls.mode: starttls"
    return net.handshake_fault(error)
