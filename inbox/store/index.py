"""The index of a search: for each block of messages, which runs of three bytes their words have.

What we want: a search finds a part of a word, and one that finds nothing ends soon, also at 100,000 messages. What does
not work: SQLite's FTS5 with trigrams, which takes many times the time of the rest of a message. What we do: a block of
messages has a bitmap with a bit for each run of three bytes. A search reads the blocks that have all the runs of its
words. A block gets its bitmap once it is complete, in pieces, when no mail waits. The words that its messages share
count once, and the runs are found without a loop in Python. A bitmap has too much at worst: a search always compares
the text.
What can still fail: a word of one or two bytes reads every block.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

BLOCK: Final = 128
"""Messages of a block, by their numbers."""
BITS: Final = 1 << 16
"""Bits of a bitmap. A block of varied mail sets a twentieth of them."""
PIECE: Final = 256 * 1024
"""Characters that are indexed at once, in about 20 ms. The last message of a piece may exceed it."""

_SPREAD: Final = 2654435761  # Knuth's multiplicative hash


class Index:
    """The bitmaps of complete blocks. A block without one is always read.

    `unsaved`: blocks that are not stored yet, with their bitmaps.
    """

    def __init__(self, saved: Mapping[int, bytes]) -> None:
        self._bitmaps = {block: int.from_bytes(bits, "little") for block, bits in saved.items()}
        self.unsaved: dict[int, bytes] = {}
        self._begin(0)

    def _begin(self, block: int) -> None:
        """Begin a block. Each one before it has a bitmap, or its messages are deleted."""
        self._block = block
        self._bits = bytearray(BITS // 8)
        self._next = block * BLOCK

    def clear(self) -> None:
        """Drop every block."""
        self._bitmaps.clear()
        self.unsaved.clear()
        self._begin(0)

    def missing(self, first: int, last: int) -> tuple[int, int] | None:
        """Return the numbers of the next messages to add, up to the end of their block; None for no complete block.

        `first`, `last`: numbers of messages.
        """
        block = max(self._block, first // BLOCK)
        while block in self._bitmaps:
            block += 1
        if block != self._block:
            self._begin(block)
        return (self._next, (block + 1) * BLOCK) if self.may_lack(last) else None

    def may_lack(self, last: int) -> bool:
        """Return whether `missing` may find a block."""
        return self._block < (last + 1) // BLOCK

    def add(self, texts: Iterable[str], end: int) -> None:
        """Add the words of the messages that `missing` has named, of those with a number below `end`."""
        for bit in bits_of(texts):
            self._bits[bit >> 3] |= 1 << (bit & 7)
        self._next = end
        if end == (self._block + 1) * BLOCK:
            bits = bytes(self._bits.rstrip(b"\0"))
            self._bitmaps[self._block] = int.from_bytes(bits, "little")
            self.unsaved[self._block] = bits

    def forget(self, before: int) -> int:
        """Drop the blocks whose messages all have numbers below `before`; return the first block that stays."""
        first = before // BLOCK
        for bitmaps in (self._bitmaps, self.unsaved):
            for block in [block for block in bitmaps if block < first]:
                del bitmaps[block]
        return first

    def ranges(self, words: Iterable[str], low: int, high: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of numbers to read, from `high`, not included, down to `low`."""
        wanted = 0
        for word in words:
            for bit in _bits_of(_encoded(word)):
                wanted |= 1 << bit
        for block in range((high - 1) // BLOCK, low // BLOCK - 1, -1):
            bits = self._bitmaps.get(block)
            if bits is None or bits & wanted == wanted:
                yield max(low, block * BLOCK), min(high, (block + 1) * BLOCK)


def bits_of(texts: Iterable[str]) -> set[int]:
    """Return the bits of the words of messages: the same in every process, for the file."""
    lines = {line for text in texts for line in text.split("\n")}  # mails of one kind share many
    return _bits_of(_encoded(" ".join(set(" ".join(lines).split()))))


def _encoded(words: str) -> bytes:
    """Return the bytes of words. The bytes of a part of a word are a part of its bytes."""
    return words.encode("utf-8", "surrogatepass")


def _bits_of(words: bytes) -> set[int]:
    """Return the bit of each run of three bytes."""
    count = len(words) - 2
    if count < 1:
        return set()
    runs = bytearray(4 * count)  # a run is one number of four bytes
    for at in range(3):
        runs[at if sys.byteorder == "little" else 3 - at :: 4] = words[at : at + count]
    return {(run * _SPREAD >> 15) % BITS for run in set(memoryview(runs).cast("I"))}
