"""One slice of a search: the messages that fit, newest first, read as far as the search needs them. Synchronous."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from time import thread_time
from typing import Final

import msgspec

from ...mime import message as mime_message
from ..records import Summary
from .database import Database
from .index import Index
from .marks import IS_READ, with_mark
from .query import Query

now: Final = thread_time
"""The clock of a slice: the CPU time of the store's thread, which other programs do not shorten."""
SLICE: Final = 0.02
"""Seconds of one slice, for which new mail waits. It ends with the message under way."""
FIRST: Final = 2**63 - 1
"""A number above that of every message."""

SUMMARY: Final = f"SELECT summary, {IS_READ.format('messages')} FROM messages WHERE number = ?"  # noqa: S608
"""The columns of `marks.with_mark`, for a number."""
CONTENT: Final = "SELECT content FROM contents WHERE number = ? AND part = 0"
"""The message as it arrived."""
BOUNDS: Final = """
SELECT coalesce((SELECT min(number) FROM messages), 0), coalesce((SELECT max(number) FROM messages), 0)
"""
"""The first and the last number. SQLite finds each without a scan, and the two in one SELECT with one."""
_LIST: Final = f"SELECT number, summary, {IS_READ.format('messages')} FROM messages WHERE number < ?"  # noqa: S608
WORDS: Final = "SELECT number, words FROM details WHERE number >= ? AND number < ?"
"""The words of a range of messages."""
_WORDS_OF: Final = """
SELECT number, words FROM messages JOIN details USING (number) WHERE mailbox = ? AND number >= ? AND number < ?
"""


class Slice:
    """The messages of a slice that fit, with a number below `before`: numbers, with summaries as JSON.

    `mailbox`: the key of the mailbox that they are in, None for all mailboxes.
    `full`: set it to end the slice early. `next`: the value of `before` for the next slice; None once there are no more
    messages.
    """

    def __init__(
        self, database: Database, index: Index, search: Query, before: int | None, mailbox: int | None
    ) -> None:
        self._database = database
        self._mailbox = mailbox
        self._index = index
        self._search = search
        self.next: int | None = FIRST if before is None else before
        self.full = False

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        ends = now() + SLICE
        started = False
        for message in self._messages(FIRST if self.next is None else self.next):
            if self.full or (started and now() >= ends):
                return
            started = True
            self.next = message.number
            if self._search.fits(message):
                yield message.number, message.json
        self.next = None

    def _messages(self, before: int) -> Iterator[Message]:
        """Yield the messages, newest first, without those that the index excludes."""
        execute = self._database.execute
        of = [] if self._mailbox is None else [self._mailbox]
        if not self._search.tests:
            query = f"{_LIST}{' AND mailbox = ?' * len(of)} ORDER BY number DESC"
            for number, summary, read in execute(query, (before, *of)):
                yield Message(self._database, number, "", with_mark(summary, read))
            return
        first, last = execute(BOUNDS).fetchone()
        query = f"{_WORDS_OF if of else WORDS} ORDER BY number DESC"
        for numbers in self._index.ranges(self._search.needed, first, min(before, last + 1)):
            for number, words in execute(query, (*of, *numbers)):
                yield Message(self._database, number, words)


class Message:
    """A message that may fit, read as the search asks."""

    def __init__(self, database: Database, number: int, words: str, json: bytes = b"") -> None:
        self._database = database
        self._json = json
        self.number = number
        self.words = words

    @property
    def json(self) -> bytes:
        """The summary, as the API sends it."""
        if not self._json:
            self._json = with_mark(*self._database.execute(SUMMARY, (self.number,)).fetchone())
        return self._json

    @cached_property
    def summary(self) -> Summary:
        """The summary."""
        return msgspec.json.decode(self.json, type=Summary)

    @cached_property
    def parsed(self) -> mime_message.Message:
        """The whole message."""
        (content,) = self._database.execute(CONTENT, (self.number,)).fetchone()
        return mime_message.parse(content)
