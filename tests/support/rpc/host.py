"""What the RPC server needs around it in a test: a configuration, methods, and a peer that speaks frames."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeVar

import anyio
import msgspec
from support.log import Log
from support.waiting import TIMEOUT

from rrpy.container.errors import ConfigError, PluginDisabled
from rrpy.container.net.address import Address, UnixAddress, parse_address
from rrpy.container.net.listening import listen_addresses
from rrpy.goridge.frame import JSON, Decoder, Frame, encode
from rrpy.rpc.codecs import CODECS
from rrpy.rpc.errors import RPCError
from rrpy.rpc.registry import Method, Registry
from rrpy.rpc.server import Server

T = TypeVar("T")


class Config:
    """A Configurer over a dictionary; keys called `password` are secrets."""

    source = "rr.yaml"

    def __init__(self, **sections: Any) -> None:
        self._sections = sections

    def has(self, name: str) -> bool:
        return name in self._sections

    def section(self, name: str, model: type[T]) -> T:
        if name not in self._sections:
            raise PluginDisabled
        try:
            return msgspec.convert(self._sections[name], model)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{self.source}: {name}: {error}") from error

    def masked(self) -> dict[str, Any]:
        return {
            name: {key: "***" if key == "password" else value for key, value in section.items()}
            for name, section in self._sections.items()
        }


class Connection(msgspec.Struct, rename={"from_": "from"}):
    uuid: str
    remote_addr: str
    from_: str
    to: list[str]
    authenticated: bool = False
    username: str = ""


ONE = Connection("u1", "127.0.0.1:40000", "a@x.io", ["b@y.io"])


@dataclass
class Range:
    first: int = 0
    last: int = 10


class SMTPMethods:
    """The methods of the wire vectors."""

    def __init__(self, *connections: Connection) -> None:
        self.connections = list(connections)

    def list_connections(self, _: bool) -> list[Connection]:
        """Return the connections."""
        return self.connections

    def close_connection(self, uuid: str) -> bool:
        """Close one connection."""
        found = [connection for connection in self.connections if connection.uuid == uuid]
        if not found:
            raise RPCError("connection not found")
        self.connections.remove(found[0])
        return True


class TestMethods:
    """Methods of every kind. A gate is an event by name: `wait` waits at it, `open` opens it."""

    __test__ = False
    not_a_method = "x"

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.waiting = 0
        self.most_waiting = 0
        self.arrived = asyncio.Condition()

    def echo(self, value):  # no annotation: anything
        """Return the argument."""
        return value

    async def wait(self, gate: str) -> str:
        """Wait until the gate is open."""
        async with self.arrived:
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
            self.arrived.notify_all()
        try:
            await self._gate(gate).wait()
        finally:
            self.waiting -= 1
        return gate

    def open(self, gate: str) -> bool:
        """Open a gate."""
        self._gate(gate).set()
        return True

    async def until_waiting(self, count: int) -> None:
        with anyio.fail_after(TIMEOUT):
            async with self.arrived:
                await self.arrived.wait_for(lambda: self.waiting >= count)

    def upper(self, data: bytes) -> bytes:
        """Return the bytes in upper case."""
        return data.upper()

    def text(self, data: bytes) -> str:
        return f"{len(data)} bytes, ü"

    def length(self, data: bytes) -> int:
        return len(data)

    def bytes_of(self, count: int) -> bytes:
        return bytes([count % 251]) * count

    def span(self, wanted: Range) -> int:
        return wanted.last - wanted.first

    def nothing(self) -> None: ...

    def exit(self) -> None:
        raise SystemExit(7)

    def value_error(self) -> None:
        raise ValueError("the moon is not full")

    def crash(self) -> None:
        raise KeyError("secret detail")

    async def cancelled(self) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    def unsendable(self) -> object:
        return {1: object()}

    def _gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())


class Peer:
    """A client that speaks frames, so that it can also misbehave."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._frames: list[Frame] = []

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def ask(self, method: str, argument: bytes = b"", sequence: int = 1, flags: int = JSON) -> None:
        await self.send(request(method, argument, sequence, flags))

    async def call(self, method: str, argument: bytes = b"", sequence: int = 1, flags: int = JSON) -> Frame:
        await self.ask(method, argument, sequence, flags)
        return await self.receive()

    async def receive(self) -> Frame:
        """The next frame. Fails when the server closes instead."""
        frame = await self.receive_or_end()
        assert frame is not None, "the server closed the connection"
        return frame

    async def receive_or_end(self) -> Frame | None:
        with anyio.fail_after(TIMEOUT):
            while not self._frames:
                try:
                    data = await self._reader.read(65536)
                except ConnectionError:
                    data = b""
                if not data:
                    return None
                self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    async def receive_some(self) -> bytes:
        """The next bytes, no more than fit a buffer."""
        with anyio.fail_after(TIMEOUT):
            return await self._reader.read(1000)

    def reset_at_close(self) -> None:
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def finish_sending(self) -> None:
        self._writer.write_eof()

    async def close(self) -> None:
        self._writer.transport.abort()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


def request(method: str, argument: bytes = b"", sequence: int = 1, flags: int = JSON) -> bytes:
    name = method.encode()
    return encode(Frame(flags, name + argument, (sequence, len(name))))


def body(frame: Frame) -> bytes:
    """What follows the method in a response."""
    return frame.payload[frame.options[1] :]


async def encoded_result(method: Method, data: bytes, flag: int = JSON) -> bytes:
    """Call a method with an encoded argument, and return its result with the same codec."""
    codec = CODECS[flag]
    result = method.call(*method.arguments(codec, data))
    return method.encoded(codec, await result if isawaitable(result) else result)


@asynccontextmanager
async def peer_of(address: Address | str) -> AsyncIterator[Peer]:
    if isinstance(address, str):
        address = parse_address(address)
    with anyio.fail_after(TIMEOUT):
        if isinstance(address, UnixAddress):
            streams = await asyncio.open_unix_connection(address.path)
        else:
            streams = await asyncio.open_connection(*address)
    peer = Peer(*streams)
    try:
        yield peer
    finally:
        with anyio.CancelScope(shield=True):
            await peer.close()


@asynccontextmanager
async def server_of(
    address: str = "tcp://127.0.0.1:0", log: Log | None = None, **services: object
) -> AsyncIterator[Server]:
    """A server that serves; keywords that are numbers are its limits."""
    registry = Registry()
    limits = {name: value for name, value in services.items() if isinstance(value, int)}
    for name, target in services.items():
        if name not in limits:
            registry.add(name, target)
    server = Server(listen_addresses(address, "rpc.listen", urls=True), registry, log or Log(), **limits)
    async with anyio.create_task_group() as group:
        await group.start(serve, server)
        try:
            yield server
        finally:
            with anyio.CancelScope(shield=True), anyio.fail_after(TIMEOUT):
                await server.stop()


async def serve(server: Server, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await server.serve(task_status=task_status)
