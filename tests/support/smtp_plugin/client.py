"""A raw SMTP client, which sends and reads lines: `Client` for an event loop, `BlockingClient` for other tests."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass

import anyio
from support.waiting import TIMEOUT

TO_DATA = (("MAIL FROM:<a@b.c>", "250 OK"), ("RCPT TO:<x@y.z>", "250 OK"), ("DATA", "354 Start mail input"))
"""The commands of a transaction up to its content, with their replies."""


@dataclass
class Client:
    """Raw bytes to and from a server on the test's own event loop."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self) -> str:
        """Read one reply, of one line or more."""
        text = ""
        while True:
            with anyio.fail_after(TIMEOUT):
                line = (await self.reader.readline()).decode()
            text += line
            if line[3:4] != "-":
                return text

    async def say(self, text: str | bytes) -> str:
        """Send a line and return its reply."""
        self.send(text.encode() + b"\r\n" if isinstance(text, str) else text)
        return await self.reply()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def hello(self) -> None:
        assert (await self.reply()).startswith("220 ")
        assert (await self.say("EHLO client.example")).startswith("250-")

    async def begin(self) -> None:
        """Say everything up to 354."""
        await self.hello()
        for command, reply in TO_DATA:
            assert await self.say(command) == f"{reply}\r\n"

    async def rest(self) -> str:
        """Read to the end of the connection; a reset counts as its end."""
        with anyio.fail_after(TIMEOUT):
            try:
                return (await self.reader.read()).decode()
            except ConnectionError:
                return ""

    def vanish(self) -> None:
        """Reset the connection, as a client that crashes does."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


class BlockingClient:
    """Lines to and from the server of another process. A context manager. `address`: a path for a unix socket."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, TIMEOUT)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, text: str) -> None:
        """Send a line."""
        self.socket.sendall(text.encode() + b"\r\n")

    def line(self) -> str:
        """Read one line."""
        return self.file.readline().decode().removesuffix("\r\n")

    def say(self, text: str) -> str:
        """Send a line and return the last line of its reply."""
        self.send(text)
        while True:
            line = self.line()
            if line[3:4] != "-":
                return line

    def rest(self) -> str:
        """Read to the end of the connection; a reset counts as its end."""
        try:
            return self.file.read().decode()
        except ConnectionError:
            return ""

    def begin(self) -> None:
        """Say everything up to 354."""
        assert self.line().startswith("220 ")
        assert self.say("EHLO client.example").startswith("250 ")
        for command, reply in TO_DATA:
            assert self.say(command) == reply
