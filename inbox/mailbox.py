"""The inbox for the host's event loop: the store in a thread, and the feed of its events.

A lock lets one operation run at a time, so the feed has the events in their order. Mail goes first: each other
operation takes a second lock before it, so at most one of them is before a mail. A search and the scan of a `wait`
give the locks back after each slice of the messages. A waiting request reads the messages once; `add` brings it the
later ones.

`mailbox`, in every method: the name of the mailbox that it is about, as `mailbox_name` returns it; None is about all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.to_thread
import msgspec

from ..container.heap import HEAP
from ..mime.mailboxes import MailboxBy
from ..mime.message import Message
from .feed import Feed, room_of_feed
from .protocols import IncomingMail, IncomingRefusal
from .records import MessageList, Record, Release, Stored, instant, records_of
from .refusals import MAX_REFUSALS, Refusals, room_of_refusals
from .store.arrivals import LARGE, MAX_BYTES, MAX_MAILS, MAX_UNREAD_BYTES, Arrivals, Arriving, Unread
from .store.query import EVERYTHING, Query
from .store.results import Batch, Changed, Ids, MailboxInfo
from .store.store import MAX_LIST, MAX_MAILBOXES, Store
from .waiting import Arrival, Waiter, Waits

R = TypeVar("R")
Incoming = tuple[IncomingMail, Record]

MAX_SLICES: Final = 100
"""Slices of one search: about two seconds. An answer that ends earlier says where the next one begins."""


ONE_MAILBOX: Final = MailboxBy()
PARSERS: Final = 2
"""Large mails that are parsed at the same time."""


class Mailbox:
    """The messages, the refusals, and the feed. Every method may raise StoreError."""

    def __init__(
        self,
        store: Store,
        feed: Feed | None = None,
        refusals: Refusals | None = None,
        by: MailboxBy = ONE_MAILBOX,
        unread: Unread | None = None,
    ) -> None:
        self._by = by
        self.feed = feed or Feed()
        self.refusals = refusals or Refusals()
        self._store = store
        self._arrivals = Arrivals(self._store_mails, self._index, self._copies, unread, self._has_readers)
        self.waits = Waits(store, self._run, self.all_stored)
        self.feed.on_first_reader = self._arrivals.start
        self._turn = anyio.Lock()
        self._turn_of_others = anyio.Lock()
        # Its own limiter: in the shared one, threads that wait for this thread could take every slot.
        self._thread = anyio.CapacityLimiter(1)
        self._until_stop: set[anyio.CancelScope] = set()
        self._parsers = anyio.CapacityLimiter(PARSERS)

    @classmethod
    async def open(
        cls,
        path: str,
        *,
        max_messages: int,
        max_bytes: int,
        max_mailboxes: int = MAX_MAILBOXES,
        by: MailboxBy = ONE_MAILBOX,
    ) -> Mailbox:
        """Open the store. The feed and the refusals share a part of `max_bytes`. Raises StoreError."""
        room = room_of_feed(max_bytes)
        refusals = Refusals(min(MAX_REFUSALS, max_messages or MAX_REFUSALS), room_of_refusals(room))

        def opened() -> Store:
            bound = max_bytes and max_bytes - room
            return Store(path, max_messages=max_messages, max_bytes=bound, max_mailboxes=max_mailboxes)

        store = await anyio.to_thread.run_sync(opened)
        unread = None
        if not path and by == ONE_MAILBOX:  # what is lost with the host needs no store before it is read
            unread = Unread(max_messages, min(MAX_UNREAD_BYTES, max_bytes // 16 or MAX_UNREAD_BYTES))
        mailbox = cls(store, Feed(room - room_of_refusals(room)), refusals, by, unread)
        mailbox._arrivals.start()  # a file of an earlier rrpy is not indexed yet
        return mailbox

    def stop(self) -> None:
        """End the streams, the requests that wait, and the work of `until_stop`."""
        self.feed.close()
        self.waits.close()
        for scope in self._until_stop:
            scope.cancel()

    @contextmanager
    def until_stop(self) -> Iterator[anyio.CancelScope]:
        """Cancel the block when the host stops."""
        with anyio.CancelScope() as scope:
            self._until_stop.add(scope)
            try:
                yield scope
            finally:
                self._until_stop.discard(scope)

    async def aclose(self) -> None:
        """Stop, then close the store once the running operation has ended."""
        self.stop()
        await self._arrivals.finish()
        async with self._turn:
            await self._in_thread(self._store.close)

    async def all_stored(self) -> None:
        """Return when the feed has each mail until now: what a stream then sends is news."""
        await self._arrivals.all_stored()

    async def add(self, mail: IncomingMail, mailbox: str | None = None) -> None:
        """Store a mail. Returns once it is safe. A large one is parsed before its turn, so that no other waits.

        `mailbox`: the only one that it stands in; None lets the setting `mailbox_by` name its mailboxes.
        """
        if len(mail.content) > LARGE:
            await anyio.to_thread.run_sync(lambda: mail.message, limiter=self._parsers)
        await self._arrivals.add(mail, mailbox)

    async def _store_mails(self, arrivals: Sequence[Arriving]) -> None:
        of_mails: list[list[Record]] = []
        rest: list[Incoming] = []

        def stored() -> tuple[Sequence[Incoming], Batch]:
            nonlocal rest
            if not of_mails:
                of_mails.extend(records_of(each.mail, self._by, each.mailbox) for each in arrivals)
                rest = [(each.mail, one) for each, records in zip(arrivals, of_mails, strict=True) for one in records]
            piece, rest = _first_piece(rest)  # all of them, except for one mail in many mailboxes
            return piece, self._store.add(*(record for _, record in piece))

        while rest or not of_mails:
            if of_mails:
                await self._arrivals.let_others_in()
            async with self._turn:
                piece, batch = await self._in_thread(stored)
                for (mail, record), added in zip(piece, batch.added, strict=True):
                    mailbox = record.summary.mailbox
                    self.feed.publish("message", added.message.summary, frozenset((mailbox,)))
                    if waiters := self.waits.interested(added.number, mailbox):
                        new = Arrival(record.summary, added.message, added.number, partial(_message_of, mail))
                        await self._offer(new, waiters)
                self._publish_deleted(batch.gone)
        for arrival, of_mail in zip(arrivals, of_mails, strict=True):
            if arrival.mail.code >= 400:
                mailboxes = frozenset(record.summary.mailbox for record in of_mail)
                self.feed.publish("refusal", self.refusals.add_message(arrival.mail, mailboxes), mailboxes)

    async def _offer(self, new: Arrival, waiters: Sequence[Waiter]) -> None:
        """Offer a new message to requests that wait."""
        find = partial(new.fitting, waiters)
        slow = any(each.is_slow for each in waiters)
        new.offer(await self._in_thread(find) if slow else find())

    def _has_readers(self) -> bool:
        """Return whether a stream or a request waits for new mail."""
        return self.feed.has_readers or self.waits.is_waited_for

    def _copies(self, mail: IncomingMail) -> int:
        """Return in how many mailboxes a mail stands at most."""
        return len(mail.to) or 1 if self._by.by_recipients else 1

    async def _index(self) -> bool:
        """Index a block of messages."""
        if not self._store.unindexed:
            return False
        async with self._turn:
            return await self._in_thread(self._store.index)

    def refuse(self, refusal: IncomingRefusal) -> None:
        """Keep a refusal, in the mailboxes of its message as far as that is known."""
        names = frozenset(self._by.names(refusal.username, refusal.to, lambda _: ""))
        self.feed.publish("refusal", self.refusals.add(refusal, names), names)

    def clear_refusals(self, mailbox: str | None = None) -> int:
        """Drop refusals, and return their number. Messages stay, and so do the refusals of other mailboxes."""
        count = self.refusals.clear(mailbox)
        self.feed.forget_refusals(mailbox)
        self.feed.publish("refusals_cleared", mailboxes=None if mailbox is None else frozenset((mailbox,)))
        return count

    async def mailboxes(self) -> list[MailboxInfo]:
        """Return the mailboxes, the one with the newest message first."""
        return await self._run(self._store.mailboxes)

    async def delete_mailbox(self, mailbox: str) -> bool:
        """Delete a mailbox, its messages and its refusals. Return False for an unknown one. DEFAULT stays, empty."""
        await self.delete_many(EVERYTHING, None, mailbox)
        self.clear_refusals(mailbox)
        return await self._run(lambda: self._store.remove_mailbox(mailbox))

    async def list_messages(
        self, *, limit: int, before: int | None, search: Query = EVERYTHING, mailbox: str | None = None
    ) -> MessageList:
        """Return a part of the list, as Store.list_messages does, from up to MAX_SLICES slices."""
        messages: list[msgspec.Raw] = []
        room = MAX_LIST
        for _ in range(MAX_SLICES):
            part = await self._run(
                partial(
                    self._store.list_messages,
                    limit=limit - len(messages),
                    before=before,
                    search=search,
                    room=room,
                    mailbox=mailbox,
                )
            )
            messages += part.messages
            room -= sum(len(memoryview(each)) for each in part.messages)
            before = part.next
            if before is None or len(messages) == limit or room <= 0:
                break
        return MessageList(messages, before, part.total, part.bytes, part.unread, search.hits)

    async def read(self, message_id: str, mailbox: str | None = None) -> Stored | None:
        """Return a whole message, None for an unknown id."""
        message = await self._run(lambda: self._store.read(message_id, mailbox))
        if message is not None:
            HEAP.freed(len(message.content))  # the answer with these bytes ends soon
        return message

    async def delete(self, message_id: str, mailbox: str | None = None) -> bool:
        """Delete a message. Return False for an unknown id."""
        async with self._turn_to_read():
            before = self._store.bytes
            deleted = await self._in_thread(lambda: self._store.delete(message_id, mailbox))
            HEAP.freed(before - self._store.bytes)
            self.feed.forget(deleted.ids)
            self._publish_deleted(deleted.of)
        return bool(deleted.ids)

    async def clear(self) -> int:
        """Delete every message and return their number."""
        async with self._turn_to_read():
            before = self._store.bytes
            count = await self._in_thread(self._store.clear)
            HEAP.freed(before - self._store.bytes)
            self.feed.forget()
            self.feed.publish("cleared")
        return count

    async def delete_many(self, chosen: Query | Collection[str], before: int | None, mailbox: str | None = None) -> int:
        """Delete messages, as Store.delete_many does, slice by slice to the end. Return their number."""
        if mailbox is None and chosen == EVERYTHING and await self._run(partial(self._store.is_below, before)):
            return await self.clear()

        def deleted() -> Changed:
            return self._store.delete_many(chosen, before, mailbox)

        count = 0
        while True:
            async with self._turn_to_read():
                room = self._store.bytes
                changed = await self._in_thread(deleted)
                HEAP.freed(room - self._store.bytes)
                if changed.ids:
                    self.feed.forget(changed.ids)
                    self._publish_deleted(changed.of)
            count += len(changed.ids)
            before = changed.next
            if before is None:
                break
        await self._run(self._store.give_back)
        return count

    async def delete_older(self, than: float) -> int:
        """Delete the oldest messages, up to the first that has arrived since a time. Return their number.

        `than`: seconds since 1970.
        """
        before = instant(max(than, 0.0))
        count = 0
        while True:
            async with self._turn_to_read():
                if not await self._in_thread(partial(self._store.is_oldest_before, before)):
                    break
                room = self._store.bytes
                deleted = await self._in_thread(partial(self._store.delete_older, before))
                HEAP.freed(room - self._store.bytes)
                self.feed.forget(deleted.ids)
                self._publish_deleted(deleted.of)
                count += len(deleted.ids)
        if count:
            await self._run(self._store.give_back)
        return count

    async def mark(
        self, read: bool, chosen: Query | Collection[str], before: int | None, mailbox: str | None = None
    ) -> int:
        """Mark messages, as Store.mark does, slice by slice to the end. Return how many have changed."""
        if mailbox is None and chosen == EVERYTHING and before is None:
            async with self._turn_to_read():
                count = await self._in_thread(lambda: self._store.mark_all(read))
                self._publish_all_marked(read)
            return count

        def marked() -> Changed:
            return self._store.mark(read, chosen, before, mailbox)

        count = 0
        while True:
            async with self._turn_to_read():
                changed = await self._in_thread(marked)
                for name, ids in changed.of.items():
                    self._publish_marked(read, name, ids)
            count += len(changed.ids)
            before = changed.next
            if before is None:
                return count

    async def add_release(self, message_id: str, release: Release) -> None:
        """Keep the result of a release on its message, where that is not deleted meanwhile."""
        async with self._turn_to_read():
            if await self._in_thread(lambda: self._store.add_release(message_id, release)):
                self.feed.publish("released", msgspec.json.encode({"id": message_id, "release": release}))

    @asynccontextmanager
    async def _turn_to_read(self) -> AsyncIterator[None]:
        """Hold the turn inside the block, with all mail in the store."""
        await self.all_stored()
        async with self._turn_of_others, self._turn:
            yield

    async def _run(self, work: Callable[[], R]) -> R:
        async with self._turn_to_read():
            return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        return await anyio.to_thread.run_sync(work, limiter=self._thread)

    def _publish_marked(self, read: bool, mailbox: str, ids: Sequence[str]) -> None:
        data = {"ids": ids, "read": read, "unread": self._store.unread}
        own = data | {"unread": self._store.unread_of(mailbox)}
        self.feed.publish("read", msgspec.json.encode(data), frozenset((mailbox,)), msgspec.json.encode(own))

    def _publish_all_marked(self, read: bool) -> None:
        data = {"ids": None, "read": read, "unread": self._store.unread}
        own = data | {"unread": 0 if read else None}  # of every message of the mailbox
        self.feed.publish("read", msgspec.json.encode(data), None, msgspec.json.encode(own))

    def _publish_deleted(self, of: Ids) -> None:
        for mailbox, ids in of.items():
            self.feed.publish("deleted", msgspec.json.encode({"ids": ids}), frozenset((mailbox,)))


def _first_piece(records: list[Incoming]) -> tuple[list[Incoming], list[Incoming]]:
    """Return the records of one transaction, and the others."""
    size = 0
    for count, (mail, _) in enumerate(records):
        size += len(mail.content)
        if count and (count == MAX_MAILS or size > MAX_BYTES):
            return records[:count], records[count:]
    return records, []


def _message_of(mail: IncomingMail) -> Message:
    return mail.message
