"""Error responses of the RPC server: what a client gets, and what it does not."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from support.log import Log
from support.rpc.host import TestMethods, body, peer_of, request, server_of

from rrpy.goridge.frame import ERROR, GOB, JSON, MSGPACK, PROTO, Frame, header
from rrpy.rpc import connection
from rrpy.rpc.client import Client
from rrpy.rpc.errors import RPCError
from rrpy.worker_pool.errors import (
    ExecTimeout,
    ExitReport,
    NoFreeWorker,
    PoolClosed,
    QueueFull,
    SoftError,
    UnexpectedStream,
    WorkerBroken,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"unix://{tmp_path}/rpc.sock" if request.param == "unix" else "tcp://127.0.0.1:0"


@pytest.mark.parametrize("piece", [1, 26, 5000])
async def test_a_request_over_the_limit_gets_the_limit_and_running_calls_end(address: str, piece: int) -> None:
    """A client reads nothing before it has sent the whole request, so it gets the answer only when that is read."""
    log, methods = Log(), TestMethods()
    async with (
        server_of(address, log, t=methods, max_frame_bytes=1000) as server,
        peer_of(server.address) as peer,
    ):
        await peer.ask("t.Wait", b'"a"')
        await methods.until_waiting(1)
        data = request("t.Echo", b"1" * 995, sequence=7)
        for start in range(0, len(data), piece):
            await peer.send(data[start : start + piece])
        text = b"rpc: the request has 1001 bytes, more than 1000 (rpc.max_frame_bytes)"
        assert await peer.receive() == Frame(JSON | ERROR, b"t.Echo" + text, (7, 6))
        methods.open("a")
        assert body(await peer.receive()) == b'"a"'
        assert await peer.receive_or_end() is None
    ((message, keys),) = log.of("warning")
    assert (message, keys["reason"]) == (
        "rpc connection dropped",
        "goridge frame of 1001 bytes is over the limit of 1000 bytes",
    )


@pytest.mark.parametrize("data", [header(JSON, 1001), header(JSON, 1001, (1, 300))], ids=["no options", "long name"])
async def test_a_frame_over_the_limit_that_has_no_answer_is_dropped_at_once(data: bytes) -> None:
    async with server_of(t=TestMethods(), max_frame_bytes=1000) as server, peer_of(server.address) as peer:
        await peer.send(data)
        assert await peer.receive_or_end() is None


async def test_a_blocking_client_gets_the_limit() -> None:
    """The answer arrives whole after 4 MB, because the host has read them: unread bytes would reset the connection."""
    async with server_of(t=TestMethods(), max_frame_bytes=1000) as server:

        def ask() -> None:
            with Client(str(server.address)) as client:
                client.call("t.Echo", "x" * 4_000_000)

        with pytest.raises(RPCError, match=r"^rpc: the request has 4000008 bytes, more than 1000 "):
            await anyio.to_thread.run_sync(ask)


class Refusing:
    """Methods of a plugin with a pool, which let its errors pass."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def ask(self) -> None:
        raise self._error

    async def ask_many(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self.ask)


@pytest.mark.parametrize(
    "error",
    [
        SoftError("too big for me"),
        UnexpectedStream(),
        NoFreeWorker(1),
        QueueFull(3),
        WorkerBroken(ExitReport(7, 3)),
        ExecTimeout(ExitReport(7, -9), "took longer than 1 s"),
        PoolClosed(),
    ],
    ids=repr,
)
async def test_an_error_of_a_pool_reaches_the_caller_as_its_text(error: Exception) -> None:
    """It was an internal error, and a traceback in the log."""
    log = Log()
    async with server_of("tcp://127.0.0.1:0", log, r=Refusing(error)) as server, peer_of(server.address) as peer:
        for method in ("r.Ask", "r.AskMany"):
            assert body(await peer.call(method)) == str(error).encode()
    assert log.of("exception") == []


async def test_the_text_of_an_error_is_bounded() -> None:
    refusing = Refusing(SoftError("x" * (connection.MAX_ERROR + 1)))
    async with server_of(r=refusing) as server, peer_of(server.address) as peer:
        assert body(await peer.call("r.Ask")) == b"x" * connection.MAX_ERROR


@pytest.mark.parametrize("flags", [0, GOB, PROTO, MSGPACK, 0xFF & ~ERROR])
async def test_an_unknown_service_is_named_whatever_the_codec(flags: int) -> None:
    """PHP's packages for lock, kv and jobs use protobuf; the answer sent their readers after the codec."""
    async with server_of(t=TestMethods()) as server, peer_of(server.address) as peer:
        assert body(await peer.call("lock.Lock", b"\x0a", flags=flags)) == b"rpc: can't find service lock.Lock"
