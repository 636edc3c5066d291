"""The index of a search: for each block of messages, which runs of three bytes their words have.

What we want: a search finds a part of a word, and one that finds nothing ends soon, also at 100,000 messages. What does
not work: SQLite's FTS5 with trigrams, which takes many times the time of the rest of a message. What we do: a block of
messages has a bitmap with a bit for each run of three bytes. A search reads the blocks that have all the runs of its
words. A block gets its bitmap once it is complete, when no mail waits. The words that its messages share count once,
and the runs are found without a loop in Python. A bitmap has too much at worst: a search always compares the text.
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

_PIECE: Final = 1 << 20  # bytes whose runs are found at once: they take 40 times as many
_SPREAD: Final = 2654435761  # Knuth's multiplicative hash


class Index:
    """The bitmaps of complete blocks. A block without one is always read.

    `unsaved`: blocks that are not stored yet, with their bitmaps.
    """

    def __init__(self, saved: Mapping[int, bytes]) -> None:
        self._bitmaps = {block: int.from_bytes(bits, "little") for block, bits in saved.items()}
        self._next = 0  # each block before this one has a bitmap, or its messages are deleted
        self.unsaved: dict[int, bytes] = {}

    def missing(self, first: int, last: int) -> int | None:
        """Return the first complete block without a bitmap, None for none. `first`, `last`: numbers of messages."""
        self._next = max(self._next, first // BLOCK)
        while self._next in self._bitmaps:
            self._next += 1
        return self._next if self.may_lack(last) else None

    def may_lack(self, last: int) -> bool:
        """Return whether `missing` may find a block."""
        return self._next < (last + 1) // BLOCK

    def add(self, block: int, texts: Iterable[str]) -> None:
        """Add a complete block. `texts`: the words of its messages."""
        bits = bitmap(texts)
        self._bitmaps[block] = int.from_bytes(bits, "little")
        self.unsaved[block] = bits

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


def bitmap(texts: Iterable[str]) -> bytes:
    """Return the bitmap of a block. `texts`: the words of its messages. The same in every process, for the file."""
    lines = {line for text in texts for line in text.split("\n")}  # mails of one kind share many
    words = _encoded(" ".join(set(" ".join(lines).split())))
    bits = bytearray(BITS // 8)
    for at in range(0, len(words), _PIECE):
        for bit in _bits_of(words[at : at + _PIECE + 2]):
            bits[bit >> 3] |= 1 << (bit & 7)
    return bytes(bits.rstrip(b"\0"))


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
