"""The text of a header's value: encoded words, and what stands between them (RFC 2047). Pure.

Raw 8-bit bytes in a word belong to its charset. Adjacent words of one charset are joined before they are decoded,
because a character may be cut between them. Text outside words is UTF-8 or else cp1252.

Limit: an encoded word whose text holds `?=` ends there.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final

from . import charsets as mime_charsets
from .defects import Defects
from .encodings import base64_size, decode_escapes, repair_base64

_UNWANTED: Final = dict.fromkeys((0x00, 0x0A, 0x0D), " ")


def decode(value: bytes, defects: Defects) -> str:
    """Return the text of a header's value, encoded words decoded (RFC 2047); CR, LF and NUL become blanks."""
    if b"=?" in value:
        text = _decode_words(value, defects)
    elif value.isascii():
        text = value.decode("ascii")
    else:
        text = mime_charsets.decode(value, b"", defects)
    if not text.isprintable():
        if "\x1b$" in text:  # raw ISO-2022-JP, which is ASCII to a relay
            text = mime_charsets.decode(value, b"", defects)
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
        self._bytes += decode_escapes(text, True, self._defects)

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
                pieces.append(_literal(literal, defects))
            run = _Run(charset, defects)
        run.add(encoding, value[second + 3 : stop])
        done = stop + 2
        at = value.find(b"=?", done)
    if run is not None:
        pieces.append(run.text())
    pieces.append(_literal(value[done:], defects))
    return "".join(pieces)


def _literal(value: bytes, defects: Defects) -> str:
    """Return the text outside encoded words."""
    return value.decode("ascii") if value.isascii() else mime_charsets.decode(value, b"", defects)
