"""The addresses in a raw header: From, To and their like (RFC 5322 section 3.4, and the obsolete forms of 4.4). Pure.

Goal: no text of a sender becomes an address. What does not work: reading a decoded header, because a comma, a quote or
`<boss@example.com>` in an encoded word would then look like syntax. What we do: find names and addresses in the bytes,
and decode each name alone. Nearly every address matches `_PLAIN`; `_Reader` reads any other, token by token.

- A name is the phrase before the angle brackets, or else the last comment. Encoded words in quotes are decoded too.
- The members of a group stand for the group. A route, as in `<@relay:ann@example.com>`, is dropped.
- A quote, a comment or a bracket without its end is an ordinary character, so that a slip hides no other address.

Limit: a phrase without an address, such as `Ann Example`, is a name with an empty address; one lone word is an address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from . import charsets as mime_charsets

MAX_ADDRESSES: Final = 10_000
"""Most addresses of one kind of header that are read."""

MAX_TOKENS: Final = 50_000
"""Most tokens of one header that are read one by one."""

_SPECIAL: Final = re.compile(r'[()<>\[\]:;@\\,"]')
_QUOTABLE: Final = re.compile(r'["\\]')
_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))
_TO_BLANKS: Final = dict.fromkeys(_CONTROLS, " ")
_TO_NOTHING: Final = dict.fromkeys(_CONTROLS)
_SEPARATORS: Final = re.compile(rb"[\s,;]*+")
# A name, without encoded words outside quotes, and an address; an address alone.
_PLAIN: Final = re.compile(
    rb"""(?:"([^"\\]*+)"\s*+|([^"(),:;<>@\[\]\\=]*+))
    <([^\s"(),:;<>@\[\]\\]++@[^\s"(),:;<>@\[\]\\]++)>\s*+(?:,|\Z)""",
    re.VERBOSE,
)
_BARE: Final = re.compile(rb"([^\s\"(),:;<>@\[\]\\=]++@[^\s\"(),:;<>@\[\]\\=]++)\s*+(?:,|\Z)")
_TOKEN: Final = re.compile(
    rb"""(?P<at>\s*+@\s*+) | (?P<blank>\s++) | (?P<quoted>"(?:[^"\\]|\\.)*+") | (?P<special>[(<>,;:])
    | (?P<escaped>\\.) | (?P<word>=\?[^?\s]++\?[BbQq]\?[^?]*+\?= | \[[^\[\]\\]*+\] | [^\s"(),:;<>@\[\]\\=]++ | .)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT: Final = re.compile(rb"[()]|\\.", re.DOTALL)
_ROUTE: Final = re.compile(rb'[<\s]*+(?:@[^:<>"]*+:)?')  # RFC 5322 section 4.4
_ANGLE: Final = re.compile(rb'(?:"(?:[^"\\]|\\.)*+"|\[[^\[\]\\]*+\]|[^"<>,;])*+', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


class Address(msgspec.Struct, frozen=True, gc=False):
    """A name and an address of a header. `name`: decoded, "" for none. `address`: as written, "" for a lone name."""

    name: str
    address: str

    def __str__(self) -> str:
        if not self.name or not self.address:
            return self.name or self.address
        name = self.name
        if _SPECIAL.search(name):  # without quotes it could look like an address
            name = _QUOTABLE.sub(r"\\\g<0>", name).join('""')
        return f"{name} <{self.address}>"


def read_addresses(values: Iterable[bytes], decode: Callable[[bytes], str]) -> list[Address]:
    """Return the addresses in raw, unfolded headers of one kind, in order, at most MAX_ADDRESSES.

    `decode`: returns the text of a name, its encoded words decoded.
    """
    found: list[Address] = []
    for value in values:
        if (only := _BARE.fullmatch(value)) is not None:  # nearly every To
            found.append(Address("", _text(only[1])))
        else:
            _Reader(value, decode, found).read()
    return found


class _Word:
    """A word outside angle brackets. `raw`: as written; `text`: without quotes and escapes."""

    __slots__ = ("raw", "text")

    def __init__(self) -> None:
        self.raw = bytearray()
        self.text = bytearray()


class _Reader:
    """A reader of one header. `_pos`: what is before it is read."""

    __slots__ = ("_comments_end", "_decode", "_found", "_is_group", "_pos", "_tokens", "_value")

    def __init__(self, value: bytes, decode: Callable[[bytes], str], found: list[Address]) -> None:
        self._value = value
        self._decode = decode
        self._found = found
        self._is_group = False
        self._comments_end = True  # False after a comment without its end: no later one has an end either
        self._tokens = MAX_TOKENS
        self._pos = 0

    def read(self) -> None:
        """Add every address of the header."""
        value, found = self._value, self._found
        while len(found) < MAX_ADDRESSES and self._tokens > 0:
            separators = _SEPARATORS.match(value, self._pos)
            pos = self._pos = separators.end() if separators else self._pos
            if pos == len(value):
                return
            if plain := _PLAIN.match(value, pos):
                quoted, phrase, address = plain.groups()
                self._add(quoted or phrase or b"", address)
                self._pos = plain.end()
            elif bare := _BARE.match(value, pos):
                self._add(b"", bare[1])
                self._pos = bare.end()
            else:
                self._read_any()

    def _add(self, name: bytes | bytearray, address: bytes | bytearray) -> None:
        text = self._name(bytes(name)) if name else ""
        written = _text(bytes(address))
        if text or written:
            self._found.append(Address(text, written))

    def _name(self, raw: bytes) -> str:
        text = raw.decode("ascii") if raw.isascii() and b"=?" not in raw else self._decode(raw)
        return (text if text.isprintable() else text.translate(_TO_BLANKS)).strip()

    def _read_any(self) -> None:
        """Read one address, or the beginning of a group, up to its separator."""
        value = self._value
        words: list[_Word] = []
        comment = b""
        glued = False  # the next token belongs to the last word
        while (token := _TOKEN.match(value, self._pos)) and self._tokens > 0:
            kind, text = token.lastgroup, token[0]
            self._tokens -= 1
            self._pos = token.end()
            if kind == "special":
                glued = False
                if text in b",;":
                    self._is_group = self._is_group and text == b","
                    break
                if text == b"<":
                    address = self._angle()
                    self._add(_phrase(words) or comment, address)
                    return
                if text == b":" and not self._is_group:
                    self._is_group = True
                    return
                if text == b"(" and (end := self._comment_end()) >= 0:
                    comment = _ESCAPE.sub(rb"\1", value[self._pos : end - 1])
                    self._pos = end
            elif kind == "blank":
                glued = False
            else:
                if not words or not (glued or kind == "at" or words[-1].raw.endswith(b"@")):
                    words.append(_Word())
                glued = True
                word = words[-1]
                word.raw += b"@" if kind == "at" else text
                word.text += _ESCAPE.sub(rb"\1", text[1:-1]) if kind == "quoted" else text[kind == "escaped" :]
        self._add_bare(words, comment)

    def _add_bare(self, words: list[_Word], comment: bytes) -> None:
        """Add an address that has no angle brackets."""
        places = [place for place, word in enumerate(words) if b"@" in word.raw and not word.raw.endswith(b'"')]
        place = places[-1] if places else -1
        if place < 0 and len(words) == 1 and not words[0].raw.startswith((b'"', b"=?")):
            place = 0
        if place < 0:
            self._add(_phrase(words) or comment, b"")
        else:
            address = words.pop(place)
            self._add(_phrase(words) or comment, address.raw)

    def _angle(self) -> bytes:
        """Return the address in angle brackets, and skip what follows it up to its separator."""
        value = self._value
        if route := _ROUTE.match(value, self._pos):
            self._pos = route.end()
        inside = _ANGLE.match(value, self._pos)
        address = inside[0] if inside else b""
        self._pos += len(address)
        while (token := _TOKEN.match(value, self._pos)) and self._tokens > 0:
            text = token[0]
            if text in (b",", b";", b"<"):
                break
            self._tokens -= 1
            self._pos = token.end()
            if text == b"(" and (end := self._comment_end()) >= 0:
                self._pos = end
        return address.strip() if b'"' in address else b"".join(address.split())

    def _comment_end(self) -> int:
        """Return the offset after the comment whose content begins at `_pos`, -1 if it has no end."""
        depth = 1
        for mark in _COMMENT.finditer(self._value, self._pos) if self._comments_end else ():
            depth += (mark[0] == b"(") - (mark[0] == b")")
            if not depth:
                return mark.end()
        self._comments_end = False
        return -1


def _phrase(words: list[_Word]) -> bytes:
    """Return the text of a phrase, without its quotes."""
    return b" ".join([word.text for word in words])


def _text(address: bytes) -> str:
    text = address.decode("ascii") if address.isascii() else mime_charsets.decode(address, b"", {})
    return text if text.isprintable() else text.translate(_TO_NOTHING)
