"""Mail on its way into the store: all that waits is stored at once, in one transaction.

What we want: a transaction, a write to the disk and a turn in the store's thread cost far more than a mail does. So
many clients at a time share them. What makes it hard: a client that goes away cancels its own mail, never that of the
others. What we do: one task stores batch after batch while there is mail, and each caller waits for its own future.
Work that no caller waits for comes between batches, a piece at a time, when no mail waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from ..protocols import IncomingMail
from .database import StoreError

MAX_MAILS: Final = 100
"""Mails of one batch."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Bytes of the mails of one batch; a larger mail is a batch of its own."""


class Arriving(NamedTuple):
    """A mail that waits. `mailbox`: the only one that it stands in; None lets its own fields name them."""

    mail: IncomingMail
    mailbox: str | None
    stored: asyncio.Future[None]


class Arrivals:
    """The mails that wait. `store`: stores mails, all or none; raises StoreError.

    `copies`: returns how often a mail is stored at most, in each of its mailboxes. A mail for which no batch has the
    room is a batch of its own, of which `store` may store a part before it raises.
    `rest`: does a piece of the work that no mail waits for; returns whether there may be more; raises StoreError.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Arriving]], Awaitable[None]],
        rest: Callable[[], Awaitable[bool]],
        copies: Callable[[IncomingMail], int] = lambda _: 1,
    ) -> None:
        self._store = store
        self._rest = rest
        self._copies = copies
        self._ends = False
        self._waiting: deque[Arriving] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def add(self, mail: IncomingMail, mailbox: str | None = None) -> None:
        """Store a mail with those that wait. Return once it is safe. Raise what `store` raises."""
        loop = asyncio.get_running_loop()
        arrival = Arriving(mail, mailbox, loop.create_future())
        self._waiting.append(arrival)
        self.start()
        await arrival.stored

    def start(self) -> None:
        """Do the rest of the work, also before the first mail."""
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="the inbox stores mail")

    async def finish(self) -> None:
        """Wait until all mail is stored."""
        self._ends = True
        if self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write(self) -> None:
        try:
            while True:
                if batch := self._take():
                    await self._store_all(batch)
                elif self._ends or not await self._more():
                    break
        finally:
            self._writer = None

    async def _more(self) -> bool:
        """Do a piece of the rest. Return whether there is more to do. A fault of the store meets the next mail too."""
        try:
            more = await self._rest()
        except StoreError:
            more = False
        return more or bool(self._waiting)

    def _take(self) -> list[Arriving]:
        batch: list[Arriving] = []
        room = MAX_BYTES
        mails = MAX_MAILS
        while self._waiting:
            arrival = self._waiting[0]
            copies = self._copies(arrival.mail)
            mails -= copies
            room -= copies * len(arrival.mail.content)
            if batch and (mails < 0 or room < 0):
                break
            self._waiting.popleft()
            if not arrival.stored.done():  # its client may have gone away
                batch.append(arrival)
        return batch

    async def _store_all(self, batch: Sequence[Arriving]) -> None:
        """Store a batch. One that fails is stored mail by mail: the fault may be that of one mail."""
        try:
            await self._store(batch)
        except Exception as error:
            if len(batch) > 1:
                for each in batch:
                    await self._store_all([each])
                return
            for each in batch:
                if not each.stored.done():
                    each.stored.set_exception(error)
        else:
            for each in batch:
                if not each.stored.done():
                    each.stored.set_result(None)
