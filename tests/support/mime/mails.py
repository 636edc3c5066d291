"""Mails as bytes: a reader of the corpus in tests/conformance/mails, what a message is in JSON, and hostile mails.

A mail is two files: `name.eml`, the bytes as received, and `name.json`, the message that `rrpy.mime.message` makes
of them. Names that begin with `clean-`, `charset-`, `header-`, `name-` or `word-` are mails that people send; `broken-`
says what is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrpy.mime.message import Message

MAILS = Path(__file__).parents[2] / "conformance" / "mails"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Mail:
    """A mail of the corpus."""

    name: str
    raw: bytes
    expected: dict[str, Any]


def corpus() -> list[Mail]:
    return [
        Mail(path.stem, path.read_bytes(), json.loads(path.with_suffix(".json").read_bytes()))
        for path in sorted(MAILS.glob("*.eml"))
    ]


def described(message: Message) -> dict[str, Any]:
    """Return all that a message says, as JSON has it."""
    return {
        "headers": message.headers,
        "id": message.id,
        "subject": message.subject,
        "body": message.body,
        "html_body": message.html_body,
        "size": message.size,
        "attachments": [
            {
                "filename": attachment.filename,
                "content_type": attachment.content_type,
                "size": attachment.size,
                "content_id": attachment.content_id,
                "inline": attachment.inline,
                "content": attachment.base64().decode("ascii"),
            }
            for attachment in message.attachments
        ],
        "defects": message.defects,
    }


def multipart(*parts: bytes, boundary: bytes = b"b", subtype: bytes = b"mixed") -> bytes:
    """Return a multipart message; a part is its headers, an empty line and its body."""
    lines = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return b"Content-Type: multipart/%s; boundary=%s\r\n\r\n%s--%s--\r\n" % (subtype, boundary, lines, boundary)


def leaf(body: bytes = b"", content_type: bytes = b"text/plain", **headers: bytes) -> bytes:
    """Return a part. `disposition`, `encoding` and `id` are its Content headers."""
    names = {"disposition": b"Disposition", "encoding": b"Transfer-Encoding", "id": b"ID"}
    lines = b"".join(b"Content-%s: %s\r\n" % (names[key], value) for key, value in headers.items())
    return b"Content-Type: %s\r\n%s\r\n%s" % (content_type, lines, body)


def _filled(text: bytes, size: int) -> bytes:
    return text * (size // len(text) + 1)


def _nested(depth: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))


_MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
_BASE64 = b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
_TEXT64 = _BASE64.replace(b"a/b", b"text/plain")
_FLOWED = b"Content-Type: text/plain; format=flowed\r\n\r\n"
_JIS = b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
_KOI8 = b"\r\n--b\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n\xee"
_PRINTABLE = b"Content-Type: a/b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_UUENCODE = b"Content-Type: a/b\r\nContent-Transfer-Encoding: uuencode\r\n\r\n"


def hostile(size: int = MEGABYTE) -> dict[str, tuple[bytes, set[str]]]:
    """Return mails of about `size` bytes that were made to hurt: name -> bytes, and defects that it must name."""
    high = bytes(range(128, 256))
    return {
        "unclosed boundaries": (_MIXED + _filled(b"--b\r\n" + _nested(1), size), {"boundary-unclosed", "parts-limit"}),
        "nested 1,000 deep": (_nested(1000), {"boundary-unclosed", "depth-limit"}),
        "large at depth 49": (_nested(49) + b"\r\n" + _filled(b"line\r\n", size), {"boundary-unclosed"}),
        "alternatives 49 deep": (
            _nested(49).replace(b"mixed", b"alternative") + b"\r\nx\r\n" + _filled(b"--b48\r\n\r\nx\r\n", size),
            {"delimiters-limit"},  # b4 is the beginning of b48
        ),
        "100,000 parts": (_MIXED + b"--b\r\n\r\nx\r\n" * 100_000, {"parts-limit"}),
        "1,000 parts of 900 headers": (
            _MIXED + (b"--b\r\n" + b"a:\r\n" * 900 + b"\r\nx\r\n") * min(1000, size // 3600),
            {"boundary-unclosed"},
        ),
        "parts after the end": (_MIXED + _filled(b"--b\r\n\r\n--b--\r\n", size), {"boundary-reopened", "parts-limit"}),
        "ends only": (_MIXED + b"--b\r\n\r\n" + _filled(b"--b--\r\n", size), set()),
        "near misses": (_MIXED + _filled(b"--bx\r\n", size), {"delimiters-limit"}),
        "near misses in a line": (_MIXED + b"--b\r\n\r\n" + _filled(b"--b", size), {"boundary-unclosed"}),
        "near misses by their ends": (_MIXED + b"--b\r\n\r\n" + _filled(b"\n--b" + b" " * 50 + b"x", size), set()),
        "near misses, 49 deep": (
            b"".join(
                b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n" % (b"b" * n, b"b" * n)
                for n in range(60, 11, -1)
            )
            + _filled(b"--" + b"b" * 61 + b"\r\n", size),
            {"delimiters-limit"},
        ),
        "dashes": (_MIXED.replace(b"=b", b"=" + b"-" * 68 + b"x") + _filled(b"-", size), {"boundary-absent"}),
        "a long boundary": (
            _MIXED.replace(b"=b", b"=" + b"b" * 60_000) + _filled(b"--" + b"b" * 60_000 + b"\r\n\r\nx\r\n", size),
            {"boundary-unclosed"},
        ),
        "an empty boundary": (_MIXED.replace(b"=b", b'=""') + _filled(b"--\r\n", size), {"boundary-missing"}),
        "one long header": (b"Subject: " + b"a" * size + b"\r\n\r\nbody", {"headers-limit"}),
        "one folded header": (b"Subject: a\r\n" + _filled(b" b\r\n", size), {"headers-limit"}),
        "many headers": (_filled(b"X: y\r\n", size), {"headers-limit"}),
        "many bad lines": (b"A: b\r\n" + _filled(b"c\r\nd:\r\n", size), {"header-malformed", "headers-limit"}),
        "commas": (b"To: " + b"," * size + b"\r\n\r\nbody", {"headers-limit"}),
        "openings of words": (b"Subject: " + b"=?" * (size // 2), {"headers-limit"}),
        "beginnings of words": (b"Subject: " + b"=?a?b?" * (size // 6), {"headers-limit"}),
        "words": (
            _MIXED
            + b"--b\r\nContent-Type: a/b\r\nContent-ID: %s\r\n\r\n" % _filled(b"=?a?q??=", 60_000) * (size // 60_000),
            {"charset-unknown"},
        ),
        "words of changing charsets": (
            b"".join(b"Subject: %s\r\n" % _filled(b"=?a?q??==?b?b?/?=", 60_000) for _ in range(4)),
            {"charset-unknown", "base64-repaired"},
        ),
        "comments": (
            _MIXED + b"--b\r\nContent-Transfer-Encoding: %s\r\n\r\n" % _filled(b"()", 65_000) * (size // 65_000),
            {"boundary-unclosed"},
        ),
        "parameters": (
            _MIXED + b"--b\r\nContent-Type: a/b%s\r\n\r\n" % _filled(b';a="\\"', 65_000) * (size // 65_000),
            {"boundary-unclosed"},
        ),
        "100,000 segments": (
            _MIXED + b"--b\r\nContent-Type: a/b" + b"".join(b";name*%d=a" % n for n in range(100_000)) + b"\r\n\r\nx",
            {"headers-limit"},
        ),
        "as many segments as are read": (
            _MIXED + b"--b\r\nContent-Type: a/b" + b"".join(b";name*%d=a" % n for n in range(5000)) + b"\r\n\r\nx",
            {"filename-cleaned"},
        ),
        "NUL": (b"\0" * size, {"header-malformed", "headers-missing"}),
        "8 bit": (b"A: b\r\n\r\n" + _filled(high, size), {"charset-guessed", "charset-undecodable"}),
        "8 bit, UTF-8": (
            b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + _filled(high, size),
            {"charset-undecodable"},
        ),
        "8 bit, Japanese": (
            b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + _filled(high, size),
            {"charset-undecodable"},
        ),
        "8 bit, everywhere": (_filled(b"Content-\xff: \xff\r\n" + high + b"\r\n", size), {"header-malformed"}),
        "UTF-7 without an end": (b"Content-Type: text/plain; charset=utf-7\r\n\r\n+" + b"A" * size, set()),
        "base64 of padding": (_BASE64 + _filled(b"A=", size), {"base64-repaired"}),
        "base64 in blocks": (_BASE64 + _filled(b"AA==", size), {"base64-repaired"}),
        "base64 with far padding": (_BASE64 + b"AA=" + b" " * size + b"=", {"base64-repaired"}),
        "base64 of dashes": (_BASE64 + b"-" * size, {"base64-missing"}),
        "base64 of short lines": (_BASE64 + _filled(b"A\n", size), {"base64-repaired"}),
        "base64 of words": (_TEXT64 + _filled(b"QUJDQUJDQUJDQUJD\na b\n", size), {"base64-repaired"}),
        "uuencoded files": (_filled(b"A: b\n\n", 6) + _filled(b"begin 644 x\n#0V%T\nend\n", size), set()),
        "beginnings of uuencoded files": (b"A: b\n\n" + _filled(b"begin 644 x\n#0V%T\n", size), set()),
        "flowed lines": (_FLOWED + _filled(b"> a \n", size), set()),
        "flowed quotes": (_FLOWED + _filled(b">" * 1000 + b" \n", size), set()),
        "raw headers": (
            _MIXED + _filled(b"--b\r\nContent-ID: \xee\xcf\r\nX: \xee\r\n\r\n", size // 2) + _KOI8,
            {"parts-limit"},
        ),
        "lost indents": (b"A: b\r\n" + _filled(b"c\r\n", 200_000) + b"\r\nbody", {"header-malformed"}),
        "ISO-2022-JP of escapes": (_JIS + _filled(b"\x1b$B!!\x1b(B", size), set()),
        "EUC-JP": (_JIS.replace(b"iso-2022-jp", b"euc-jp") + _filled(b"\xa4\xa2a", size), set()),
        "Big5 of errors": (
            _JIS.replace(b"iso-2022-jp", b"big5") + _filled(b"\xff", size // 16),  # a call of Python for each
            {"charset-undecodable"},
        ),
        "GBK of euros": (_JIS.replace(b"iso-2022-jp", b"gbk") + _filled(b"\x80 ", size // 16), set()),
        "HTML of meta elements": (
            b"Content-Type: text/html\r\n\r\n" + _filled(b"<meta charset" + b"<!--" * 3, size),
            set(),
        ),
        "quoted-printable of equals": (_PRINTABLE + b"=" * size, {"quoted-printable-repaired"}),
        "quoted-printable of blanks": (_PRINTABLE + b"=" + b" " * size, {"quoted-printable-repaired"}),
        "quoted-printable of blank ends": (_PRINTABLE + _filled(b" " * 50 + b"x \n", size), set()),
        "uuencode of short lines": (_UUENCODE + b"begin 1 x\n" + _filled(b"M\n", size), {"uuencode-repaired"}),
        "uuencode of empty lines": (_UUENCODE + b"begin 1 x\n" + b"\n" * size, {"uuencode-repaired"}),
    }
