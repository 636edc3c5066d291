"""Mail on its way into the store: all that waits is stored at once, in one transaction.

What we want: a transaction, a write to the disk and a turn in the store's thread cost far more than a mail does. So
many clients at a time share them. What makes it hard: a client that goes away cancels its own mail, never that of the
others. What we do: one task stores batch after batch while there is mail, and each caller waits for its own future.
Between two batches it waits a moment, until as many mails are there as the first one had: their clients send the next.
Work that no caller waits for comes between batches, a piece at a time, when no mail waits.

To parse a mail takes most of its time, and most mail in memory is never read. So where the memory is the store, a mail
waits unparsed until it is read, and the oldest of many leave without it. A reader calls `all_stored` first.
What can still fail: such a mail that cannot be stored had its 250; the host's log says so.
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


MAX_UNREAD: Final = 1000
"""Mails that wait to be read at most: a reader waits for a tenth of a second then."""
MAX_UNREAD_BYTES: Final = 4 * 1024 * 1024
"""Bytes of them."""
PAUSE: Final = 0.004
"""Seconds that a batch waits for the clients of the last one at most. They send their next mails at the same time."""
UNREAD: Final = 2000
"""Bytes that an unread mail takes beside its content."""
LARGE: Final = 256 * 1024
"""Bytes of a mail above which its parsing may take seconds. It never waits to be read."""


class Arriving(NamedTuple):
    """A mail that waits. `mailbox`: the only one that it stands in; None lets its own fields name them.

    `stored`: what its caller waits for; None where it waits to be read.
    """

    mail: IncomingMail
    mailbox: str | None
    stored: asyncio.Future[None] | None


class Unread(NamedTuple):
    """The limits of the mail that waits to be read.

    `most`: messages that the store keeps, 0 for no limit. `max_bytes`: of those that wait.
    """

    most: int
    max_bytes: int


class Arrivals:
    """The mails that wait. `store`: stores mails, all or none; raises StoreError.

    `copies`: returns how often a mail is stored at most, in each of its mailboxes. A mail for which no batch has the
    room is a batch of its own, of which `store` may store a part before it raises.
    `unread`: set where mail may wait to be read; `has_readers`: returns whether a reader waits for it now.
    `rest`: does a piece of the work that no mail waits for; returns whether there may be more; raises StoreError.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Arriving]], Awaitable[None]],
        rest: Callable[[], Awaitable[bool]],
        copies: Callable[[IncomingMail], int] = lambda _: 1,
        unread: Unread | None = None,
        has_readers: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._rest = rest
        self._copies = copies
        self._limits = unread
        self._has_readers = has_readers
        self._unread = 0
        self._unread_bytes = 0
        self._ends = False
        self._waiting: deque[Arriving | asyncio.Future[None]] = deque()  # a future: the reader of all mail before it
        self._writer: asyncio.Task[None] | None = None
        self._wanted = 0
        self._gathered: asyncio.Future[None] | None = None

    async def add(self, mail: IncomingMail, mailbox: str | None = None) -> None:
        """Store a mail with those that wait. Return once it is safe. Raise what `store` raises."""
        if self._limits is not None and mailbox is None and self._may_wait(mail):
            self._keep_unread(Arriving(mail, mailbox, None), self._limits)
            return
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append(Arriving(mail, mailbox, stored))
        self.start()
        if len(self._waiting) >= self._wanted:
            self._end_pause()
        await stored

    async def all_stored(self) -> None:
        """Return when all mail is stored that waits to be read."""
        if self._unread:
            stored = asyncio.get_running_loop().create_future()
            self._waiting.append(stored)
            self.start()
            self._end_pause()
            await stored

    def start(self) -> None:
        """Do the rest of the work, also before the first mail."""
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="the inbox stores mail")

    async def finish(self) -> None:
        """Wait until all mail is stored."""
        self._ends = True
        self._end_pause()
        if self._writer is not None:
            await asyncio.wait([self._writer])

    def _may_wait(self, mail: IncomingMail) -> bool:
        """Return whether a mail waits to be read. One that is refused is listed at once."""
        idle = self._writer is None and not self._has_readers()
        return idle and mail.code < 400 and len(mail.content) <= LARGE

    def _keep_unread(self, arrival: Arriving, limits: Unread) -> None:
        """Keep a mail until it is read. All that waits is unread."""
        self._waiting.append(arrival)
        self._count_unread(arrival, 1)
        if self._unread > limits.most > 0:
            oldest = self._waiting.popleft()
            assert isinstance(oldest, Arriving)
            self._count_unread(oldest, -1)  # the store would delete it at once
        if self._unread >= MAX_UNREAD or self._unread_bytes > limits.max_bytes:
            self.start()

    def _count_unread(self, arrival: Arriving, by: int) -> None:
        self._unread += by
        self._unread_bytes += by * (UNREAD + len(arrival.mail.content))

    async def _write(self) -> None:
        try:
            while True:
                if batch := self._take():
                    await self._store_all(batch)
                    await self._pause(len(batch))
                elif self._ends or not await self._more():
                    break
        finally:
            self._writer = None

    async def _pause(self, clients: int) -> None:
        """Wait for the next mails of so many clients, so that they share a batch too. One client never waits."""
        if clients > 1 and len(self._waiting) < clients and not self._ends:
            loop = asyncio.get_running_loop()
            self._wanted = clients
            self._gathered = loop.create_future()
            timer = loop.call_later(PAUSE, self._end_pause)
            await self._gathered
            timer.cancel()

    def _end_pause(self) -> None:
        gathered, self._gathered = self._gathered, None
        if gathered is not None and not gathered.done():
            gathered.set_result(None)

    async def _more(self) -> bool:
        """Do a piece of the rest. Return whether there is more to do. A fault of the store meets the next mail too."""
        try:
            more = await self._rest()
        except StoreError:
            more = False
        return more or bool(self._waiting)

    async def let_others_in(self) -> None:
        """Store mails that wait and need no batch of their own: call it between two parts of one that does."""
        if batch := self._take(small=True):
            await self._store_all(batch)

    def _take(self, *, small: bool = False) -> list[Arriving]:
        """Return the mails of one batch. `small`: without those that are a batch of their own, which wait on."""
        batch: list[Arriving] = []
        large: list[Arriving] = []
        room = MAX_BYTES
        mails = MAX_MAILS
        while self._waiting:
            arrival = self._waiting[0]
            if isinstance(arrival, asyncio.Future):
                if batch or small:  # not all mail before it is stored
                    break
                self._waiting.popleft()
                if not arrival.done():
                    arrival.set_result(None)
                continue
            copies = self._copies(arrival.mail)
            size = copies * len(arrival.mail.content)
            if small and (copies > MAX_MAILS or size > MAX_BYTES):
                self._waiting.popleft()
                large.append(arrival)
                continue
            mails -= copies
            room -= size
            if batch and (mails < 0 or room < 0):
                break
            self._waiting.popleft()
            if arrival.stored is None or not arrival.stored.done():  # its client may have gone away
                batch.append(arrival)
        self._waiting.extendleft(reversed(large))
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
            self._end(batch[0], error)
        else:
            for each in batch:
                self._end(each)

    def _end(self, arrival: Arriving, error: Exception | None = None) -> None:
        if arrival.stored is None:
            self._count_unread(arrival, -1)
            if error is not None:
                context = {"message": f"the mail {arrival.mail.id} is lost: it cannot be stored", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
        elif not arrival.stored.done():
            if error is None:
                arrival.stored.set_result(None)
            else:
                arrival.stored.set_exception(error)
