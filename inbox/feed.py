"""The events of the inbox: a ring of the last ones, and a position in it for each reader.

A slow reader costs nothing: no task waits for it and no queue grows for it. A reader whose position has left the ring
gets `reset`: it loads everything again. So does a reader that comes back after a restart.
A reader may follow one mailbox. It passes over the events of the others, and those of the host.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Set
from typing import Final, NamedTuple

import anyio
import msgspec

KEPT: Final = 1000
"""Events that the ring holds."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Bytes that the events in the ring take at most."""
EVENT: Final = 200
"""Bytes that an event takes without its data."""
MAX_READERS: Final = 100
"""Readers at the same time."""
KEEP_ALIVE: Final = 15.0
"""Seconds without an event after which a reader gets a comment: it shows each side that the other is there."""

EVENTS: Final = {
    "message": "a message arrived; the data is its summary",
    "deleted": 'messages were deleted, by hand or for newer ones; the data is `{"ids": [...]}`',
    "read": (
        'messages were marked; the data is `{"ids": [...], "read": bool, "unread": count}`; ids are null for every '
        "message. The count is that of the mailbox for a reader that follows one"
    ),
    "released": 'the relay has taken or refused a message; the data is `{"id": "...", "release": {...}}`',
    "cleared": "every message was deleted; the data is `{}`",
    "refusal": "a command, a message or a session was refused; the data is the refusal",
    "refusals_cleared": "every refusal was deleted; the data is `{}`",
    "connections": 'connections opened, closed or changed; the data is `{"open": count}`',
    "reset": 'the first event, or events were missed: load the list; the data is `{"open": count}`',
}
"""Every event of the stream, and its meaning."""


def room_of_feed(max_bytes: int) -> int:
    """Return the bytes of `inbox.max_bytes` for the feed and the refusals; 0 limits these two alone."""
    return min(MAX_BYTES, max_bytes // 8) if max_bytes else MAX_BYTES


class _Named(msgspec.Struct):
    id: str


class FeedEvent(NamedTuple):
    """One event. `number`: its position; `data`: JSON in one line.

    `mailboxes`: those that it is about, None for all; an event of the host is about none. `own`: the data for a reader
    that follows one of them, where it differs.
    """

    number: int
    name: str
    data: bytes
    mailboxes: Set[str] | None = None
    own: bytes | None = None

    @property
    def bytes(self) -> int:
        """The bytes that the event takes."""
        return EVENT + len(self.data) + (len(self.own) if self.own else 0)


class Feed:
    """The events. Made in an event loop, and used in its thread.

    `on_first_reader`: called when a reader comes and there was none.
    `max_bytes`: of the events in the ring; the oldest leave it. `open`: the connections of the last `connections`
    event. `bytes`: that the events take now.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._boot = secrets.token_hex(4)  # numbers begin again at each start
        self._ring: deque[FeedEvent] = deque()
        self._max_bytes = max_bytes
        self.bytes = 0
        self._number = 0
        self._news: anyio.Event | None = None  # made for a reader that waits, not for each event
        self._readers = 0
        self._followed = anyio.Event()
        self._closed = False
        self.open = 0
        self.on_first_reader: Callable[[], None] = lambda: None

    @property
    def has_readers(self) -> bool:
        """Whether the feed has a reader."""
        return self._readers > 0

    @property
    def full(self) -> bool:
        """Whether the feed has as many readers as it takes."""
        return self._readers >= MAX_READERS

    async def wait_for_readers(self) -> None:
        """Return as soon as there is a reader."""
        await self._followed.wait()

    @property
    def news(self) -> anyio.Event:
        """Set at the next event, or when the feed closes. Take it before you read what an event may change."""
        if self._news is None:
            self._news = anyio.Event()
        return self._news

    @property
    def closed(self) -> bool:
        """Whether the host stops."""
        return self._closed

    def publish(
        self, name: str, data: bytes = b"{}", mailboxes: Set[str] | None = None, own: bytes | None = None
    ) -> None:
        """Add an event, and wake the readers. The parameters are those of FeedEvent."""
        self._number += 1
        event = FeedEvent(self._number, name, data, mailboxes, own)
        self._ring.append(event)
        self.bytes += event.bytes
        while len(self._ring) > KEPT or self.bytes > self._max_bytes:
            self.bytes -= self._ring.popleft().bytes
        self._wake()

    def forget(self, ids: Collection[str] | None = None) -> None:
        """Remove deleted messages from the ring, None for every message.

        A reader that has not read of it yet gets `deleted`, or `reset`.
        """
        if ids is None:
            self._ring.clear()
            self.bytes = 0
            return
        gone = set(ids)
        for index, event in enumerate(self._ring):
            if event.name == "message" and (name := msgspec.json.decode(event.data, type=_Named).id) in gone:
                data = msgspec.json.encode({"ids": [name]})
                deleted = FeedEvent(event.number, "deleted", data, event.mailboxes)
                self.bytes += deleted.bytes - event.bytes
                self._ring[index] = deleted

    def forget_refusals(self, mailbox: str | None = None) -> None:
        """Remove the data of refusals from the ring: of every one, or of those that are about this mailbox alone."""
        for index, event in enumerate(self._ring):
            if event.name == "refusal" and (mailbox is None or event.mailboxes == {mailbox}):
                self.bytes -= len(event.data)
                self._ring[index] = FeedEvent(event.number, "refusals_cleared", b"{}", event.mailboxes)
                self.bytes += 2

    def connections(self, count: int) -> None:
        """Publish that the connections have changed; `count` of them are open."""
        self.open = count
        self.publish("connections", b'{"open": %d}' % count, frozenset())

    def close(self) -> None:
        """End the stream of every reader."""
        self._closed = True
        self._wake()

    async def follow(self, last_event_id: str = "", mailbox: str | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the events after `last_event_id`, as text/event-stream, until the feed closes.

        `mailbox`: the one that the reader follows, None for all.
        """
        self._readers += 1
        self._followed.set()
        if self._readers == 1:
            self.on_first_reader()
        try:
            position = self._position(last_event_id)
            yield b"retry: 1000\n\n"  # how soon a browser comes back, in milliseconds
            if position is None:
                position = self._number
                yield self._reset(mailbox)
            while True:
                news = self.news
                missed = self._number - position
                if missed and not self._has(position):
                    position = self._number
                    yield self._reset(mailbox)
                elif missed:
                    event = self._ring[-missed]  # one at a time: a slow reader keeps none of them alive
                    position = event.number
                    if mailbox is None:
                        yield self._written(event)
                    elif event.mailboxes is None or mailbox in event.mailboxes:
                        yield self._written(event if event.own is None else event._replace(data=event.own))
                elif self._closed:
                    break
                else:
                    with anyio.move_on_after(KEEP_ALIVE):
                        await news.wait()
                        continue
                    yield b": still here\n\n"
        finally:
            self._readers -= 1
            if not self._readers:
                self._followed = anyio.Event()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    def _position(self, last_event_id: str) -> int | None:
        """Return the position of an event's id; None for one of another start, or one that has left the ring."""
        boot, _, number = last_event_id.partition("-")
        if boot != self._boot or not number.isascii() or not number.isdecimal() or len(number) > 18:
            return None
        position = int(number)
        return position if self._has(position) else None

    def _has(self, position: int) -> bool:
        """Return whether the ring has every event after a position."""
        return 0 <= self._number - position <= len(self._ring)

    def _reset(self, mailbox: str | None) -> bytes:
        count = self.open if mailbox is None else 0
        return self._written(FeedEvent(self._number, "reset", b'{"open": %d}' % count))

    def _written(self, event: FeedEvent) -> bytes:
        head = f"event: {event.name}\nid: {self._boot}-{event.number}\ndata: ".encode()
        return head + event.data + b"\n\n"
