"""A connection's `Session`, the `Envelope` of its message under way, and `ConnectionInfo`, their view for RPC.

Session and Envelope derive from aiosmtpd's classes, so that a handler for aiosmtpd finds the attributes that it uses.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import aiosmtpd.smtp
import msgspec

from ..container.net.address import peer_text

if TYPE_CHECKING:
    from .protocol.body import Body

_UUID: Final = b"xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"  # x: a random digit; y: 8, 9, a or b (RFC 9562 section 5.4)
_VARIANTS: Final = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)
_DRAWN: Final = 256
_pool = ""
_next = 0


def new_uuid() -> str:
    """Return a random UUID (RFC 9562, version 4) as text. One call of the kernel serves 256 of them."""
    global _pool, _next  # noqa: PLW0603 - one pool of UUIDs for the process
    if _next >= len(_pool):
        _pool, _next = _draw(), 0
    start = _next
    _next = end = start + len(_UUID)
    return _pool[start:end]


def _draw() -> str:
    """Return 256 UUIDs without a separator. A loop over digits costs less than one over UUIDs."""
    random = os.urandom(_DRAWN * 16)
    digits = random.hex().encode()
    uuids = bytearray(_UUID * _DRAWN)
    drawn = 0
    for at, kind in enumerate(_UUID):
        if kind in b"xy":
            column = digits[drawn::32]
            uuids[at :: len(_UUID)] = column.translate(_VARIANTS) if kind in b"y" else column
            drawn += 1
    return uuids.decode()


def new_ordered_uuid() -> str:
    """Return a UUID of version 7 (RFC 9562) as text: later ones sort after earlier ones."""
    at = f"{time.time_ns() // 1_000_000:012x}"
    return f"{at[:8]}-{at[8:]}-7{new_uuid()[15:]}"


def _forget_random_pool() -> None:
    global _next  # noqa: PLW0603 - a forked child must not repeat its parent's identifiers
    _next = len(_pool)


os.register_at_fork(after_in_child=_forget_random_pool)


class Credentials(NamedTuple):
    """The credentials that AUTH captured, byte for byte. `secret`: a password, a digest or a token; never printed."""

    mechanism: str
    username: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Credentials(mechanism={self.mechanism!r}, username={self.username!r}, secret=***)"


class TLSInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The TLS of a connection. `version`: `TLSv1.3`. `cipher`: OpenSSL's name.

    `subject`: of the client's certificate (RFC 4514); None where it has shown none.
    """

    version: str
    cipher: str
    subject: str | None = None


class Envelope(aiosmtpd.smtp.Envelope):
    """One mail transaction.

    `mail_from`: None before MAIL, '' for the null sender. `mail_options`, `rcpt_options`: parameters as the client
    wrote them. `parameters`: MAIL's parameters, decoded; `recipients`: those of each RCPT, in the order of `rcpt_tos`.
    `content`, `original_content`: the message, dots unstuffed. `body`: charges the listener's budget for the message.
    """

    mail_from: str | None
    rcpt_tos: list[str]
    mail_options: list[str]
    rcpt_options: list[str]
    content: bytes | str | None
    original_content: bytes | None
    smtp_utf8: bool

    def __init__(self) -> None:
        # Not through super(): seven attributes set once, not twice, for every message.
        self.mail_from = None
        self.mail_options = []
        self.smtp_utf8 = False
        self.content = None
        self.original_content = None
        self.rcpt_tos = []
        self.rcpt_options = []
        self.body: Body | None = None
        self.parameters: dict[str, str | None] = {}
        self.recipients: list[dict[str, str | None]] = []


class Session(aiosmtpd.smtp.Session):
    """One connection.

    `uuid`: its identity in the log, on the RPC bus and in events. `peer`: the socket's peer address as asyncio gives
    it. `remote_addr`: `ip:port` of the client, `unix` on a unix socket. `credentials`: of AUTH, None before it. `tls`:
    None in clear.
    `transcript`: the last lines of both sides since the last message, None where no plugin observes mail.
    `lines_taken`: of the server, which that message's transcript has already. `reporting_since`, `reported`,
    `left_out`: the refusals that are reported, and those that are not (delivery/refusals.py).
    """

    new_envelope: ClassVar[type[Envelope]] = Envelope
    """Makes the envelope of the session's next transaction."""

    # On the class: a session pays for what it uses. The first ones are aiosmtpd's.
    ssl: dict[str, Any] | None = None
    host_name: str | None = None
    extended_smtp: bool = False
    proxy_data: Any = None
    _login_data: Any = None
    auth_data: Any = None
    authenticated: bool | None = None
    credentials: Credentials | None = None
    tls: TLSInfo | None = None
    transcript: deque[str] | None = None
    lines_taken = 0
    reporting_since = float("-inf")
    reported = 0
    left_out = 0

    def __init__(self, loop: asyncio.AbstractEventLoop | None, peer: Any = None) -> None:
        self.loop = loop
        self.peer = peer
        self.uuid = new_uuid()
        self.remote_addr = peer_text(peer)

    def take_transcript(self, replies: int) -> list[str]:
        """Return the transcript for a message, and begin the next one. `replies`: lines that the message adds."""
        if self.transcript is None:
            return []
        taken = list(self.transcript)
        self.transcript.clear()
        self.lines_taken = replies
        return taken

    def capture(self, mechanism: str, username: bytes, secret: bytes) -> None:
        """Keep the credentials of AUTH; from now on the session counts as authenticated."""
        self.credentials = Credentials(mechanism, username, secret)
        self.authenticated = True
        self.auth_data = aiosmtpd.smtp.LoginPassword(username, secret)

    def forget(self) -> None:
        """Forget everything that the client has said, credentials included (RFC 3207 section 4.2)."""
        self.host_name = None
        self.extended_smtp = False
        self.authenticated = None
        self.auth_data = None
        self.credentials = None

    @property
    def remote_host(self) -> str:
        """The number of the client, without its port; empty on a unix socket."""
        return self.remote_addr.rpartition(":")[0].strip("[]")

    @property
    def helo(self) -> str:
        """The name that the client gave in HELO or EHLO, '' before it."""
        return self.host_name or ""

    @property
    def username(self) -> str:
        """The captured user name, '' without AUTH; bytes that are not UTF-8 are kept as surrogates."""
        return self.credentials.username.decode("utf-8", "surrogateescape") if self.credentials else ""


class ConnectionInfo(msgspec.Struct, frozen=True):
    """A connection as `smtp.ListConnections` shows it; the keys are the specification's."""

    uuid: str
    remote_addr: str
    sender: str = msgspec.field(name="from")
    to: list[str]
    authenticated: bool
    username: str

    @classmethod
    def of(cls, session: Session, envelope: Envelope | None) -> ConnectionInfo:
        """Return the view of a session and of its transaction under way."""
        return cls(
            uuid=session.uuid,
            remote_addr=session.remote_addr,
            sender=_text(envelope.mail_from or "") if envelope else "",
            to=[_text(address) for address in envelope.rcpt_tos] if envelope else [],
            authenticated=bool(session.authenticated),
            username=_text(session.username),
        )


def _text(value: str) -> str:
    """Return `value` fit for JSON: a surrogate stands for a byte that is not UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
