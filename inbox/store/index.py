"""The index of a search: for each block of messages, which runs of three letters their words have.

What we want: a search finds a part of a word, and one that finds nothing ends soon, also at 100,000 messages. What does
not work: SQLite's FTS5 with trigrams, which takes many times the time of the rest of a message. What we do: a block of
messages has a bitmap with a bit for each run of three letters. A search reads the blocks that have all the runs of its
words. Most words of a block are known from its other messages, so a message costs little. A bitmap has too much at
worst: a search always compares the text itself.
What can still fail: a word of one or two letters reads every block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from zlib import crc32

BLOCK: Final = 128
"""Messages of a block, by their numbers."""
BITS: Final = 1 << 16
"""Bits of a bitmap. A block of varied mail sets a twentieth of them."""
MAX_TOKENS: Final = 100_000
"""Words of the newest block that are remembered."""

RUN: Final = 3
_Run = tuple[str, str, str]


class Index:
    """The bitmaps. `full`: of the blocks that are complete.

    A block has a bitmap from its first message on, or none: then it is always read.

    `complete`: blocks that have become complete and are not stored yet, with their bitmaps.
    """

    def __init__(self, full: Mapping[int, bytes]) -> None:
        self._full = {block: int.from_bytes(bits, "little") for block, bits in full.items()}
        self.complete: dict[int, bytes] = {}
        self._open = -1  # the newest block, and all that is known of it
        self._bits = bytearray()
        self._tokens: set[str] = set()
        self._runs: set[_Run] = set()

    def resume(self, messages: Sequence[tuple[int, str]]) -> None:
        """Add all messages of the newest block, which a file has: their numbers and words."""
        if messages:
            self._begin(messages[0][0] // BLOCK)
        for number, words in messages:
            self.add(number, words)

    def add(self, number: int, words: str) -> None:
        """Add the words of a message. Numbers grow by one; some may come again, with other words."""
        block = number // BLOCK
        if block != self._open:
            if self._open >= 0:
                self._full[self._open] = self._bits_of_open()
                self.complete[self._open] = bytes(self._bits)
            if number % BLOCK:  # its first messages are not known
                self._full.pop(block, None)
                self.complete.pop(block, None)
                self._open = -1
                return
            self._begin(block)
        new = set(words.split()) - self._tokens
        if len(self._tokens) < MAX_TOKENS:
            self._tokens |= new
        text = " ".join(new)
        runs = set(zip(text, text[1:], text[2:], strict=False)) - self._runs
        self._runs |= runs
        for run in runs:
            bit = _bit(run)
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def forget(self, before: int) -> int:
        """Drop the blocks whose messages all have numbers below `before`; return the first block that stays."""
        first = before // BLOCK
        self._full = {block: bits for block, bits in self._full.items() if block >= first}
        self.complete = {block: bits for block, bits in self.complete.items() if block >= first}
        return first

    def ranges(self, words: Iterable[str], low: int, high: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of numbers to read, from `high`, not included, down to `low`."""
        wanted = 0
        for word in words:
            for run in zip(word, word[1:], word[2:], strict=False):
                wanted |= 1 << _bit(run)
        for block in range((high - 1) // BLOCK, low // BLOCK - 1, -1):
            bits = self._bits_of_open() if block == self._open else self._full.get(block)
            if bits is None or bits & wanted == wanted:
                yield max(low, block * BLOCK), min(high, (block + 1) * BLOCK)

    def _begin(self, block: int) -> None:
        self._open = block
        self._bits = bytearray(self._full.pop(block, 0).to_bytes(BITS // 8, "little"))
        self._tokens = set()
        self._runs = set()

    def _bits_of_open(self) -> int:
        return int.from_bytes(self._bits, "little")


def _bit(run: _Run) -> int:
    """Return the bit of a run: the same in every process, for the bitmaps in a file."""
    return crc32("".join(run).encode("utf-8", "surrogatepass")) % BITS
