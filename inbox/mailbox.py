"""The inbox as the host's loop sees it: the store behind a lock and in a thread, and what happens told to the feed.

One operation runs at a time, so what the feed tells is in the order in which it happened.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
import msgspec

from .feed import Feed
from .protocols import IncomingMail
from .records import AttachmentInfo, Detail, Summary, record
from .store import Page, Store

P = ParamSpec("P")
R = TypeVar("R")


class Mailbox:
    """The messages and the feed. Every method may raise StoreError."""

    def __init__(self, store: Store) -> None:
        self.feed = Feed()
        self._store = store
        self._lock = anyio.Lock()
        # Its own: others' threads, which may wait for this one, must not take the last.
        self._thread = anyio.CapacityLimiter(1)

    @classmethod
    async def open(cls, path: str, *, max_messages: int, max_bytes: int) -> Mailbox:
        """Open the store. Raises StoreError."""

        def opened() -> Store:
            return Store(path, max_messages=max_messages, max_bytes=max_bytes)

        return cls(await anyio.to_thread.run_sync(opened))

    async def aclose(self) -> None:
        """Close the store, behind what still runs."""
        self.feed.close()
        async with self._lock:
            await self._in_thread(self._store.close)

    async def add(self, mail: IncomingMail) -> None:
        """Keep a mail, and return when it is kept."""
        async with self._lock:
            added = await self._in_thread(lambda: self._store.add(record(mail)))
            self.feed.publish("message", added.summary)
            if added.evicted:
                self._tell_deleted(*added.evicted)

    async def page(self, *, limit: int, before: int | None, search: str) -> Page:
        """Return a part of the list; see Store.page."""
        return await self._run(lambda: self._store.page(limit=limit, before=before, search=search))

    async def detail(self, message_id: str) -> bytes | None:
        """Return a message as JSON, None for none."""
        return await self._run(lambda: self._store.detail(message_id))

    async def decoded(self, message_id: str) -> Detail | None:
        """Return a message, None for none."""
        return await self._run(lambda: self._store.decoded(message_id))

    async def raw(self, message_id: str) -> bytes | None:
        """Return a message as it came, None for none."""
        return await self._run(lambda: self._store.raw(message_id))

    async def attachment(self, message_id: str, number: int) -> tuple[AttachmentInfo, bytes] | None:
        """Return an attachment, None for none."""
        return await self._run(lambda: self._store.attachment(message_id, number))

    async def wait(self, fits: Callable[[Summary], bool], timeout: float, after: int = 0) -> bytes | None:
        """Return the newest message that fits and has a number above `after`, as JSON; wait for one.

        None when `timeout` seconds are over, or when the feed closes.
        """
        place = after
        with anyio.move_on_after(timeout):
            while not self.feed.closed:
                news = self.feed.news
                with anyio.CancelScope(shield=True):  # a timeout of 0 looks once
                    found = await self._run(partial(self._store.find, fits, place))
                if found.detail is not None:
                    return found.detail
                place = found.number
                await news.wait()
        return None

    async def delete(self, message_id: str) -> bool:
        """Forget a message; say whether there was one."""
        async with self._lock:
            deleted = await self._in_thread(lambda: self._store.delete(message_id))
            if deleted is not None:
                self.feed.forget(deleted)
                self._tell_deleted(deleted)
        return deleted is not None

    async def clear(self) -> int:
        """Forget every message and return how many they were."""
        async with self._lock:
            count = await self._in_thread(self._store.clear)
            self.feed.forget()
            self.feed.publish("cleared")
        return count

    async def _run(self, look: Callable[[], R]) -> R:
        async with self._lock:
            return await self._in_thread(look)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        return await anyio.to_thread.run_sync(work, limiter=self._thread)

    def _tell_deleted(self, *ids: str) -> None:
        told: dict[str, Any] = {"ids": ids}
        self.feed.publish("deleted", msgspec.json.encode(told))
