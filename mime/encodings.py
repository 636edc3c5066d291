"""Transfer encodings of mail (RFC 2045 section 6): base64, quoted-printable and uuencode, with their repairs. Pure.

Goal: clean data at the speed of `binascii`, a defect for every loss in broken data, and memory of a few times its size.

- Two `translate` calls tell whether base64 is clean; they cost a third of decoding. Clean base64 is decoded when a
  caller wants its bytes. A caller that wants base64 gets it without decoding.
- binascii stops at the first padding, so of several blocks of base64 in a row it would lose all but the first. The
  repair reads on.
- The length of the result tells whether quoted-printable is clean: every escape shortens it by two.
- C is called with slices: of 256 KB while all is well, of 16 KB in repairs, which make many small objects.
- mislabelled.py tells base64 from words.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp, a2b_uu, b2a_base64
from collections.abc import Iterator
from typing import Final

from .charsets import SLICE
from .defects import Defects
from .mislabelled import is_readable, survey

IDENTITY: Final = frozenset(("", "7bit", "8bit", "binary"))
"""Transfer encodings that leave the content as it is, and "" for none."""

_UUENCODE: Final = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BLANKS: Final = b"\r\n\t "
_FOREIGN: Final = bytes(set(range(256)) - set(_ALPHABET) - set(b"="))
_REPAIRED: Final = 16 * 1024  # bytes of one step of a repair
_ENCODED: Final = SLICE // 4 * 3  # bytes that one call encodes: they give whole quads

# A search that begins with one literal byte is fast: nearly all lines pass these two.
_ODD_CR: Final = re.compile(rb"\r(?:(?<=[ \t]\r)|(?!\n))")
_BLANK_LF: Final = re.compile(rb"\n(?<=[ \t]\n)")
_LINE_END_BLANKS: Final = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_STRAY: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r*+\n|\Z)")


def decode(
    encoding: str, data: bytes, start: int, end: int, defects: Defects, is_text: bool
) -> tuple[bytes, int, int, int]:
    """Return bytes, the range in them that holds the content of a leaf, and the decoded size of clean base64 in it.

    `data[start:end]`: the leaf's body. The size is -1 if the range is the content itself. `is_text`: its type is one of
    text, so words that are not base64 are likely to be its content.
    """
    if encoding in IDENTITY:
        return data, start, end, -1
    if encoding == "base64":
        size = base64_size(data, start, end)
        # Real base64 has no blank in a line, but words have.
        if size >= 0 and not (is_text and data.find(b" ", start, end) >= 0):
            return data, start, end, size
        content = read_base64(data, start, end, defects, is_text, size >= 0)
    elif encoding == "quoted-printable":
        content = decode_quoted_printable(data, start, end, defects)
    elif encoding in _UUENCODE:
        content = decode_uuencode(data, start, end, defects)
    else:
        defects["encoding-unknown"] = None
        return data, start, end, -1
    return content, 0, len(content), -1


def read_base64(data: bytes, start: int, end: int, defects: Defects, is_text: bool, is_clean: bool) -> bytes:
    """Return the content of a body that claims to be base64, where it may hold words.

    Words alone stay as they are. Words before and after the base64 stay in a text, and are dropped from a file.
    """
    found = survey(data, start, end)
    content = repair_base64(data, found.start, found.end)
    if is_text:
        is_words = not found.is_certain and found.is_foreign and not is_readable(content)
    else:
        is_words = not found.is_certain and found.words > found.others
    if is_words:
        defects["base64-missing"] = None
        return data[start:end]
    if not is_clean or (found.start, found.end) != (start, end):
        defects["base64-repaired"] = None
    return data[start : found.start] + content + data[found.end : end] if is_text else content


def base64_size(data: bytes, start: int, end: int) -> int:
    """Return the decoded size of the base64 in `data[start:end]`, in bytes, or -1 if it needs a repair."""
    signs = 0
    padding = b""
    for at in range(start, end, SLICE):
        piece = data[at : min(at + SLICE, end)]
        rest = piece.translate(None, _ALPHABET)
        signs += len(piece) - len(rest)
        padding += rest.translate(None, _BLANKS)
        if padding not in (b"", b"=", b"=="):
            return -1
    if (signs + len(padding)) % 4:
        return -1
    if padding:
        first = data.find(b"=", start, end)
        if end - first > SLICE or data[first:end].translate(None, _BLANKS) != padding:
            return -1  # it is not at the end
    return (signs + len(padding)) // 4 * 3 - len(padding)


def base64_line(data: bytes, start: int, end: int) -> bytes:
    """Return the clean base64 in `data[start:end]` in one line."""
    if end - start <= SLICE:
        return data[start:end].translate(None, _BLANKS)
    return b"".join([data[at : min(at + SLICE, end)].translate(None, _BLANKS) for at in range(start, end, SLICE)])


def decode_base64(data: bytes, start: int, end: int) -> bytes:
    """Return the decoded bytes of the clean base64 in `data[start:end]`."""
    pieces = [*base64_pieces(data, start, end)]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def base64_pieces(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield the decoded bytes of the clean base64 in `data[start:end]`, in pieces of less than SLICE."""
    view = memoryview(data)
    while start < end:
        stop = end
        if end - start > SLICE:
            # Nearly all base64 has whole quads in a line, so a slice that ends with a line can be decoded as it is.
            stop = data.rfind(b"\n", start, start + SLICE) + 1
        try:
            piece = a2b_base64(view[start:stop]) if stop else b""
        except Error:
            piece = b""
        if not piece:
            break
        yield piece
        start = stop
    line = base64_line(data, start, end)
    yield from (a2b_base64(line[at : at + SLICE]) for at in range(0, len(line), SLICE))


def encode_base64(data: bytes, start: int, end: int) -> bytes:
    """Return `data[start:end]` as base64 in one line."""
    view = memoryview(data)
    return b"".join(
        [b2a_base64(view[at : min(at + _ENCODED, end)], newline=False) for at in range(start, end, _ENCODED)]
    )


def repair_base64(data: bytes, start: int, end: int) -> bytes:
    """Return the decoded bytes of broken base64. Drop foreign bytes and a lone last sign; add padding.

    Padding that closes a quad ends a block, and the next block begins after it; any other padding is foreign.
    """
    content = bytearray()
    quad = b""  # signs of an incomplete quad
    padding = 0  # signs of padding since then
    for at in range(start, end, _REPAIRED):
        runs = data[at : min(at + _REPAIRED, end)].translate(None, _FOREIGN).split(b"=")
        for index, run in enumerate(runs):
            if index:
                padding += 1
                if len(quad) >= 2 and len(quad) + padding >= 4:
                    content += a2b_base64(quad + b"==")
                    quad = b""
            if run:
                padding = 0
                quads = quad + run
                whole = len(quads) & ~3
                content += a2b_base64(quads[:whole])
                quad = quads[whole:]
    if len(quad) >= 2:
        content += a2b_base64(quad + b"==")
    return bytes(content)


def decode_quoted_printable(data: bytes, start: int, end: int, defects: Defects) -> bytes:
    """Return the decoded bytes of the quoted-printable in `data[start:end]`; an `=` outside an escape stays.

    Blanks at the end of a line are dropped: RFC 2045 section 6.7 (3) says that a relay has added them.
    """
    pieces = []
    for begin, stop in _line_slices(data, start, end, SLICE):
        piece = data[begin:stop]
        if stop == end:
            piece = piece.rstrip(b" \t")
        has_odd_cr = _ODD_CR.search(piece) is not None
        if has_odd_cr or _BLANK_LF.search(piece):
            piece = _LINE_END_BLANKS.sub(b"", piece)
        pieces.append(decode_escapes(piece, stop == end, defects, has_odd_cr))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def decode_escapes(piece: bytes, is_last: bool, defects: Defects, has_odd_cr: bool = True) -> bytes:
    """Return the decoded bytes of quoted-printable without touching its blanks.

    `is_last`: it may end with `=`. `has_odd_cr`: a CR without an LF may be in it.
    """
    content = a2b_qp(piece)
    breaks = piece.count(b"=\r\n")
    shorter = 2 * piece.count(b"=") + breaks - (is_last and piece.endswith(b"="))
    if len(piece) - len(content) == shorter and not (has_odd_cr and piece.count(b"=\r") != breaks):
        return content
    defects["quoted-printable-repaired"] = None
    stop = len(piece)
    return b"".join(
        [_repair_line(piece[at:to], is_last and to == stop) for at, to in _line_slices(piece, 0, stop, _REPAIRED)]
    )


def _repair_line(lines: bytes, last: bool) -> bytes:
    # binascii would read `==` as one `=`, and drop the rest of a line after `=` and a bare CR.
    if lines.endswith(b"=") and not last:
        lines += b"3D"
    return a2b_qp(_STRAY.sub(b"=3D", lines))


def _line_slices(data: bytes, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield slices of `data[start:end]` of at most `size` bytes, cut after the end of a line if they contain one.

    No cut divides an escape of quoted-printable: a slice before the last ends with `=` only if another `=` follows.
    """
    while end - start > size:
        stop = data.rfind(b"\n", start, start + size) + 1
        if not stop:
            stop = start + size
            escape = data.find(b"=", stop - 2, stop)
            stop = stop if escape < 0 else escape
        yield start, stop
        start = stop
    if start < end:
        yield start, end


def decode_uuencode(data: bytes, start: int, end: int, defects: Defects) -> bytes:
    """Return the decoded bytes of the uuencoded file in `data[start:end]`; if no file begins in it, return it all.

    Cut broken lines to the length that they declare, or leave them out.
    """
    begin = start if data.startswith(b"begin ", start, end) else data.find(b"\nbegin ", start, end) + 1
    first = data.find(b"\n", max(begin, start), end) + 1
    if begin < start or not first:
        defects["uuencode-missing"] = None
        return data[start:end]
    if data[start:begin].strip():
        defects["uuencode-repaired"] = None
    content = bytearray()
    for at, stop in _line_slices(data, first, end, _REPAIRED):
        for line in data[at:stop].split(b"\n"):
            text = line.rstrip(b"\r")
            if text == b"end":
                return bytes(content)
            if text:
                decoded = _uu_line(text, defects)
                # Zeros fill a short line, but a few bytes must not become many.
                content += decoded if len(content) < stop - start else decoded[: len(text)]
    defects["uuencode-repaired"] = None
    return bytes(content)


def _uu_line(line: bytes, defects: Defects) -> bytes:
    signs = (((line[0] - 32) & 63) * 4 + 2) // 3
    if len(line) > signs:
        try:
            return a2b_uu(line)
        except Error:
            pass
    defects["uuencode-repaired"] = None
    try:
        return a2b_uu(line[: 1 + signs])
    except Error:
        return b""
