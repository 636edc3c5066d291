"""The PROXY header, v1 or v2, with which a proxy begins a connection; aiosmtpd parses it."""

from __future__ import annotations

import asyncio

from aiosmtpd.proxy_protocol import V2_CMD, ProxyData, get_proxy


def client_of(data: ProxyData) -> tuple[str, int] | None:
    """Return the client's address and port in a valid header; None where the socket's own peer is the client.

    That is so for a header without an address, and for LOCAL: the proxy's own connection, such as a health check, whose
    address the receiver must ignore (section 2.2 of HAProxy's proxy-protocol.txt).
    """
    if data.command == V2_CMD.LOCAL or data.src_addr is None or data.src_port is None:
        return None
    return str(data.src_addr), data.src_port


class ProxyHeader:
    """The header, on its way in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._reader = asyncio.StreamReader(loop=loop)

    def feed(self, data: bytes) -> None:
        """Take bytes, which may go beyond the header."""
        self._reader.feed_data(data)

    def end(self) -> None:
        """Take the end of the input."""
        self._reader.feed_eof()

    async def read(self) -> ProxyData:
        """Return the header, valid or not. Raises IncompleteReadError when the input ends inside it."""
        return await get_proxy(self._reader)

    def rest(self) -> bytes:
        """Return the bytes after the header."""
        return bytes(self._reader._buffer)  # type: ignore[attr-defined]  # there is no public way that does not wait
