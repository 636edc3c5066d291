"""The last messages, for `smtp.Wait` and `rrpy tail`: metadata only, bounded, and a wait without polling."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

import msgspec

from ...mime import headers as mime_headers
from ...mime import words as mime_words
from ..protocol.replies import Reply
from ..session import Envelope, Session, new_uuid
from .event import text
from .outcome import Outcome

MAX_WAIT: Final = 300.0
"""Seconds that one call may wait."""

_HEAD: Final = 16 * 1024
_SUBJECT: Final = 1000
"""Bytes that are kept of a header block, for its subject, and that are shown of the subject."""


class Entry(NamedTuple):
    """One message. `head`: its header block; the subject is read from it when a call shows the message."""

    number: int
    at: float
    id: str
    uuid: str
    remote_addr: str
    sender: str
    to: Sequence[str]
    size: int
    head: bytes
    reply: Reply
    reason: str


class Mail(msgspec.Struct, frozen=True):
    """One message as `smtp.Wait` shows it.

    `number`: counts the messages of this host from 1. `received_at`: RFC 3339. `code`, `reply`: of the reply to the
    client, an enhanced code included. `reason`: of a reply that the worker did not ask for; else empty.
    """

    number: int
    received_at: str
    id: str
    uuid: str
    remote_addr: str
    sender: str = msgspec.field(name="from")
    to: Sequence[str]
    subject: str
    size: int
    code: int
    reply: str
    reason: str


class WaitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The argument of `smtp.Wait`.

    `cursor`: the number of the last message that the caller knows. 0 asks for all, null for those after the call.
    `history`: from the last result. With another one, of another host or of an earlier start, the cursor counts as 0.
    `timeout`: seconds to wait for the first message, at most 300. `limit`: messages at most.
    """

    cursor: Annotated[int, msgspec.Meta(ge=0)] | None = None
    history: str = ""
    timeout: Annotated[float, msgspec.Meta(ge=0, le=MAX_WAIT)] = 30.0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000


class WaitResult(msgspec.Struct, frozen=True):
    """The result: `cursor` and `history` for the next call, the messages, and the number of forgotten ones before."""

    cursor: int
    history: str
    messages: Sequence[Mail]
    missed: int


class History:
    """The last `size` messages. With 0 it keeps none, and a wait returns their number only."""

    def __init__(self, size: int) -> None:
        self._id = new_uuid()
        self._entries: deque[Entry] = deque(maxlen=size)
        self._count = 0
        self._news: asyncio.Event | None = None

    def add(self, session: Session, envelope: Envelope, at: float, outcome: Outcome, *, message_id: str = "") -> None:
        """Keep a message that arrived at `at`, in seconds since 1970, and wake the calls that wait for one."""
        content = envelope.content or b""
        assert isinstance(content, bytes)
        self._count += 1
        end = content.find(b"\r\n\r\n", 0, _HEAD)
        self._entries.append(
            Entry(
                self._count,
                at,
                message_id,
                session.uuid,
                session.remote_addr,
                envelope.mail_from or "",
                envelope.rcpt_tos,
                len(content),
                content[: end + 2 if end >= 0 else _HEAD],
                outcome.reply,
                outcome.reason,
            )
        )
        if self._news is not None:
            self._news.set()
            self._news = None

    async def wait(self, request: WaitRequest) -> WaitResult:
        """Return the messages after the cursor as soon as there is one, and none when the time is over."""
        cursor = self._count if request.cursor is None else request.cursor
        if cursor > self._count or request.history not in ("", self._id):
            cursor = 0
        if cursor == self._count and request.timeout:
            if self._news is None:
                self._news = asyncio.Event()
            try:
                async with asyncio.timeout(request.timeout):
                    await self._news.wait()
            except TimeoutError:
                pass
        found = [entry for entry in self._entries if entry.number > cursor][: request.limit]
        first = found[0].number if found else self._count + 1
        last = found[-1].number if found else self._count
        return WaitResult(last, self._id, [_shown(entry) for entry in found], first - cursor - 1)


def _shown(entry: Entry) -> Mail:
    return Mail(
        number=entry.number,
        received_at=datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="microseconds"),
        id=entry.id,
        uuid=entry.uuid,
        remote_addr=entry.remote_addr,
        sender=text(entry.sender),
        to=[text(address) for address in entry.to],
        subject=_subject(entry.head),
        size=entry.size,
        code=entry.reply.code,
        reply=entry.reply.wire_text,
        reason=entry.reason,
    )


def _subject(head: bytes) -> str:
    """Return the first subject of a header block, decoded; a long one is cut."""
    for name, value in mime_headers.read_block(head, 0, len(head), {}).fields:
        if name.lower() == b"subject":
            return mime_words.decode(value[:_SUBJECT], {})
    return ""
