"""The limits of the RPC server's clients, over real sockets; the clock is the test's."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from support.container.clock import TurnedLoop, run
from support.log import Log
from support.rpc.host import Peer, TestMethods, body, peer_of, request, server_of
from support.waiting import until

from rrpy.container.net import accepting
from rrpy.goridge.frame import ERROR, JSON, MSGPACK, Frame, encode
from rrpy.rpc import connection as connection_module
from rrpy.rpc import server as server_module
from rrpy.rpc.client import Client
from rrpy.rpc.connection import MAX_UNREAD, READ_TIMEOUT, REQUEST_TIMEOUT
from rrpy.rpc.errors import RPCError
from rrpy.rpc.server import IDLE_TIME, MAX_REFUSED, Server

pytestmark = pytest.mark.usefixtures("slow_machine")
REQUEST = request("t.Echo", b"1")
REFUSAL = "rpc: the host has 2 connections (rpc.max_connections), try again later"


@pytest.fixture
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused client has time enough for its request on any machine."""
    monkeypatch.setattr(connection_module, "REFUSAL_TIMEOUT", 60.0)


async def is_served(peer: Peer) -> bool:
    return body(await peer.call("t.Echo", b"1")) == b"1"


async def until_asked(server: Server, count: int) -> None:
    """Wait until so many connections have had a call."""
    await until(lambda: sum(each.asked for each in server._connections) == count)


# A request that does not end.


def test_a_request_that_does_not_end_is_dropped_also_when_bytes_trickle_in() -> None:
    async def test(loop: TurnedLoop) -> None:
        log = Log()
        async with server_of(log=log, t=TestMethods()) as server, peer_of(server.address) as peer:
            assert await is_served(peer)
            loop.turn(10 * REQUEST_TIMEOUT)
            assert await is_served(peer), "a pause between requests is no fault"
            (connection,) = server._connections
            for number, byte in enumerate(REQUEST[:-1]):
                await peer.send(bytes([byte]))
                await until(lambda count=number + 1: connection._share.held == count)
                loop.turn(REQUEST_TIMEOUT / (len(REQUEST) - 0.5))
            assert await peer.receive_or_end() is None
        ((message, keys),) = log.of("warning")
        assert message == "rpc connection dropped"
        assert keys["reason"] == f"a request was not complete after {REQUEST_TIMEOUT:g} s"

    run(test)


def test_each_request_has_its_own_time() -> None:
    async def test(loop: TurnedLoop) -> None:
        async with server_of(t=TestMethods()) as server, peer_of(server.address) as peer:
            (connection,) = await connections_of(server, 1)
            await peer.send(REQUEST[:20])
            for _ in range(5):
                await until(lambda: connection._share.held == 20)
                loop.turn(REQUEST_TIMEOUT * 0.9)
                await peer.send(REQUEST[20:] + REQUEST[:20])
                assert body(await peer.receive()) == b"1"

    run(test)


def test_half_requests_of_all_connections_have_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 connections with a half request of 16 MiB each held 4 GiB."""
    size, count = 50_000, 12
    monkeypatch.setattr(server_module, "MAX_HELD", 0)  # so that it is four frames

    async def test(loop: TurnedLoop) -> None:
        log = Log()
        half = request("t.Upper", b"x" * size)[:-1]
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(server_of(log=log, t=TestMethods(), max_frame_bytes=size + 100))
            good = await stack.enter_async_context(peer_of(server.address))
            halves = []
            for _ in range(count):
                halves.append(await stack.enter_async_context(peer_of(server.address)))
                await halves[-1].send(half)
                await until(lambda: server._budget._held >= len(half) * min(len(halves), 3))
                loop.turn(0.01)
                assert server._budget._held <= server._budget.limit
                large = await good.call("t.Echo", b'"' + b"x" * size + b'"')
                assert len(large.payload) > size
            dropped = log.keys("rpc connection dropped")
            assert len(dropped) >= count - 4
            assert {str(keys["reason"]) for keys in dropped} == {
                f"all connections together hold more than {4 * (size + 100)} bytes of requests and responses"
            }
            assert await is_served(good)
            assert await halves[0].receive_or_end() is None, "the longest ones went"

    run(test)


async def connections_of(server: Server, count: int) -> list:
    await until(lambda: len(server._connections) == count)
    return [*server._connections]


def test_large_arguments_are_decoded_one_in_each_turn_of_the_loop() -> None:
    """All of those that arrived together were decoded in one turn, and delayed everything else."""

    class Methods:
        def __init__(self, loop: TurnedLoop) -> None:
            self.loop = loop
            self.turn = 0
            self.turns: list[int] = []

        def large(self, value: bytes) -> int:
            self.turns.append(self.turn)
            return len(value)

        def count_turns(self) -> None:
            self.turn += 1
            if len(self.turns) < 30:
                self.loop.call_soon(self.count_turns)

    async def test(loop: TurnedLoop) -> None:
        methods = Methods(loop)
        methods.count_turns()
        large = b"\xc5\x13\x88" + bytes(5000)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(server_of(t=methods))
            peers = [await stack.enter_async_context(peer_of(server.address)) for _ in range(3)]
            for peer in peers:
                await peer.send(b"".join(request("t.Large", large, number, MSGPACK) for number in range(10)))
            for peer in peers:
                assert [body(await peer.receive()) for _ in range(10)] == [b"\xcd\x13\x88"] * 10
        assert len({*methods.turns}) == 30

    run(test)


# Responses that are not read.


def test_a_client_that_does_not_read_begins_no_further_call_and_is_dropped() -> None:
    size = 40 * MAX_UNREAD

    class Counting:
        calls = 0

        def big(self) -> bytes:
            self.calls += 1
            return bytes(size)

        async def later(self) -> bytes:
            await asyncio.sleep(0)
            self.calls += 1
            return bytes(size)

    async def test(loop: TurnedLoop) -> None:
        log, methods = Log(), Counting()
        async with server_of(log=log, c=methods) as server, peer_of(server.address) as deaf:
            (connection,) = await connections_of(server, 1)
            await deaf.send(b"".join(request("c.Big", sequence=number, flags=MSGPACK) for number in range(50)))
            await deaf.send(b"".join(request("c.Later", sequence=number, flags=MSGPACK) for number in range(50)))
            await until(lambda: connection._writer.transport.get_write_buffer_size() > MAX_UNREAD)
            for _ in range(20):
                await asyncio.sleep(0)
            # What the kernel's buffers take counts as read.
            assert methods.calls < 10
            assert connection._writer.transport.get_write_buffer_size() < 2 * size
            loop.turn(READ_TIMEOUT)
            await until(lambda: not server._connections)
        ((message, keys),) = log.of("warning")
        assert (message, keys["reason"]) == (
            "rpc connection dropped",
            f"it has read nothing of its responses for {READ_TIMEOUT:g} s",
        )

    run(test)


def test_a_client_that_reads_slowly_is_not_dropped() -> None:
    size = 100 * MAX_UNREAD

    async def test(loop: TurnedLoop) -> None:
        log = Log()
        async with server_of(log=log, t=TestMethods()) as server, peer_of(server.address) as slow:
            (connection,) = await connections_of(server, 1)
            await slow.ask("t.BytesOf", b"\xce" + size.to_bytes(4), flags=MSGPACK)
            await until(lambda: connection._writer.transport.get_write_buffer_size() > MAX_UNREAD)
            received = 0
            while received < size:
                before = connection._writer.transport.get_write_buffer_size()
                received += len(await slow.receive_some())
                if connection._writer.transport.get_write_buffer_size() < before:
                    loop.turn(READ_TIMEOUT)
            await until(lambda: not connection.calling)
            assert log.of("warning") == []

    run(test)


# Too many connections.


def test_a_connection_that_is_idle_makes_room() -> None:
    """256 connections that did nothing kept every other client out."""

    async def test(loop: TurnedLoop) -> None:
        log, methods = Log(), TestMethods()
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(server_of(log=log, t=methods, max_connections=4))

            async def connect(count: int) -> Peer:
                peer = await stack.enter_async_context(peer_of(server.address))
                await connections_of(server, count)
                loop.turn(1e-3)  # so that no two are of the same moment
                return peer

            waits, used = await connect(1), await connect(2)
            assert await is_served(used)
            older, half = await connect(3), await connect(4)
            await waits.ask("t.Wait", b'"a"')
            await methods.until_waiting(1)
            await half.send(REQUEST[:-1])
            loop.turn(IDLE_TIME)
            first = await connect(4)
            assert await is_served(first)
            assert await older.receive_or_end() is None, "one without any call goes first"
            second = await connect(4)
            assert await is_served(second)
            assert await half.receive_or_end() is None, "half a request is not a call"
            third = await connect(4)
            assert await is_served(third)
            assert await used.receive_or_end() is None
            methods.open("a")
            assert body(await waits.receive()) == b'"a"', "one with a call stays"
            for peer in (first, second, third):
                assert await is_served(peer)
        assert [keys for keys in log.keys("too many rpc connections") if keys["refused"]] == []

    run(test)


async def full(stack: AsyncExitStack, log: Log) -> tuple[Server, TestMethods, Peer]:
    """A server with as many connections as it may have, each with a call."""
    methods = TestMethods()
    server = await stack.enter_async_context(server_of(log=log, t=methods, max_connections=2))
    busy = [await stack.enter_async_context(peer_of(server.address)) for _ in range(2)]
    for peer in busy:
        await peer.ask("t.Wait", b'"a"')
    await methods.until_waiting(2)
    return server, methods, busy[0]


def test_where_none_is_idle_a_new_client_gets_a_sentence() -> None:
    async def test(loop: TurnedLoop) -> None:
        log = Log()
        async with AsyncExitStack() as stack:
            server, methods, busy = await full(stack, log)
            loop.turn(IDLE_TIME)
            for flags in (JSON, MSGPACK):
                refused = await stack.enter_async_context(peer_of(server.address))
                reply = await refused.call("t.Echo", b"1", sequence=7, flags=flags)
                assert reply == Frame(flags | ERROR, b"t.Echo" + REFUSAL.encode(), (7, 6))
                assert await refused.receive_or_end() is None
            silent = await stack.enter_async_context(peer_of(server.address))
            await until(lambda: server._refusing)
            loop.turn(60)
            assert await silent.receive_or_end() is None
            methods.open("a")
            assert body(await busy.receive()) == b'"a"'
            ((message, keys),) = log.of("warning")
            assert (message, keys["closed_idle"], keys["limit"]) == ("too many rpc connections", 0, 2)
            loop.turn(60)
            again = await stack.enter_async_context(peer_of(server.address))
            assert await is_served(again)
        counts = [(keys["refused"], keys["closed_idle"]) for keys in log.keys("too many rpc connections")]
        assert counts == [(1, 0), (2, 1)], "those without a line of their own are counted"

    run(test)


def test_the_client_of_python_raises_the_sentence() -> None:
    def call(address: str) -> str:
        with Client(address) as client, pytest.raises(RPCError) as raised:
            client.call("rpc.Version")
        return str(raised.value)

    async def test(_loop: TurnedLoop) -> None:
        async with AsyncExitStack() as stack:
            server, methods, _ = await full(stack, Log())
            assert await asyncio.to_thread(call, str(server.address)) == REFUSAL
            methods.open("a")

    run(test)


def test_refused_clients_are_few() -> None:
    async def test(_loop: TurnedLoop) -> None:
        async with AsyncExitStack() as stack:
            server, methods, _ = await full(stack, Log())
            silent = [await stack.enter_async_context(peer_of(server.address)) for _ in range(MAX_REFUSED)]
            await until(lambda: len(server._refusing) == MAX_REFUSED)
            late = await stack.enter_async_context(peer_of(server.address))
            assert await late.receive_or_end() is None
            assert len(server._refusing) == MAX_REFUSED
            assert len(server._connections) == 2
            methods.open("a")
            for peer in silent[:3]:
                assert body(await peer.call("t.Echo", b"1")) == REFUSAL.encode()

    run(test)


# Descriptors.


def test_the_last_descriptors_are_not_for_rpc_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop accepted until there was none, and then dropped the clients of every listener, without a word."""
    free = [1000]
    monkeypatch.setattr(accepting, "PAUSE", 0.001)
    monkeypatch.setattr(server_module, "Reserve", lambda *args: accepting.Reserve(*args, lambda: free[0]))

    async def test(_loop: TurnedLoop) -> None:
        log = Log()
        async with AsyncExitStack() as stack:
            free[0] = accepting.RESERVE
            server = await stack.enter_async_context(server_of(log=log, t=TestMethods()))
            cut = await stack.enter_async_context(peer_of(server.address))
            assert await cut.receive_or_end() is None
            waits = await stack.enter_async_context(peer_of(server.address))
            await waits.send(REQUEST)
            free[0] = 1000
            assert body(await waits.receive()) == b"1"
        assert len(log.of("warning")) == 1
        (keys,) = log.keys("no connections are accepted: too few descriptors are free")
        assert (keys["address"], keys["reserve"]) == (str(server.address), accepting.RESERVE)

    run(test)


# A request that cannot be one.


def test_a_methods_name_is_bounded() -> None:
    """A name of 16 MiB came back five times as long in the error."""

    async def test(_loop: TurnedLoop) -> None:
        log = Log()
        async with server_of(log=log, t=TestMethods()) as server, peer_of(server.address) as peer:
            long = "t." + "x" * 1022
            assert body(await peer.call(long)) == f"rpc: can't find method {long}".encode()
            await peer.send(encode(Frame(JSON, b"\xff" * 1025, (1, 1025))))
            assert await peer.receive_or_end() is None
        assert log.of("warning")[0][1]["reason"] == "the method's name has 1025 bytes, more than 1024"

    run(test)
