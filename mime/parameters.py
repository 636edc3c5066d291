"""The value of a header with parameters: a type, a disposition, a file name (RFC 2045, 2183, 2231). Pure.

Parameters are read more freely than the grammar allows: a semicolon may be missing, a value with blanks may have no
quotes, a quoted value may have no end.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from . import charsets as mime_charsets
from . import words as mime_words
from .defects import Defects

MAX_FILENAME: Final = 255
"""Most characters of a file name."""

_TYPE: Final = re.compile(rb"(?!')[!#$%&'*+.^_`{|}~0-9A-Za-z-]++/[!#$%&'*+.^_`{|}~0-9A-Za-z-]++(?=[\s;,(]|\Z)")
# A type with its quotes, or with blanks around the slash.
_LOOSE_TYPE: Final = re.compile(
    rb"[\"']?+\s*+([!#$%&*+.^_`{|}~0-9A-Za-z-]++)\s*+/\s*+([!#$%&*+.^_`{|}~0-9A-Za-z-]++)\s*+[\"']?+(?=[\s;,(]|\Z)"
)
_TOKEN: Final = re.compile(rb"[^\s;,()=\"]++")
_QUOTED_TOKEN: Final = re.compile(rb"\"?+\s*+([^\s;,()=\"]++)\s*+\"?+")
# In a file name: controls, and what turns the direction of text, so that `exe.pdf` could end with `fdp.exe`.
_CONTROLS: Final = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0))),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))),
    0x09: " ",
}
# The spellings in nearly all mail: a shortcut.
_ENCODINGS: Final = {each.encode(): each for each in ("7bit", "8bit", "base64", "quoted-printable")}
_LONGEST_EXTENSION: Final = 32
_DIGITS: Final = 6  # of a segment's number: no header has room for more

Parameters = dict[bytes, bytes]
"""Lower-case name, with its RFC 2231 suffix -> value without its quotes, as bytes."""


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
    begin = 0
    found = _TYPE.match(value)
    if found is None:
        begin = _after_comments(value)
        found = _TYPE.match(value, begin)
    if found is not None:
        return found[0].decode("ascii").lower(), parameters(value, found.end(), defects)
    found = _LOOSE_TYPE.match(value, begin)
    if found is not None:
        return (found[1] + b"/" + found[2]).decode("ascii").lower(), parameters(value, found.end(), defects)
    defects["type-invalid"] = None
    return "", parameters(value, 0, defects)


def disposition(value: bytes, defects: Defects) -> tuple[str, Parameters]:
    """Return the disposition (RFC 2183) in lower case, "" if the value has none, and the parameters."""
    word, stop = _first_token(value)
    if value[stop : stop + 1] == b"=":  # a parameter without a disposition before it
        defects["parameter-malformed"] = None
        return "", parameters(value, 0, defects)
    return word, parameters(value, stop, defects)


def transfer_encoding(value: bytes) -> str:
    """Return the transfer encoding that a Content-Transfer-Encoding names, in lower case; "" only for b""."""
    return _ENCODINGS.get(value) or _first_token(value.replace(b'"', b""))[0] or value.decode("latin-1")


def _first_token(value: bytes) -> tuple[str, int]:
    found = _QUOTED_TOKEN.match(value) or _QUOTED_TOKEN.match(value, _after_comments(value))
    if found is None:
        return "", 0
    return found[1].decode("latin-1").lower(), found.end()


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
                if text.startswith(b'"') or (text.endswith(b'"') and text.count(b'"') == 1):
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
    prefix = name + b"*"
    for key in found:
        if key.startswith(prefix):
            extended = found.get(prefix)
            return _extended(extended) if extended else _joined(found, prefix, defects)
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


def texts(found: Parameters) -> dict[str, str]:
    """Return every parameter, decoded: its segments are joined, and its name has no suffix. Odd names are left out."""
    groups: dict[bytes, Parameters] = {}
    for key, raw in found.items():
        groups.setdefault(key.partition(b"*")[0], {})[key] = raw
    decoded: dict[str, str] = {}
    for name, group in groups.items():
        if _TOKEN.fullmatch(name) and name.isascii() and (written := name.decode()).isprintable():
            raw, charset = parameter(group, name, {})
            text = mime_words.decode(raw, {}) if charset is None else mime_charsets.decode(raw, charset, {})
            decoded[written] = text.replace("\0", " ")
    return decoded


def charset(found: Parameters, defects: Defects) -> bytes:
    """Return the charset in the parameters of a type, b"" for none."""
    if not found:
        return b""
    word = _TOKEN.match(parameter(found, b"charset", defects)[0].strip())
    return word[0] if word else b""


def file_name(found: Parameters, name: bytes, defects: Defects) -> str:
    """Return the file name in the parameter `name`, cleaned: the last component, without controls, cut; "" for none."""
    raw, charset = parameter(found, name, defects)
    if not raw:
        return ""
    text = mime_words.decode(raw, defects) if charset is None else mime_charsets.decode(raw, charset, defects)
    clean = text if text.isprintable() else text.translate(_CONTROLS)
    clean = clean.strip()
    if "/" in clean or "\\" in clean:
        clean = clean.rstrip("/\\").replace("\\", "/").rpartition("/")[2].strip()
    if len(clean) > MAX_FILENAME:
        clean = _shortened(clean)
    if clean in (".", ".."):
        clean = ""
    if clean != text.strip():
        defects["filename-cleaned"] = None
    return clean


def _shortened(name: str) -> str:
    """Return a long file name cut before its extension."""
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _LONGEST_EXTENSION:
        return name[:MAX_FILENAME]
    return stem[: MAX_FILENAME - 1 - len(extension)].rstrip() + "." + extension
