"""The parts of a session and of its envelope that the dialog reads and writes, as Protocols.

The classes of `smtp_plugin.session` satisfy them. They derive from aiosmtpd's, which this package does not import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .body import Body


class EnvelopeState(Protocol):
    """One mail transaction.

    `mail_from`: None before MAIL, '' for the null sender. `mail_options`, `rcpt_options`: parameters as the client
    wrote them. `parameters`: MAIL's parameters, decoded; `recipients`: those of each RCPT, in the order of `rcpt_tos`.
    `content`, `original_content`: the message, dots unstuffed. `body`: charges the listener's budget for the message.
    """

    mail_from: str | None
    mail_options: list[str]
    smtp_utf8: bool
    rcpt_tos: list[str]
    rcpt_options: list[str]
    content: bytes | str | None
    original_content: bytes | None
    body: Body | None
    parameters: dict[str, str | None]
    recipients: list[dict[str, str | None]]


class SessionState(Protocol):
    """One connection, as far as the client has described itself.

    `host_name`: the argument of HELO or EHLO, None before it. `extended_smtp`: the client sent EHLO or LHLO.
    `authenticated`: true after AUTH. `new_envelope`: makes the envelope of the next transaction. `remote_host`: the
    client's number, empty on a unix socket; `username`: of AUTH, empty before it.
    """

    host_name: str | None
    extended_smtp: bool
    authenticated: bool | None

    @property
    def remote_host(self) -> str:
        """The client's number."""
        ...

    @property
    def username(self) -> str:
        """The user name of AUTH."""
        ...

    @property
    def new_envelope(self) -> Callable[[], EnvelopeState]:
        """The factory of envelopes."""
        ...

    def capture(self, mechanism: str, username: bytes, secret: bytes) -> None:
        """Keep the credentials of AUTH."""
        ...

    def forget(self) -> None:
        """Forget everything that the client has said, credentials included (RFC 3207 section 4.2)."""
        ...
