"""The inbox for the host's event loop: the store in a thread, and the feed of its events.

A lock lets one operation run at a time, so the feed has the events in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec

from .feed import Feed
from .protocols import IncomingMail
from .records import AttachmentInfo, Detail, MessageList, Summary, record_of
from .store import Store

R = TypeVar("R")


class Mailbox:
    """The messages and the feed. Every method may raise StoreError."""

    def __init__(self, store: Store) -> None:
        self.feed = Feed()
        self._store = store
        self._lock = anyio.Lock()
        # Its own limiter: in the shared one, threads that wait for this thread could take every slot.
        self._thread = anyio.CapacityLimiter(1)

    @classmethod
    async def open(cls, path: str, *, max_messages: int, max_bytes: int) -> Mailbox:
        """Open the store. Raises StoreError."""

        def opened() -> Store:
            return Store(path, max_messages=max_messages, max_bytes=max_bytes)

        return cls(await anyio.to_thread.run_sync(opened))

    async def aclose(self) -> None:
        """Close the feed, then the store once the running operation has ended."""
        self.feed.close()
        async with self._lock:
            await self._in_thread(self._store.close)

    async def add(self, mail: IncomingMail) -> None:
        """Store a mail. Returns once it is safe."""
        async with self._lock:
            added = await self._in_thread(lambda: self._store.add(record_of(mail)))
            self.feed.publish("message", added.summary)
            if added.evicted:
                self._publish_deleted(*added.evicted)

    async def list_messages(self, *, limit: int, before: int | None, search: str) -> MessageList:
        """Return a part of the list; see Store.list_messages."""
        return await self._run(lambda: self._store.list_messages(limit=limit, before=before, search=search))

    async def detail(self, message_id: str) -> bytes | None:
        """Return a whole message as JSON, None for an unknown id."""
        return await self._run(lambda: self._store.detail(message_id))

    async def decoded(self, message_id: str) -> Detail | None:
        """Return a whole message, None for an unknown id."""
        return await self._run(lambda: self._store.decoded(message_id))

    async def raw(self, message_id: str) -> bytes | None:
        """Return a message as it arrived, None for an unknown id."""
        return await self._run(lambda: self._store.raw(message_id))

    async def attachment(self, message_id: str, number: int) -> tuple[AttachmentInfo, bytes] | None:
        """Return an attachment by its number, from 1; None for an unknown one."""
        return await self._run(lambda: self._store.attachment(message_id, number))

    async def wait(self, fits: Callable[[Summary], bool], timeout: float, after: int = 0) -> bytes | None:
        """Return the newest message that fits and has a number above `after`, as JSON. Wait for one if need be.

        None after `timeout` seconds, or when the feed closes.
        """
        newest = after
        with anyio.move_on_after(timeout):
            while not self.feed.closed:
                news = self.feed.news
                with anyio.CancelScope(shield=True):  # with a timeout of 0 it reads once, too
                    found = await self._run(partial(self._store.find, fits, newest))
                if found.detail is not None:
                    return found.detail
                newest = found.number
                await news.wait()
        return None

    async def delete(self, message_id: str) -> bool:
        """Delete a message. Return False for an unknown id."""
        async with self._lock:
            deleted = await self._in_thread(lambda: self._store.delete(message_id))
            if deleted is not None:
                self.feed.forget(deleted)
                self._publish_deleted(deleted)
        return deleted is not None

    async def clear(self) -> int:
        """Delete every message and return their number."""
        async with self._lock:
            count = await self._in_thread(self._store.clear)
            self.feed.forget()
            self.feed.publish("cleared")
        return count

    async def _run(self, work: Callable[[], R]) -> R:
        async with self._lock:
            return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        return await anyio.to_thread.run_sync(work, limiter=self._thread)

    def _publish_deleted(self, *ids: str) -> None:
        self.feed.publish("deleted", msgspec.json.encode({"ids": ids}))
