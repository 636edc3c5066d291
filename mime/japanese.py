"""ISO-2022-JP and EUC-JP as mail means them: Microsoft's code pages 50221 and 51932. Pure.

Mail programs write characters in both that JIS X 0208 does not have: NEC's row 13 (circled numbers, units) and the
NEC and IBM extensions in rows 89 to 92. The rows are those of cp932, as in the Encoding Standard of WHATWG
(encoding.spec.whatwg.org, index jis0208), and so is the wave dash, U+FF5E. Python's own codecs have neither.

- A run of two-byte characters is read as UTF-16, whose code units are then the row and the cell, and one `translate`
  makes the characters of them.
- The decoders are incremental, with the methods of `codecs.IncrementalDecoder` that charsets.py calls.

Limit: JIS X 0212 is read by Python's tables; the other sets of ISO-2022-JP-2 are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final

_REPLACED: Final = "\ufffd"

_ESCAPE: Final = re.compile(rb"\x1b(?:\$[@B]|\$\([@BD]|\([BHIJ]|&@)")
_LONGEST_ESCAPE: Final = 4
_PAIRS: Final = re.compile(rb"(?:[\x21-\x7e][\x21-\x7e])++|[\x00-\x1a\x1c-\x20]++")
_SPACE: Final = 0x20
_LAST_CELLS: Final = re.compile(rb"(?<![\x21-\x7e])[\x21-\x7e]++\Z")
_STRAY: Final = dict.fromkeys((0x0E, 0x0F, 0x1B), _REPLACED)  # WHATWG: these begin no character
_ROMAN: Final = {0x5C: "\u00a5", 0x7E: "\u203e"}
_KANA: Final = {code: 0xFF61 + code - 0x21 for code in range(0x21, 0x60)}

_EUC: Final = re.compile(
    rb"([\x00-\x7f]++)|((?:[\xa1-\xfe][\xa1-\xfe])++)|((?:\x8e[\xa1-\xdf])++)|((?:\x8f[\xa1-\xfe][\xa1-\xfe])++)"
)
_ASCII, _KANJI, _HALF_WIDTH = 1, 2, 3  # its groups
_EUC_CUT: Final = re.compile(rb"(?:\x8f[\xa1-\xfe]?|[\x8e\xa1-\xfe])\Z")
_LONGEST_EUC: Final = 3
_SEVEN_BITS: Final = bytes(code & 0x7F for code in range(256))
_EIGHT_BITS: Final = bytes(code | 0x80 for code in range(256))


class _Cells(dict[int, str]):
    def __missing__(self, _: int) -> str:
        return _REPLACED


@cache
def _cells() -> _Cells:
    """Return the characters of cp932 by row and cell: 256 * row + cell, both from 0x21 on."""
    cells = _Cells()
    for row in range(0x21, 0x7F):
        lead = (row - 0x21) // 2 + 0x81
        for cell in range(0x21, 0x7F):
            trail = cell + 0x7E if row % 2 == 0 else cell + 0x1F + (cell >= 0x60)
            try:
                cells[256 * row + cell] = bytes((lead + 0x40 * (lead > 0x9F), trail)).decode("cp932")
            except UnicodeDecodeError:
                continue
    return cells


class _Decoder:
    """An incremental decoder. In "strict" it raises `UnicodeError`, else U+FFFD stands for what is wrong."""

    def __init__(self, errors: str) -> None:
        self._strict = errors == "strict"
        self._rest = b""

    def _checked(self, text: str) -> str:
        if self._strict and _REPLACED in text:
            raise UnicodeError("the bytes are not of their charset")
        return text


class Cp50221(_Decoder):
    """ISO-2022-JP (RFC 1468) with the characters of code page 50221."""

    def __init__(self, errors: str) -> None:
        super().__init__(errors)
        self._read = _ascii

    def decode(self, data: bytes | memoryview, final: bool = False) -> str:
        """Return the text of the next bytes. Keep an incomplete escape sequence or character for the next call."""
        data = self._rest + bytes(data)
        self._rest = b""
        escape = -1 if final else data.rfind(b"\x1b", max(0, len(data) - _LONGEST_ESCAPE + 1))
        if escape >= 0 and not _ESCAPE.match(data, escape):
            data, self._rest = data[:escape], data[escape:]
        pieces = []
        done = 0
        for found in _ESCAPE.finditer(data):
            if done < found.start():
                pieces.append(self._read(data[done : found.start()]))
            self._read = _READERS.get(found[0][1:], self._read)
            done = found.end()
        run = data[done:]
        if not final and self._read in (_jis_0208, _jis_0212):
            last = _LAST_CELLS.search(run)
            if last and len(last[0]) % 2:
                run, self._rest = run[:-1], run[-1:] + self._rest
        pieces.append(self._read(run))
        return self._checked("".join(pieces))


def _ascii(run: bytes) -> str:
    return run.decode("ascii", "replace").translate(_STRAY)


def _roman(run: bytes) -> str:
    return _ascii(run).translate(_ROMAN)


def _kana(run: bytes) -> str:
    return _ascii(run).translate(_KANA)


def _two_bytes(run: bytes, read: Callable[[bytes], str]) -> str:
    """Return the text of two-byte characters; blanks and line ends may stand between them."""
    pieces = []
    done = 0
    for found in _PAIRS.finditer(run):
        pieces.append(_REPLACED * (found.start() - done))
        done = found.end()
        pieces.append(read(found[0]) if found[0][0] > _SPACE else _ascii(found[0]))
    pieces.append(_REPLACED * (len(run) - done))
    return "".join(pieces)


def _jis_0208(run: bytes) -> str:
    return _two_bytes(run, lambda pairs: pairs.decode("utf-16-be").translate(_cells()))


def _jis_0212(run: bytes) -> str:
    return _two_bytes(run, lambda pairs: _euc_0212(_threes(pairs.translate(_EIGHT_BITS))))


def _threes(pairs: bytes) -> bytes:
    return b"".join([b"\x8f" + pairs[at : at + 2] for at in range(0, len(pairs), 2)])


def _euc_0212(run: bytes) -> str:
    try:
        return run.decode("euc_jp")
    except UnicodeError:
        threes = [run[at : at + _LONGEST_EUC] for at in range(0, len(run), _LONGEST_EUC)]
        characters = [each.decode("euc_jp", "replace") for each in threes]
        return "".join([each if len(each) == 1 else _REPLACED for each in characters])


_READERS: Final = {
    b"(B": _ascii,
    b"(H": _ascii,  # some senders mean US-ASCII by it
    b"(J": _roman,
    b"(I": _kana,
    b"$@": _jis_0208,
    b"$B": _jis_0208,
    b"$(@": _jis_0208,
    b"$(B": _jis_0208,
    b"$(D": _jis_0212,
}


class Cp51932(_Decoder):
    """EUC-JP with the characters of code page 51932, and JIS X 0212 after the byte 0x8F."""

    def decode(self, data: bytes | memoryview, final: bool = False) -> str:
        """Return the text of the next bytes. Keep an incomplete character for the next call."""
        data = self._rest + bytes(data)
        pieces = []
        done = 0
        for found in _EUC.finditer(data):
            pieces.append(_REPLACED * (found.start() - done))
            done = found.end()
            run = found[0]
            if found.lastindex == _ASCII:
                pieces.append(run.decode("ascii"))
            elif found.lastindex == _KANJI:
                pieces.append(run.translate(_SEVEN_BITS).decode("utf-16-be").translate(_cells()))
            elif found.lastindex == _HALF_WIDTH:
                pieces.append(run[1::2].decode("cp932"))
            else:
                pieces.append(_euc_0212(run))
        cut = None if final else _EUC_CUT.search(data, max(done, len(data) - 2))
        stop = cut.start() if cut else len(data)
        self._rest = data[stop:]
        pieces.append(_REPLACED * (stop - done))
        return self._checked("".join(pieces))
