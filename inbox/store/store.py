"""The mail of the inbox: tables in SQLite, bounded in messages and in bytes. Synchronous; for one thread at a time.

A summary is stored as the JSON that the API sends, so that a list is read and sent without decoding. Of the rest only
the session and the message as it arrived are stored: the API parses it anew, and most mail is never opened.
A search reads a slice of the messages at a time, so that mail never waits for more than a slice.

`mailbox`, in every method: the name of the mailbox that it is about; None is about all. A name that no message has
brought yet is that of an empty mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final, TypeVar

import msgspec

from ..records import MessageList, Record, Release, Stored
from . import finding
from .boxes import Boxes
from .database import StoreError, connect, stored_size
from .index import PIECE, Index
from .limits import Limits, by_mailbox
from .marks import with_mark
from .query import EVERYTHING, Query
from .releases import with_release
from .results import Added, Batch, Changed, Found, MailboxInfo
from .rows import Kept, received_at, rows_of
from .selection import BOUNDS, CONTENT, SUMMARY, WORDS, Message, Slice

__all__ = ["LATEST", "Added", "Found", "Store", "StoreError"]

T = TypeVar("T")

LATEST: Final = "latest"
"""Stands for the id of the newest message."""
MAX_LIST: Final = 4 * 1024 * 1024
"""Bytes of the summaries in one part of the list. A larger summary is alone in its part."""
INDEXED_FROM: Final = 2000
"""Messages from which on they are indexed. A search reads fewer in some milliseconds."""
UNSAVED: Final = 16
"""Blocks of the index that wait for the next mail's transaction at most."""
CHANGED: Final = 500
"""Messages that one slice deletes or marks at most."""
MAX_MAILBOXES: Final = 1000
"""Mailboxes at most, by default."""


class Store:
    """The messages. `path`: of the database's file, empty for memory. Raises StoreError.

    `max_messages`: of one mailbox; `max_bytes`: of all; 0: not limited. `unindexed`: whether `index` may find a block.
    """

    def __init__(
        self, path: str = "", *, max_messages: int = 0, max_bytes: int = 0, max_mailboxes: int = MAX_MAILBOXES
    ) -> None:
        self._database = connect(path)
        self._boxes = Boxes(self._database)
        with self._database.translated():
            self._index = Index(dict(self._database.execute("SELECT block, bits FROM bitmaps ORDER BY block")))
            self._boxes.load()
        self._limits = Limits(self._database, self._boxes, self._index, max_messages, max_bytes, max_mailboxes)
        self.unindexed = True
        self._change(self._limits.keep_all, deletes=True)  # the limits may be smaller than before

    @property
    def total(self) -> int:
        """The number of all messages."""
        return self._boxes.sum.messages

    @property
    def bytes(self) -> int:
        """The bytes of all messages."""
        return self._boxes.sum.bytes

    @property
    def unread(self) -> int:
        """The number of all unread messages."""
        return self._boxes.sum.unread

    def unread_of(self, mailbox: str) -> int:
        """Return the number of unread messages of a mailbox."""
        return self._boxes.of(mailbox).unread

    def close(self) -> None:
        """Close the database. Idempotent."""
        if self._index.unsaved:
            with suppress(StoreError):
                self._change(self._save_index)
            self._index.unsaved.clear()
        self._database.close()

    def add(self, *records: Record) -> Batch:
        """Store messages in one transaction: all, or none. Each stands in the mailbox of its summary.

        Delete the oldest ones until both limits hold; the newest always stays.
        """
        batch = self._change(lambda: self._insert(records))
        self._index.unsaved.clear()  # they are in the database now
        self.unindexed = self.total >= INDEXED_FROM and self._index.may_lack(batch.added[-1].number)
        return batch

    def mailboxes(self) -> list[MailboxInfo]:
        """Return the mailboxes, the one with the newest message first."""
        newest = "SELECT number, summary FROM messages WHERE mailbox = ? ORDER BY number DESC LIMIT 1"
        found = []
        with self._database.translated():
            for name, box in self._boxes.all.items():
                number, summary = self._database.execute(newest, (box.key,)).fetchone() or (0, None)
                at = None if summary is None else received_at(summary)
                found.append((number, MailboxInfo(name, box.messages, box.unread, box.bytes, at)))
        return [info for _, info in sorted(found, key=lambda each: -each[0])]

    def remove_mailbox(self, mailbox: str) -> bool:
        """Remove a mailbox that is empty. Return whether it was there."""
        box = self._boxes.all.get(mailbox)
        if box is not None and not box.messages:
            self._change(lambda: self._boxes.remove(mailbox))
        return box is not None

    def index(self) -> bool:
        """Index a piece of a complete block. Return whether there was one: call it when no mail waits."""
        self.unindexed = False
        if self.total < INDEXED_FROM:
            return False
        with self._database.translated():
            missing = self._index.missing(*self._database.execute(BOUNDS).fetchone())
            if missing is None:
                return False
            self.unindexed = True
            texts = []
            room = PIECE
            for number, words in self._database.execute(f"{WORDS} ORDER BY number", missing):
                texts.append(words)
                room -= len(words)
                if room <= 0:
                    missing = number, number + 1
                    break
        self._index.add(texts, missing[1])
        if len(self._index.unsaved) >= UNSAVED:
            self._change(self._save_index)
            self._index.unsaved.clear()
        return True

    def list_messages(
        self,
        *,
        limit: int,
        before: int | None = None,
        search: Query = EVERYTHING,
        room: int = MAX_LIST,
        mailbox: str | None = None,
    ) -> MessageList:
        """Return messages that fit `search`, of those with a number below `before`.

        At most `limit`, in about `room` bytes, and those of one slice.
        """
        messages: list[msgspec.Raw] = []
        found = self._slice(search, before, mailbox)
        with self._database.translated():
            for _, summary in found:
                messages.append(msgspec.Raw(summary))
                room -= len(summary)
                found.full = len(messages) == limit or room <= 0
        box = self._boxes.of(mailbox)
        return MessageList(messages, found.next, box.messages, box.bytes, box.unread, search.hits)

    def read(self, message_id: str, mailbox: str | None = None) -> Stored | None:
        """Return a whole message, None for an unknown id."""
        with self._database.translated():
            number = self._number(message_id, mailbox)
            if number is None:
                return None
            (kept,) = self._database.execute("SELECT detail FROM details WHERE number = ?", (number,)).fetchone()
            summary = self._database.execute(SUMMARY, (number,)).fetchone()
            (content,) = self._database.execute(CONTENT, (number,)).fetchone()
        detail = msgspec.json.decode(kept, type=Kept)
        return Stored(with_mark(*summary), bytes(detail.session), content, bytes(detail.releases))

    @property
    def last(self) -> int:
        """The number of the newest message so far, 0 for none."""
        with self._database.translated():
            return finding.last(self._database)

    def find(
        self,
        fits: Callable[[Message], bool],
        after: int,
        before: int | None = None,
        *,
        newest: bool = True,
        mailbox: str | None = None,
    ) -> Found:
        """Return a message, as finding.find does."""
        key = self._boxes.key(mailbox)
        with self._database.translated():
            return finding.find(self._database, fits, after, before, newest=newest, mailbox=key)

    def latest(self, after: int, count: int, mailbox: str | None = None) -> list[Message]:
        """Return the newest messages with a number above `after`, at most `count`, the oldest first."""
        with self._database.translated():
            return finding.latest(self._database, after, count, self._boxes.key(mailbox))

    def delete(self, message_id: str, mailbox: str | None = None) -> Changed:
        """Delete a message. An unknown id changes none."""

        def work() -> Changed:
            number = self._number(message_id, mailbox)
            return Changed(self._limits.remove(self._limits.rows([] if number is None else [number])))

        deleted = self._change(work, deletes=True)
        self._database.give_back()
        return deleted

    def delete_many(
        self,
        chosen: Query | Collection[str] = EVERYTHING,
        before: int | None = None,
        mailbox: str | None = None,
    ) -> Changed:
        """Delete the messages that are chosen by their ids, or that fit a search and have a number below `before`.

        A search: those of one slice.
        """

        def work() -> Changed:
            numbers, last = self._chosen(chosen, before, mailbox)
            return Changed(self._limits.remove(self._limits.rows(numbers)), last)

        return self._change(work, deletes=True)

    def is_oldest_before(self, instant: str) -> bool:
        """Return whether the oldest message has arrived before a time, written as a summary has it."""
        with self._database.translated():
            oldest = self._database.execute("SELECT summary FROM messages ORDER BY number LIMIT 1").fetchone()
        return oldest is not None and received_at(*oldest) < instant

    def delete_older(self, instant: str) -> Changed:
        """Delete messages from the oldest on that have arrived before a time: CHANGED at most."""

        def work() -> Changed:
            oldest = self._database.execute("SELECT number, summary FROM messages ORDER BY number LIMIT ?", (CHANGED,))
            older = [number for number, _ in takewhile(lambda row: received_at(row[1]) < instant, oldest.fetchall())]
            return Changed(by_mailbox(self._limits.drop(self._limits.rows(older))))

        return self._change(work, deletes=True)

    def mark(
        self,
        read: bool,
        chosen: Query | Collection[str] = EVERYTHING,
        before: int | None = None,
        mailbox: str | None = None,
    ) -> Changed:
        """Mark messages as read or unread. Which ones: as in `delete_many`."""

        def work() -> Changed:
            numbers, last = self._chosen(chosen, before, mailbox)
            statement = "INSERT OR IGNORE INTO read VALUES (?)" if read else "DELETE FROM read WHERE number = ?"
            marked = [number for number in numbers if self._database.execute(statement, (number,)).rowcount]
            rows = self._limits.rows(marked)
            for row in rows:
                self._boxes.count(row.mailbox, unread=-1 if read else 1)
            return Changed(by_mailbox(rows), last)

        return self._change(work)

    def mark_all(self, read: bool) -> int:
        """Mark every message of every mailbox as read or unread. Return how many have changed."""

        def work() -> int:
            everything = "INSERT OR IGNORE INTO read SELECT number FROM messages"
            changed = self._database.execute(everything if read else "DELETE FROM read").rowcount
            for name, box in list(self._boxes.all.items()):
                self._boxes.count(name, unread=(0 if read else box.messages) - box.unread)
            return changed

        return self._change(work)

    def add_release(self, message_id: str, release: Release) -> bool:
        """Add a release to a message. Return False for an unknown id."""

        def work() -> bool:
            number = self._number(message_id, None)
            if number is None:
                return False
            (before,) = self._database.execute("SELECT detail FROM details WHERE number = ?", (number,)).fetchone()
            detail = with_release(before, release)
            self._database.execute("UPDATE details SET detail = ? WHERE number = ?", (detail, number))
            grown = stored_size(len(detail)) - stored_size(len(before))
            self._database.execute("UPDATE messages SET bytes = bytes + ? WHERE number = ?", (grown, number))
            self._boxes.count(self._limits.rows([number])[0].mailbox, size=grown)
            return True

        return self._change(work)

    def is_below(self, number: int | None) -> bool:
        """Return whether every message has a number below this one, None for no bound."""
        if number is None:
            return True
        with self._database.translated():
            (last,) = self._database.execute("SELECT coalesce(max(number), 0) FROM messages").fetchone()
        return bool(last < number)

    def give_back(self) -> None:
        """Give the room of deleted messages back to the disk."""
        self._database.give_back()

    def clear(self) -> int:
        """Delete every message and every mailbox, and return the number of messages."""

        def work() -> int:
            for table in ("contents", "details", "messages", "bitmaps", "read"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
            count = self.total
            self._boxes.clear()
            return count

        count = self._change(work, deletes=True)
        self._index.clear()
        self._database.give_back()
        return count

    def _slice(self, search: Query, before: int | None, mailbox: str | None) -> Slice:
        return Slice(self._database, self._index, search, before, self._boxes.key(mailbox))

    def _chosen(
        self, chosen: Query | Collection[str], before: int | None, mailbox: str | None
    ) -> tuple[list[int], int | None]:
        """Return the numbers of the messages that a change is for, and where the next slice begins."""
        if not isinstance(chosen, Query):
            found = (self._number(each, mailbox) for each in chosen)
            return list(dict.fromkeys(each for each in found if each is not None)), None
        numbers = []
        part = self._slice(chosen, before, mailbox)
        for number, _ in part:
            numbers.append(number)
            part.full = len(numbers) == CHANGED
        return numbers, part.next

    def _number(self, message_id: str, mailbox: str | None) -> int | None:
        """Return the number of a message, None for an unknown id."""
        of = [] if mailbox is None else [self._boxes.of(mailbox).key]
        latest = f"SELECT max(number) FROM messages{' WHERE mailbox = ?' * len(of)}"  # noqa: S608 - our own words
        by_id = f"SELECT number FROM messages WHERE id = ?{' AND mailbox = ?' * len(of)}"  # noqa: S608
        execute = self._database.execute
        found = (execute(latest, of) if message_id == LATEST else execute(by_id, (message_id, *of))).fetchone()
        return found[0] if found else None

    def _insert(self, records: Sequence[Record]) -> Batch:
        execute = self._database.execute
        gone = self._limits.make_mailboxes({each.summary.mailbox for each in records})
        (last,) = execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        new: dict[str, int] = {}
        for record in records:
            new[record.summary.mailbox] = new.get(record.summary.mailbox, 0) + 1
        rows = [
            rows_of(number, record, self._boxes.all[record.summary.mailbox].key)
            for number, record in enumerate(records, last + 1)
        ]
        gone += self._limits.evict(new, sum(each.size for each in rows))  # before: so the new ones take their pages
        insert = self._database.execute_many
        insert("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", [each.message for each in rows])
        insert("INSERT INTO details VALUES (?, ?, ?)", [each.detail for each in rows])
        insert("INSERT INTO contents VALUES (?, ?, ?)", [each.content for each in rows])
        self._save_index()
        for record, each in zip(records, rows, strict=True):
            self._boxes.count(record.summary.mailbox, 1, 1, each.size)
        added = [Added(number, each.stored) for number, each in enumerate(rows, last + 1)]
        return Batch(added, by_mailbox(gone + self._limits.evict(dict.fromkeys(new, 0))))

    def _save_index(self) -> None:
        rows = list(self._index.unsaved.items())
        self._database.execute_many("INSERT OR REPLACE INTO bitmaps VALUES (?, ?)", rows)

    def _change(self, work: Callable[[], T], *, deletes: bool = False) -> T:
        """Run a transaction; the counts belong to it."""
        before = self._boxes.kept()

        def begin() -> T:
            self._boxes.restore(before)
            result = work()
            self._boxes.save()
            return result

        try:
            return self._database.change(begin, deletes=deletes)
        except BaseException:
            self._boxes.restore(before)
            with suppress(StoreError), self._database.translated():
                self._boxes.load()  # a change in a removed file is there, and not kept
            raise
