"""The last messages and refusals, for `smtp.Wait` and `rrpy tail`: metadata only, bounded; a wait without polling.

Messages and refusals are counted and bounded apart, so that refusals push no message out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from ...mime import headers as mime_headers
from ...mime import words as mime_words
from ..protocol.replies import Reply
from ..session import Envelope, Session, new_uuid
from .event import text
from .outcome import Outcome
from .refusals import RefusalReport

MAX_REFUSALS: Final = 1000
"""Refusals that are kept at most."""
MAX_WAIT: Final = 300.0
"""Seconds that one call may wait."""

_HEAD: Final = 16 * 1024
_SUBJECT: Final = 1000
"""Bytes that are kept of a header block, for its subject, and that are shown of the subject."""


class Entry(msgspec.Struct, frozen=True, gc=False):
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


class Mail(msgspec.Struct, frozen=True, tag_field="kind", tag="mail"):
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
    `timeout`: seconds to wait for the first message, at most 300. `limit`: messages at most. `refusal_cursor`: the
    number of the last refusal that the caller knows, 0 for all; null, the default, asks for messages alone.
    """

    cursor: Annotated[int, msgspec.Meta(ge=0)] | None = None
    refusal_cursor: Annotated[int, msgspec.Meta(ge=0)] | None = None
    history: str = ""
    timeout: Annotated[float, msgspec.Meta(ge=0, le=MAX_WAIT)] = 30.0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000


class WaitResult(msgspec.Struct, frozen=True):
    """The result: the cursors and `history` for the next call, messages and refusals.

    `missed`, `missed_refusals`: the numbers of forgotten ones before them.
    """

    cursor: int
    history: str
    messages: Sequence[Mail]
    missed: int
    refusal_cursor: int
    refusals: Sequence[RefusalReport]
    missed_refusals: int


E = TypeVar("E", Entry, RefusalReport)


class Ring(Generic[E]):
    """The last `size` entries. `count`: of all that came; the newest has this number."""

    def __init__(self, size: int) -> None:
        self._entries: deque[E] = deque(maxlen=size)
        self.count = 0

    def add(self, entry: E) -> None:
        """Keep an entry, whose number follows the last one's."""
        self._entries.append(entry)
        self.count = entry.number

    def after(self, cursor: int, limit: int) -> tuple[list[E], int, int]:
        """Return entries after a cursor, the next cursor, and the number of forgotten ones before them."""
        found = [entry for entry in self._entries if entry.number > cursor][:limit]
        first = found[0].number if found else self.count + 1
        last = found[-1].number if found else self.count
        return found, last, first - cursor - 1


class History:
    """The last `size` messages and as many refusals. With 0 it keeps none, and a wait returns their numbers only."""

    def __init__(self, size: int) -> None:
        self._id = new_uuid()
        self._messages: Ring[Entry] = Ring(size)
        self._refusals: Ring[RefusalReport] = Ring(min(size, MAX_REFUSALS))
        self._news: asyncio.Event | None = None

    def add(self, session: Session, envelope: Envelope, at: float, outcome: Outcome, *, message_id: str = "") -> None:
        """Keep a message that arrived at `at`, in seconds since 1970, and wake the calls that wait for one."""
        content = envelope.content or b""
        assert isinstance(content, bytes)
        end = content.find(b"\r\n\r\n", 0, _HEAD)
        messages = self._messages
        messages.add(
            Entry(
                messages.count + 1,
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
        self._wake()

    def add_refusal(self, refused: RefusalReport) -> None:
        """Keep a refusal, and wake the calls that wait for one."""
        self._refusals.add(refused)
        self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    async def wait(self, request: WaitRequest) -> WaitResult:
        """Return the messages after the cursor as soon as there is one, and none when the time is over."""
        same = request.history in ("", self._id)
        cursor = _known(request.cursor, self._messages.count, same)
        refusal_cursor = _known(request.refusal_cursor, self._refusals.count, same)
        wants_refusals = request.refusal_cursor is not None

        def is_news() -> bool:
            return cursor < self._messages.count or (wants_refusals and refusal_cursor < self._refusals.count)

        with suppress(TimeoutError):
            async with asyncio.timeout(request.timeout):
                while request.timeout and not is_news():
                    if self._news is None:
                        self._news = asyncio.Event()
                    await self._news.wait()
        messages, last, missed = self._messages.after(cursor, request.limit)
        refusals, last_refusal, missed_refusals = self._refusals.after(refusal_cursor, request.limit)
        return WaitResult(
            cursor=last,
            history=self._id,
            messages=[_shown(entry) for entry in messages],
            missed=missed,
            refusal_cursor=last_refusal,
            refusals=refusals if wants_refusals else [],
            missed_refusals=missed_refusals if wants_refusals else 0,
        )


def _known(cursor: int | None, count: int, same: bool) -> int:
    """Return the cursor of a request: `count` for none. `same`: it is of this history."""
    if cursor is None:
        return count
    return cursor if same and cursor <= count else 0


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
