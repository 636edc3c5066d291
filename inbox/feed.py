"""What happens in the inbox, for those who follow it: a ring of the last events, and everybody's own place in it.

A slow reader costs nothing: nothing waits for it and nothing is queued for it. One whose place has left the ring is
told to look at everything anew (`reset`), as is one that comes back after a restart.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final, NamedTuple

import anyio

KEPT: Final = 1000
"""Events that are remembered for a reader that is slow or comes back."""
MAX_READERS: Final = 100
"""At the same time."""
KEEP_ALIVE: Final = 15.0
"""Seconds of silence before a reader gets a comment, which tells both sides that the other is there."""

EVENTS: Final = {
    "message": "a message came; the data is its summary",
    "deleted": 'messages went, by hand or pushed out by newer ones; the data is `{"ids": [...]}`',
    "cleared": "every message went; the data is `{}`",
    "connections": 'connections came, went or changed; the data is `{"open": count}`',
    "reset": 'events were missed, or this is the first look: get the list anew; the data is `{"open": count}`',
}
"""Every event of the stream, and what it says."""


class Event(NamedTuple):
    """Something that happened. `number`: its place; `data`: JSON in one line."""

    number: int
    name: str
    data: bytes


class Feed:
    """The events. For one loop: made in it, and used in its thread."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)  # numbers begin anew with each start
        self._ring: deque[Event] = deque(maxlen=KEPT)
        self._number = 0
        self._news = anyio.Event()
        self._readers = 0
        self._watched = anyio.Event()
        self._closed = False
        self.open = 0

    @property
    def watched(self) -> bool:
        """Whether somebody follows."""
        return self._readers > 0

    @property
    def full(self) -> bool:
        """Whether as many follow as may."""
        return self._readers >= MAX_READERS

    async def wait_for_readers(self) -> None:
        """Return as soon as somebody follows."""
        await self._watched.wait()

    @property
    def news(self) -> anyio.Event:
        """Set at the next event, or when the feed closes. Take it before looking at what it may change."""
        return self._news

    @property
    def closed(self) -> bool:
        """Whether the host stops."""
        return self._closed

    def publish(self, name: str, data: bytes = b"{}") -> None:
        """Tell everybody."""
        self._number += 1
        self._ring.append(Event(self._number, name, data))
        self._wake()

    def forget(self, message_id: str | None = None) -> None:
        """Give out no more what was told of a message that is deleted, None for all of them.

        Who has not read that yet is told that it is deleted, or to look at everything anew.
        """
        if message_id is None:
            self._ring.clear()
            return
        name = message_id.encode()
        for place, event in enumerate(self._ring):
            if event.name == "message" and name in event.data:
                self._ring[place] = Event(event.number, "deleted", b'{"ids":["%b"]}' % name)

    def connections(self, count: int) -> None:
        """Tell everybody that the connections are others; `count` of them are open."""
        self.open = count
        self.publish("connections", b'{"open": %d}' % count)

    def close(self) -> None:
        """End every reader, in its own time."""
        self._closed = True
        self._wake()

    async def follow(self, last_event_id: str = "") -> AsyncGenerator[bytes, None]:
        """Yield the events behind `last_event_id`, as text/event-stream, until the feed closes."""
        self._readers += 1
        self._watched.set()
        try:
            place = self._place(last_event_id)
            yield b"retry: 1000\n\n"  # how soon a browser comes back, in milliseconds
            if place is None:
                place = self._number
                yield self._reset()
            while not self._closed:
                news = self._news
                events = self._since(place)
                if events is None:
                    place = self._number
                    yield self._reset()
                    continue
                for event in events:
                    yield self._written(event)
                    place = event.number
                if not events:
                    with anyio.move_on_after(KEEP_ALIVE):
                        await news.wait()
                        continue
                    yield b": still here\n\n"
        finally:
            self._readers -= 1
            if not self._readers:
                self._watched = anyio.Event()

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def _place(self, last_event_id: str) -> int | None:
        """Return the place of an event's id; None for one that is not of this start, or no longer there."""
        boot, _, number = last_event_id.partition("-")
        if boot != self._boot or not number.isascii() or not number.isdecimal() or len(number) > 18:
            return None
        place = int(number)
        return place if self._since(place) is not None else None

    def _since(self, place: int) -> list[Event] | None:
        """Return the events behind a place, None when some of them have left the ring."""
        missed = self._number - place
        if missed < 0 or missed > len(self._ring):
            return None
        return [self._ring[index] for index in range(len(self._ring) - missed, len(self._ring))]

    def _reset(self) -> bytes:
        return self._written(Event(self._number, "reset", b'{"open": %d}' % self.open))

    def _written(self, event: Event) -> bytes:
        head = f"event: {event.name}\nid: {self._boot}-{event.number}\ndata: ".encode()
        return head + event.data + b"\n\n"
