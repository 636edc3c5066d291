"""A header or a body of 64 KiB is read in time that is in proportion to it, whatever is in it."""

from __future__ import annotations

import pytest
from support.linear import repeated, superlinear

from rrpy.mime.message import parse

pytestmark = pytest.mark.usefixtures("untraced")

HEADERS = (
    "From", "To", "Subject", "Message-ID",
    "Content-Type: text/plain; charset", "Content-Type: multipart/mixed; boundary",
    "Content-Type: multipart/mixed", "Content-Disposition: attachment; filename", "Content-Disposition",
    "Content-Type: image/png; name*0", "Content-Transfer-Encoding", "Content-ID",
)  # fmt: skip
BODIES = (
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: x-uuencode",
    "Content-Type: multipart/mixed; boundary=b",
    "Content-Type: text/plain; charset=utf-7",
    "Content-Type: text/html",
)


@pytest.mark.parametrize("header", HEADERS)
def test_a_header(header: str) -> None:
    name = header if ":" not in header else f"{header}="

    def read(text: str) -> None:
        parse(f"{name}: {text}\r\n\r\nx".encode() if ":" not in header else f"{name}{text}\r\n\r\nx".encode())

    assert superlinear(read, repeated()) == []


@pytest.mark.parametrize("header", BODIES)
def test_a_body(header: str) -> None:
    assert superlinear(lambda text: parse(f"{header}\r\n\r\n{text}".encode()), repeated()) == []


@pytest.mark.parametrize(
    "line", ["a\r\n", "\r\n", "-\r\n", "--\r\n", "--b\r\n", "a:\r\n", " a\r\n", "a: b\r\n c\r\n", "=\r\n"]
)
@pytest.mark.parametrize("header", ["", *BODIES])
def test_lines(header: str, line: str) -> None:
    assert superlinear(lambda text: parse(f"{header}\r\n\r\n{text}".encode()), repeated([line])) == []
    assert superlinear(lambda text: parse(text.encode()), repeated([line])) == []
