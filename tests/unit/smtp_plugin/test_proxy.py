"""The PROXY header: it means what aiosmtpd's parser reads in it, and is found wrong at its first wrong byte."""

from __future__ import annotations

import asyncio

import pytest
from aiosmtpd.proxy_protocol import V2_SIGNATURE, ProxyData, get_proxy

from rrpy.smtp_plugin.server.proxy import MAX_V1, ProxyHeader

pytestmark = pytest.mark.anyio


def v2(about: int, kind: int, rest: bytes) -> bytes:
    return V2_SIGNATURE + bytes([about, kind]) + len(rest).to_bytes(2, "big") + rest


IPV4 = bytes.fromhex("c0000207c00002089c410019")
IPV6 = bytes.fromhex("20010db8" + "00" * 11 + "0720010db8" + "00" * 11 + "089c410019")
TLV = b"\x04\x00\x01x"
VALID = [
    *(b"PROXY TCP4 192.0.2.7 192.0.2.8 40001 25\r\n", b"PROXY TCP4 192.0.2.7 192.0.2.8 0 65535\r\n"),
    *(b"PROXY TCP6 2001:db8::7 2001:db8::8 40001 25\r\n", b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"),
    *(b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 x y\r\n", b"PROXY UNKNOWN" + b" x" * 46 + b"\r\n"),
    *(v2(0x21, 0x11, IPV4), v2(0x21, 0x11, IPV4 + TLV), v2(0x21, 0x12, IPV4), v2(0x21, 0x21, IPV6)),
    *(v2(0x20, 0x00, b""), v2(0x20, 0x11, IPV4), v2(0x21, 0x00, b"anything"), v2(0x21, 0x10, IPV4)),
    v2(0x21, 0x31, b"/from".ljust(108, b"\0") + b"/to".ljust(108, b"\0")),
]
WRONG = [
    *(b"PROXY TCP4 192.0.2.7 192.0.2.8 40001\r\n", b"PROXY TCP4 192.0.2.7 192.0.2.8 40001 25 9\r\n"),
    *(b"PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n", b"PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n"),
    *(b"PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n", b"PROXY TCP4 192.0.2.7 ::1 1 2\r\n"),
    *(b"PROXY TCP6 192.0.2.7 ::1 1 2\r\n", b"PROXY TCP4 192.0.2 192.0.2.8 1 2\r\n", b"PROXY UDP4 a b 1 2\r\n"),
    *(b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n", b"PROXY nonsense\r\n", b"PROXYTCP4 192.0.2.7 192.0.2.8 1 2\r\n"),
    *(b"PROXY UNKNOWN" + b" x" * 47 + b"\r\n", b"EHLO x\r\n"),
    *(v2(0x11, 0x11, IPV4), v2(0x22, 0x11, IPV4), v2(0x21, 0x41, IPV4), v2(0x21, 0x13, IPV4)),
    *(v2(0x21, 0x11, IPV4[:-1]), v2(0x21, 0x21, IPV4), v2(0x21, 0x31, IPV4)),
]


async def expected(header: bytes) -> ProxyData:
    reader = asyncio.StreamReader()
    reader.feed_data(header)
    reader.feed_eof()
    return await get_proxy(reader)


@pytest.mark.parametrize("header", VALID)
async def test_a_header_means_what_aiosmtpd_reads_in_it(header: bytes) -> None:
    wanted = await expected(header)
    assert wanted.valid
    for size in (len(header), 1, 7):
        reader = ProxyHeader()
        pieces = [header[at : at + size] for at in range(0, len(header), size)]
        assert [reader.feed(piece) for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
        assert reader.feed(pieces[-1] + b"EHLO x\r\n") == wanted
        assert reader.feed(b"NOOP\r\n") is None
        assert reader.rest == b"EHLO x\r\nNOOP\r\n"
        assert reader.end() is None


@pytest.mark.parametrize("header", WRONG)
async def test_a_wrong_header_is_wrong_for_aiosmtpd_too_and_says_why(header: bytes) -> None:
    assert not (await expected(header)).valid
    reader = ProxyHeader()
    found = [data for at in range(len(header)) if (data := reader.feed(header[at : at + 1])) is not None]
    assert len(found) == 1
    assert not found[0].valid
    assert found[0].error


def test_a_line_that_is_too_long_is_cut_and_not_waited_for() -> None:
    """aiosmtpd waited for the end of the line, up to 64 KiB and a timeout."""
    reader = ProxyHeader()
    begin = b"PROXY UNKNOWN "
    assert reader.feed(begin + b"x" * (MAX_V1 - len(begin) - 1)) is None
    found = reader.feed(b"x")
    assert found is not None
    assert found.error == "its line has more than 107 bytes"


@pytest.mark.parametrize(("sent", "error"), [(b"", "has sent nothing"), (b"PROXY TCP4 ", "ends inside it")])
def test_a_header_that_the_end_of_the_input_cuts_is_wrong(sent: bytes, error: str) -> None:
    reader = ProxyHeader()
    assert reader.feed(sent) is None
    found = reader.end()
    assert found is not None
    assert found.error.endswith(error)
