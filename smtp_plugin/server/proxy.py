"""The PROXY header, v1 or v2, with which a proxy begins a connection (proxy-protocol.txt of HAProxy). Pure.

A header becomes aiosmtpd's `ProxyData`, which handlers know. aiosmtpd's own parser waits for the end of a line that is
too long, and logs its errors under a name of its own.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from aiosmtpd.proxy_protocol import AF, PROTO, V2_CMD, V2_SIGNATURE, ProxyData

MAX_V1: Final = 107
"""Longest header of version 1 in bytes, CR LF included: section 2.1."""

_V1_BEGIN: Final = b"PROXY "
_V1: Final = re.compile(
    rb"PROXY (?:UNKNOWN([^\r\n]*)|TCP([46]) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4}))\r\n"
)
_V2_HEAD: Final = 16  # bytes: the signature, version and command, family and protocol, and the length of the rest
_MAX_PORT: Final = 0xFFFF
_WIDTHS: Final = {AF.INET: 4, AF.INET6: 16, AF.UNIX: 108}
"""Bytes of an address of version 2."""


def client_of(data: ProxyData) -> tuple[str, int] | None:
    """Return the client's address and port in a valid header; None where the socket's own peer is the client.

    That is so for a header without an address, and for LOCAL: the proxy's own connection, such as a health check, whose
    address the receiver must ignore (section 2.2).
    """
    if data.command == V2_CMD.LOCAL or data.src_addr is None or data.src_port is None:
        return None
    return str(data.src_addr), data.src_port


class ProxyHeader:
    """The header, on its way in. `rest`: the bytes after it."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._done = False
        self.rest = b""

    def feed(self, data: bytes) -> ProxyData | None:
        """Take bytes, which may go beyond the header. Return the header once, when it is whole or wrong."""
        if self._done:
            self.rest += data
            return None
        self._bytes += data
        found = _read(self._bytes)
        if found is None:
            return None
        header, size = found
        self._done = True
        self.rest = bytes(self._bytes[size:])
        return header

    def end(self) -> ProxyData | None:
        """Take the end of the input. Return a wrong header when it ends inside it."""
        if self._done:
            return None
        self._done = True
        return _wrong(None, "the input ends inside it" if self._bytes else "the client has sent nothing", self._bytes)


def _read(data: bytearray) -> tuple[ProxyData, int] | None:
    """Return the header, valid or not, and its size in bytes; None before it is whole."""
    if _V1_BEGIN.startswith(data[: len(_V1_BEGIN)]):
        end = data.find(b"\n", 0, MAX_V1)
        if end >= 0:
            return _read_v1(bytes(data[: end + 1])), end + 1
        return (_wrong(1, f"its line has more than {MAX_V1} bytes", data), len(data)) if len(data) >= MAX_V1 else None
    if V2_SIGNATURE.startswith(data[: len(V2_SIGNATURE)]):
        size = _V2_HEAD + int.from_bytes(data[_V2_HEAD - 2 : _V2_HEAD], "big")
        return (_read_v2(bytes(data[:size])), size) if len(data) >= max(size, _V2_HEAD) else None
    return _wrong(None, "the connection begins with other bytes", data), len(data)


def _wrong(version: int | None, error: str, header: bytes | bytearray) -> ProxyData:
    data = ProxyData(version=version)
    data.error = error
    data.whole_raw = bytearray(header)
    return data


def _read_v1(line: bytes) -> ProxyData:
    """Read `PROXY TCP4 source destination port port`, or `PROXY UNKNOWN` with anything after it (section 2.1)."""
    found = _V1.fullmatch(line)
    if found is None:
        return _wrong(1, "its line is malformed", line)
    data = ProxyData(version=1)
    data.whole_raw = bytearray(line)
    rest, family, *addresses, from_port, to_port = found.groups()
    if family is None:
        data.family, data.protocol, data.rest = AF.UNSPEC, PROTO.UNSPEC, rest
        return data
    data.family, data.protocol = AF.INET if family == b"4" else AF.INET6, PROTO.STREAM
    try:
        data.src_addr, data.dst_addr = (ip_address(each.decode()) for each in addresses)
    except ValueError:
        return _wrong(1, "an address in it is malformed", line)
    data.src_port, data.dst_port = int(from_port), int(to_port)
    if {data.src_addr.version, data.dst_addr.version} != {int(family)}:
        return _wrong(1, f"an address in it is not of IPv{int(family)}", line)
    return data if max(data.src_port, data.dst_port) <= _MAX_PORT else _wrong(1, "a port in it is too high", line)


def _read_v2(header: bytes) -> ProxyData:
    """Read a binary header (section 2.2): addresses of three families, then TLVs, which stay unread in `rest`."""
    data = ProxyData(version=2)
    data.whole_raw = bytearray(header)
    about, kind = header[12], header[13]
    if about >> 4 != 2:
        return _wrong(2, "its version is not 2", header)
    try:
        data.command, data.family, data.protocol = V2_CMD(about & 15), AF(kind >> 4), PROTO(kind & 15)
    except ValueError:
        return _wrong(2, "its command, family or protocol is unknown", header)
    width = _WIDTHS.get(data.family, 0)
    if not width or data.protocol is PROTO.UNSPEC:
        data.rest = header[_V2_HEAD:]
        return data
    ports = 0 if data.family is AF.UNIX else 4
    end = _V2_HEAD + 2 * width + ports
    if len(header) < end:
        return _wrong(2, "its addresses are cut", header)
    source, destination = header[_V2_HEAD : _V2_HEAD + width], header[_V2_HEAD + width : end - ports]
    if data.family is AF.UNIX:
        data.src_addr, data.dst_addr = source, destination
    else:
        number = IPv4Address if data.family is AF.INET else IPv6Address
        data.src_addr, data.dst_addr = number(source), number(destination)
        data.src_port, data.dst_port = (int.from_bytes(header[at : at + 2], "big") for at in (end - 4, end - 2))
    data.rest = header[end:]
    data.tlv_start = end if data.rest else None
    return data
