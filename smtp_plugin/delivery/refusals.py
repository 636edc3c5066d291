"""Reports of refused commands and messages, and of sessions that the server ends: for the log and all other readers.

What we want: no refusal in silence, and no client that fills the log. What we do: a connection reports `MOST` refusals
in `WINDOW` seconds, and all connections of a client report `MOST_OF_CLIENT`, for it may connect again and again. The
others are counted. The next report, or the end of the connection, says how many they were. For a client a warning says
when its lines begin to be left out; after the window a line at the next refusal of any client has their number.
All readers get the same reports. An accepted message costs nothing.
What can still fail: while `MAX_CLIENTS` clients are counted, all further ones share one count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ...container.protocols import Logger
from ...container.text import printable
from ..protocol.refusal import Refusal
from ..session import Session
from .event import text

MOST: Final = 20
"""Refusals of one connection that are reported in `WINDOW` seconds; the end of its session always is."""
MOST_OF_CLIENT: Final = 200
"""The same of all connections of one client; it counts the ends of sessions too."""
WINDOW: Final = 60.0
MAX_CLIENTS: Final = 1000
"""Clients that are counted at the same time."""
_FURTHER: Final = "further clients"


class RefusalReport(msgspec.Struct, frozen=True, tag_field="kind", tag="refusal"):
    """A refusal as `smtp.Wait`, `rrpy tail` and the inbox show it.

    `number`: counts the refusals of this host from 1. `at`: RFC 3339. `from`, `to`: of the transaction under way, its
    first recipients; `recipients`: their number. `command`: the last one, without secrets; empty before the first.
    `code`, `reply`: to the client, an enhanced code included; 0 and empty where it got none. `setting`: the setting
    that decided, and its value; empty for none. `reason`: why, where there is no reply. `ended`: the server ended the
    session. `left_out`: refusals of this connection before it that are not shown. `username`: of AUTH, else empty.
    """

    number: int
    at: str
    uuid: str
    remote_addr: str
    helo: str
    sender: str = msgspec.field(name="from")
    to: Sequence[str]
    recipients: int
    command: str
    code: int
    reply: str
    setting: str
    reason: str
    ended: bool
    left_out: int
    username: str = ""


class _Client:
    """The refusals of one client since a time: those that are reported, and those that are not."""

    __slots__ = ("left_out", "reported", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.reported = 0
        self.left_out = 0


class Refusals:
    """Writes refusals into the log, and hands them to `keep`. `clock`: returns monotonic seconds."""

    def __init__(
        self, log: Logger, keep: Callable[[RefusalReport], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._keep = keep
        self._clock = clock
        self._count = 0
        self._clients: dict[str, _Client] = {}  # the one with the oldest window first

    def report(self, session: Session, refusal: Refusal) -> None:
        """Report a refusal, or count it where its connection has had too many."""
        now = self._clock()
        if now - session.reporting_since >= WINDOW:
            session.reporting_since = now
            session.reported = 0
        if session.reported >= MOST and not refusal.last:
            session.left_out += 1
            return
        if not self._has_room(session, now, 1):
            return
        session.reported += 1
        self._count += 1
        refused = RefusalReport(
            number=self._count,
            at=datetime.now(UTC).isoformat(timespec="microseconds"),
            uuid=session.uuid,
            remote_addr=session.remote_addr,
            helo=text(session.helo),
            sender=text(refusal.sender),
            to=[text(address) for address in refusal.recipients],
            recipients=refusal.recipient_count,
            command=printable(refusal.command),
            code=refusal.code,
            reply=refusal.reply,
            setting=refusal.setting,
            reason=refusal.reason,
            ended=refusal.last,
            left_out=session.left_out,
            username=text(session.username),
        )
        session.left_out = 0
        self._log.info("session ended" if refused.ended else "refused", **_log_keys(refused))
        self._keep(refused)

    def end(self, session: Session) -> None:
        """Report how many refusals a connection has had that are not shown: it is closed."""
        left_out, session.left_out = session.left_out, 0
        if left_out and self._has_room(session, self._clock(), left_out):
            self._log.info("more refusals", uuid=session.uuid, remote_addr=session.remote_addr, left_out=left_out)

    def _has_room(self, session: Session, now: float, refusals: int) -> bool:
        """Count a line for its client, or so many refusals without one; return whether there is room for the line."""
        self._close_windows(now)
        host = session.remote_addr.rpartition(":")[0] or session.remote_addr
        if host not in self._clients and len(self._clients) >= MAX_CLIENTS:
            host = _FURTHER
        client = self._clients.get(host)
        if client is None:
            client = self._clients[host] = _Client(now)
        if client.reported < MOST_OF_CLIENT:
            client.reported += 1
            return True
        if not client.left_out:
            self._log.warning("a client has too many refusals: they are left out", remote_addr=host)
        client.left_out += refusals
        return False

    def _close_windows(self, now: float) -> None:
        while self._clients:
            host, client = next(iter(self._clients.items()))
            if now - client.since < WINDOW:
                return
            del self._clients[host]
            if client.left_out:
                self._log.info("more refusals", remote_addr=host, left_out=client.left_out)


def _log_keys(refused: RefusalReport) -> dict[str, Any]:
    """Return the keys of a refusal's line in the log: those that say something."""
    keys: dict[str, Any] = {"uuid": refused.uuid, "remote_addr": refused.remote_addr, "helo": refused.helo}
    keys |= {"from": refused.sender, "to": refused.to, "command": refused.command}
    keys |= {"code": refused.code, "reply": refused.reply, "setting": refused.setting}
    keys |= {"reason": refused.reason, "left_out": refused.left_out}
    return {key: value for key, value in keys.items() if value}
