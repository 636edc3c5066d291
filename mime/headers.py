"""The header block of a message or a part: fields, encoded words (RFC 2047), parameters (RFC 2045, RFC 2231). Pure.

Goal: stay with bytes until the charset is known, and loop over `find`, so that hostile headers cost linear time.

- A block is read field by field over offsets; only the values are copied.
- Encoded words: raw 8-bit bytes in a word belong to its charset. Adjacent words of one charset are joined before they
  are decoded, because a character may be cut between them. Text outside words is UTF-8 or else cp1252.
- Parameters are read more freely than the grammar allows: a semicolon may be missing, a value with blanks may have no
  quotes, a quoted value may have no end.

Limit: an encoded word whose text holds `?=` ends there.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from . import charsets as mime_charsets
from .charsets import Defects
from .encodings import base64_size, decode_quoted_printable, repair_base64

MAX_BYTES: Final = 256 * 1024
"""Most header bytes of one part that are read."""
MAX_FIELDS: Final = 1000
"""Most fields of one part that are read."""
MAX_VALUE: Final = 64 * 1024
"""Most bytes of one field's value that are read."""
MAX_FILENAME: Final = 255
"""Most characters of a file name."""

# RFC 5322 section 2.2: printable US-ASCII but the colon; section 4.5.3 allows blanks before the colon.
_NAME: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:")
# A field in one line, like nearly all: name, value.
_FIELD: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+([^\n]*+)\n(?![ \t])")
_TYPE: Final = re.compile(rb"[!#$%&'*+.^_`{|}~0-9A-Za-z-]++/[!#$%&'*+.^_`{|}~0-9A-Za-z-]++(?=[\s;,(]|\Z)")
_TOKEN: Final = re.compile(rb"[^\s;,()=\"]++")
_UNWANTED: Final = dict.fromkeys((0x00, 0x0A, 0x0D), " ")  # in a header's text
_CONTROLS: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))  # in a file name
_LF, _CR, _SPACE, _TAB, _HYPHEN = b"\n\r \t-"

_DIGITS: Final = 6  # of a segment's number: no header has room for more

Parameters = dict[bytes, bytes]
"""Lower-case name, with its RFC 2231 suffix -> value without its quotes, as bytes."""


class Block(NamedTuple):
    """A header block.

    `fields`: name and unfolded value, stripped. `body`: the offset of the body. `limited`: a limit ended the block, and
    `body` is the offset of its rest. `cut`: ranges that were cut off long values.
    """

    fields: list[tuple[bytes, bytes]]
    body: int
    limited: bool
    cut: list[tuple[int, int]]


def read_block(data: bytes, start: int, end: int, defects: Defects) -> Block:
    """Read the header block that begins at `start` of an entity that ends at `end` (RFC 5322 section 2.2)."""
    fields: list[tuple[bytes, bytes]] = []
    cut: list[tuple[int, int]] = []
    window = min(end, start + MAX_BYTES)
    pos = start
    while pos < window:
        first = data[pos]
        if first == _LF:
            return Block(fields, pos + 1, False, cut)
        if first == _CR and data.startswith(b"\r\n", pos, window):
            return Block(fields, pos + 2, False, cut)
        if len(fields) == MAX_FIELDS:
            defects["headers-limit"] = None
            return Block(fields, pos, True, cut)
        field = _FIELD.match(data, pos, window)
        if field is not None and first != _HYPHEN and field.end() - pos <= MAX_VALUE:
            name, value = field.groups()
            fields.append((name, value.rstrip(b" \t\r")))
            pos = field.end()
            continue
        stop, after, folded = _field_end(data, pos, window)
        field = _NAME.match(data, pos, stop)
        if field is None or data.startswith(b"--", pos):
            if not _is_skipped(data, pos, after, window, defects):
                return Block(fields, pos, False, cut)
        else:
            begin = field.end()
            if stop - begin > MAX_VALUE:
                defects["header-value-limit"] = None
                kept = _character_end(data, begin + MAX_VALUE)
                cut.append((kept, stop))
                stop = kept
            value = data[begin:stop]
            if folded:
                value = value.replace(b"\r\n", b"").replace(b"\n", b"")
            fields.append((field[1], value.strip(b" \t\r\n")))
        pos = after
    if window == end:
        return Block(fields, end, False, cut)
    defects["headers-limit"] = None
    if cut and cut[-1][1] == window:
        return Block(fields, cut.pop()[0], True, cut)
    return Block(fields, window, True, cut)


def _field_end(data: bytes, pos: int, window: int) -> tuple[int, int, bool]:
    """Return where the field at `pos` ends, where the next line begins, and whether the field is folded."""
    folded = False
    at = pos
    while True:
        stop = data.find(b"\n", at, window)
        if stop < 0:
            return window, window, folded
        at = stop + 1
        if at == window or data[at] not in (_SPACE, _TAB):
            return stop, at, folded
        folded = True


def _is_skipped(data: bytes, pos: int, after: int, window: int, defects: Defects) -> bool:
    """Return whether to skip the line at `pos`, which is not a field. If not, the body begins there."""
    if data.startswith(b"--", pos):
        defects["header-end-missing"] = None
        return False
    defects["header-malformed"] = None
    return not data.startswith(b"--", after) and _NAME.match(data, after, window) is not None


def _character_end(data: bytes, at: int) -> int:
    """Return the last place up to `at` that is not inside a UTF-8 character."""
    for place in range(at, at - 4, -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return at


def decode(value: bytes, defects: Defects) -> str:
    """Return the text of a header's value, encoded words decoded (RFC 2047); CR, LF and NUL become blanks."""
    if b"=?" in value:
        text = _decode_words(value, defects)
    elif value.isascii():
        text = value.decode("ascii")
    else:
        text = mime_charsets.decode(value, b"", defects)
    if not text.isprintable():
        clean = text.translate(_UNWANTED)
        if clean != text:
            defects["header-cleaned"] = None
            return clean
    return text


class _Run:
    """Adjacent encoded words of one charset."""

    __slots__ = ("_base64", "_bytes", "_defects", "charset")

    def __init__(self, charset: bytes, defects: Defects) -> None:
        self.charset = charset
        self._bytes = bytearray()
        self._base64 = bytearray()
        self._defects = defects

    def add(self, encoding: bytes, text: bytes) -> None:
        if encoding in b"Bb":
            if len(self._base64) % 4 == 0 or self._base64.endswith(b"="):
                self._flush()
            self._base64 += text  # after an incomplete quad: some senders cut one between two words
            return
        self._flush()
        text = text.replace(b"_", b" ")
        self._bytes += decode_quoted_printable(text, 0, len(text), self._defects)

    def _flush(self) -> None:
        text = bytes(self._base64)
        if not text:
            return
        self._base64.clear()
        if base64_size(text, 0, len(text)) >= 0:
            self._bytes += a2b_base64(text)
        else:
            self._defects["base64-repaired"] = None
            self._bytes += repair_base64(text, 0, len(text))

    def text(self) -> str:
        self._flush()
        return mime_charsets.decode(bytes(self._bytes), self.charset, self._defects)


def _decode_words(value: bytes, defects: Defects) -> str:
    pieces: list[str] = []
    run: _Run | None = None
    done = 0  # `pieces` and `run` hold everything before it
    at = value.find(b"=?")
    while at >= 0:
        second = value.find(b"?", at + 2)
        encoding = value[second + 1 : second + 2]
        charset = value[at + 2 : second].partition(b"*")[0].lower()  # RFC 2231 section 5: `*` and a language
        if second < 0:
            break
        if encoding not in (b"B", b"b", b"Q", b"q") or value[second + 2 : second + 3] != b"?" or b" " in charset:
            at = value.find(b"=?", at + 2)
            continue
        stop = value.find(b"?=", second + 3)
        if stop < 0:
            break
        literal = value[done:at]
        if run is not None and (run.charset != charset or literal.strip(b" \t")):
            pieces.append(run.text())
            run = None
        if run is None:
            if not pieces or literal.strip(b" \t"):  # blanks between two words are not text
                pieces.append(mime_charsets.decode(literal, b"", defects))
            run = _Run(charset, defects)
        run.add(encoding, value[second + 3 : stop])
        done = stop + 2
        at = value.find(b"=?", done)
    if run is not None:
        pieces.append(run.text())
    pieces.append(mime_charsets.decode(value[done:], b"", defects))
    return "".join(pieces)


def _after_comments(value: bytes, pos: int = 0) -> int:
    """Return the offset of a value after blanks and comments (RFC 5322 section 3.2.2, not nested)."""
    while True:
        while value[pos : pos + 1] in (b" ", b"\t"):
            pos += 1
        if value[pos : pos + 1] != b"(":
            return pos
        pos = value.find(b")", pos) + 1
        if not pos:
            return len(value)


def content_type(value: bytes, defects: Defects) -> tuple[str, Parameters]:
    """Return the type in a Content-Type in lower case, "" if it has none, and the parameters."""
    found = _TYPE.match(value, _after_comments(value))
    if found is None:
        defects["type-invalid"] = None
        return "", parameters(value, 0, defects)
    return found[0].decode("ascii").lower(), parameters(value, found.end(), defects)


def disposition(value: bytes, defects: Defects) -> tuple[str, Parameters]:
    """Return the disposition (RFC 2183) in lower case, "" if the value has none, and the parameters."""
    word, stop = _first_token(value)
    if value[stop : stop + 1] == b"=":  # a parameter without a disposition before it
        defects["parameter-malformed"] = None
        return "", parameters(value, 0, defects)
    return word, parameters(value, stop, defects)


def transfer_encoding(value: bytes) -> str:
    """Return the transfer encoding that a Content-Transfer-Encoding names, in lower case; "" only for b""."""
    return _first_token(value.replace(b'"', b""))[0] or value.decode("latin-1")


def _first_token(value: bytes) -> tuple[str, int]:
    found = _TOKEN.match(value, _after_comments(value))
    if found is None:
        return "", 0
    return found[0].decode("latin-1").lower(), found.end()


def parameters(value: bytes, pos: int, defects: Defects) -> Parameters:
    """Return the parameters in `value` from `pos` on. The first of two with one name counts."""
    found: Parameters = {}
    size = len(value)
    if pos and value[pos : pos + 1] not in (b"", b";") and value[_after_comments(value, pos) :][:1] not in (b"", b";"):
        defects["parameter-malformed"] = None
    while pos < size:
        stop = value.find(b";", pos)
        if stop < 0:
            stop = size
        equals = value.find(b"=", pos, stop)
        if equals >= 0:
            name = value[pos:equals].strip(b" \t,").lower()
            begin = equals + 1
            while value[begin : begin + 1] in (b" ", b"\t"):
                begin += 1
            close = _closing_quote(value, begin + 1) if value[begin : begin + 1] == b'"' else -1
            if close >= 0:
                # Only these two are unescaped: the backslashes of C:\path stay.
                text = value[begin + 1 : close]
                if b"\\" in text:
                    text = re.sub(rb'\\(["\\])', rb"\1", text)
                stop = value.find(b";", close)
                if stop < 0:
                    stop = size
            else:
                text = value[begin:stop].strip(b" \t")
                if text.startswith(b'"'):
                    defects["parameter-malformed"] = None
                    text = text.strip(b' \t"')
            if name:
                found.setdefault(name, text)
        pos = stop + 1
    return found


def _closing_quote(value: bytes, begin: int) -> int:
    at = begin
    while True:
        quote = value.find(b'"', at)
        if quote < 0:
            return -1
        text = value[at:quote]
        if (len(text) - len(text.rstrip(b"\\"))) % 2 == 0:
            return quote
        at = quote + 1


def parameter(found: Parameters, name: bytes, defects: Defects) -> tuple[bytes, bytes | None]:
    """Return a parameter's bytes, b"" for none, and the charset that it names (RFC 2231), None for a plain one."""
    extended = found.get(name + b"*")
    if extended:
        return _extended(extended)
    prefix = name + b"*"
    for key in found:
        if key.startswith(prefix):
            return _joined(found, prefix, defects)
    return found.get(name, b""), None


def _extended(text: bytes) -> tuple[bytes, bytes]:
    charset, quote, rest = text.partition(b"'")
    _, second, encoded = rest.partition(b"'")
    if quote and second:
        return unquote_to_bytes(encoded), charset
    return unquote_to_bytes(text), b""


def _joined(found: Parameters, prefix: bytes, defects: Defects) -> tuple[bytes, bytes | None]:
    """Join the segments `name*0`, `name*1*`, ... as bytes, in the order of their numbers (RFC 2231 section 3)."""
    segments: dict[int, tuple[bytes, bool]] = {}
    for key, text in found.items():
        digits = key.removeprefix(prefix).removesuffix(b"*")
        if key.startswith(prefix) and digits.isdigit() and len(digits) <= _DIGITS:
            segments.setdefault(int(digits), (text, key.endswith(b"*")))
    pieces: list[bytes] = []
    charset: bytes | None = None
    for number, (text, encoded) in sorted(segments.items()):
        if encoded and number == 0:
            piece, charset = _extended(text)
        elif encoded:
            piece, charset = unquote_to_bytes(text), charset or b""
        else:
            piece = text
        pieces.append(piece)
    if not segments or max(segments) >= len(segments):
        defects["parameter-malformed"] = None
    return b"".join(pieces) or found.get(prefix[:-1], b""), charset


def charset(found: Parameters, defects: Defects) -> bytes:
    """Return the charset in the parameters of a type, b"" for none."""
    word = _TOKEN.match(parameter(found, b"charset", defects)[0].strip())
    return word[0] if word else b""


def file_name(found: Parameters, name: bytes, defects: Defects) -> str:
    """Return the file name in the parameter `name`, cleaned: the last component, without controls, cut; "" for none."""
    raw, charset = parameter(found, name, defects)
    if not raw:
        return ""
    text = decode(raw, defects) if charset is None else mime_charsets.decode(raw, charset, defects)
    clean = text.translate(_CONTROLS).strip()
    clean = clean.rstrip("/\\").replace("\\", "/").rpartition("/")[2].strip()[:MAX_FILENAME]
    if clean in (".", ".."):
        clean = ""
    if clean != text.strip():
        defects["filename-cleaned"] = None
    return clean
