"""The RPC server over real sockets: the wire, concurrency, limits, and its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from support.log import Log
from support.rpc.host import ONE, Config, Peer, SMTPMethods, TestMethods, body, peer_of, request, serve, server_of
from support.waiting import TIMEOUT

from rrpy.container.net.listening import listen_addresses
from rrpy.container.net.sockets import ListenError
from rrpy.goridge.frame import CONTROL, ERROR, GOB, JSON, MSGPACK, PROTO, RAW, Frame, encode
from rrpy.rpc import connection
from rrpy.rpc.connection import MAX_IN_FLIGHT, STOP_TIMEOUT
from rrpy.rpc.plugin import RPCPlugin
from rrpy.rpc.registry import Registry
from rrpy.rpc.server import Server

pytestmark = pytest.mark.anyio
VECTORS = {
    name: bytes.fromhex(text)
    for name, text in json.loads(Path(__file__, "../../../conformance/wire-vectors.json").resolve().read_text()).items()
}


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loop that the host runs on, and the one of the standard library."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture(params=["tcp", "tcp6", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of each kind."""
    kinds = {"tcp": "tcp://127.0.0.1:0", "tcp6": "tcp://[::1]:0", "unix": f"unix://{tmp_path}/s"}
    return kinds[request.param]


@asynccontextmanager
async def connected(methods: TestMethods, log: Log | None = None) -> AsyncIterator[tuple[Server, Peer]]:
    """A server that serves `t`, and a peer."""
    async with server_of(log=log, t=methods) as server, peer_of(server.address) as peer:
        yield server, peer


EXCHANGES = {
    "list, none": (VECTORS["req msgpack true"], VECTORS["resp msgpack [] (empty)"], ()),
    "list, one": (request("smtp.ListConnections", b"true", 1, JSON), VECTORS["resp json one conn"], (ONE,)),
    "close": (VECTORS["req json CloseConnection"], request("smtp.CloseConnection", b"true", 2, JSON), (ONE,)),
    "close, none": (request("smtp.CloseConnection", b"\xa2u1", 2, MSGPACK), VECTORS["error msgpack"], ()),
}


@pytest.mark.parametrize("name", EXCHANGES)
async def test_the_vectors_to_the_byte(address: str, name: str) -> None:
    asked, answered, connections = EXCHANGES[name]
    async with server_of(address, smtp=SMTPMethods(*connections)) as server, peer_of(server.address) as peer:
        await peer.send(asked)
        assert encode(await peer.receive()) == answered


async def test_a_connection_stays_open_after_an_error() -> None:
    async with connected(TestMethods()) as (_, peer):
        for name, text in [
            ("t.Nope", b"rpc: can't find method t.Nope; did you mean t.Open?"),
            ("t.Another", b"rpc: can't find method t.Another"),
            ("x.Nope", b"rpc: can't find service x.Nope"),
            ("foo", b"rpc: service/method request ill-formed: foo"),
            ("t.ValueError", b"the moon is not full"),
        ]:
            reply = await peer.call(name, b"true", sequence=9)
            assert reply == Frame(JSON | ERROR, name.encode() + text, (9, len(name)))
        assert body(await peer.call("t.Echo", b"1")) == b"1"


async def test_an_unexpected_exception_goes_to_the_log_and_not_to_the_client() -> None:
    log = Log()
    async with connected(TestMethods(), log) as (_, peer):
        assert body(await peer.call("t.Crash")) == b"rpc: internal error in t.Crash"
        assert body(await peer.call("t.Cancelled")) == b"rpc: internal error in t.Cancelled"
        assert body(await peer.call("t.Echo", b"1")) == b"1"
        assert body(await peer.call("t.Exit")) == b"rpc: internal error in t.Exit"
    (crash, _cancelled, _exit) = log.of("exception")
    assert crash[0] == "rpc method failed"
    assert crash[1]["method"] == "t.Crash"
    assert str(crash[1]["remote"]).startswith("127.0.0.1:")
    assert repr(crash[1]["exception"]) == "KeyError('secret detail')"


@pytest.mark.parametrize(
    ("flags", "argument", "answered", "result"),
    [
        (GOB, b"7", GOB | ERROR, b"rpc: the codec GOB is not served, use JSON, MSGPACK, RAW"),
        (PROTO | JSON, b"7", PROTO | ERROR, b"rpc: the codec PROTO is not served, use JSON, MSGPACK, RAW"),
        (0, b"7", ERROR, b"rpc: a request without a codec flag is not served, use JSON, MSGPACK, RAW"),
        (JSON | RAW | MSGPACK, b"7", JSON, b"7"),
        (RAW | MSGPACK, b"7", RAW | ERROR, b"unknown Raw payload type"),
        (MSGPACK | GOB, b"\x07", MSGPACK, b"\x07"),
        (JSON | CONTROL, b"7", JSON, b"7"),
    ],
)
async def test_the_codec_of_a_response_is_the_one_that_counted(
    flags: int, argument: bytes, answered: int, result: bytes
) -> None:
    async with connected(TestMethods()) as (_, peer):
        reply = await peer.call("t.Echo", argument, flags=flags)
        assert (reply.flags, body(reply)) == (answered, result)


async def test_raw_bytes_go_in_and_out() -> None:
    async with connected(TestMethods()) as (_, peer):
        assert await peer.call("t.Upper", b"a\xff", 3, RAW) == Frame(RAW, b"t.UpperA\xff", (3, 7))


async def test_requests_of_one_connection_run_concurrently_and_replies_come_as_they_are_ready() -> None:
    async with connected(TestMethods()) as (_, peer):
        await peer.ask("t.Wait", b'"a"', 1)
        await peer.ask("t.Wait", b'"b"', 2)
        await peer.ask("t.Open", b'"b"', 3)
        assert {(await peer.receive()).options[0] for _ in range(2)} == {2, 3}
        await peer.ask("t.Open", b'"a"', 4)
        assert {(await peer.receive()).options[0] for _ in range(2)} == {1, 4}


async def test_large_replies_never_interleave() -> None:
    sizes = [300_000 + 1000 * sequence for sequence in range(40)]
    async with connected(TestMethods()) as (_, peer):
        for sequence, size in enumerate(sizes):
            await peer.ask(
                "t.BytesOf",
                str(size).encode() if sequence % 2 else b"\xce" + size.to_bytes(4),
                sequence,
                JSON if sequence % 2 else MSGPACK,
            )
        for _ in sizes:
            reply = await peer.receive()
            size = sizes[reply.options[0]]
            if reply.flags == MSGPACK:
                assert body(reply)[5:] == bytes([size % 251]) * size
            else:
                assert len(json.loads(body(reply))) == (size + 2) // 3 * 4


async def test_a_request_may_come_byte_by_byte_and_many_at_once() -> None:
    async with connected(TestMethods()) as (_, peer):
        for byte in request("t.Echo", b"1", 1):
            await peer.send(bytes([byte]))
        assert body(await peer.receive()) == b"1"
        await peer.send(b"".join(request("t.Echo", b"%d" % number, number) for number in range(200)))
        assert sorted([(await peer.receive()).options[0] for _ in range(200)]) == list(range(200))


class Turns:
    """Tells in which turn of the event loop, and in which task, a call runs."""

    now = 0

    def turn(self) -> tuple[int, int]:
        return self.now, id(asyncio.current_task())

    async def count(self) -> None:
        while True:
            self.now += 1
            await asyncio.sleep(0)


async def test_methods_that_do_not_wait_run_without_tasks_and_let_others_have_their_turn() -> None:
    turns = Turns()
    async with server_of(t=turns) as server, peer_of(server.address) as peer, anyio.create_task_group() as tasks:
        tasks.start_soon(turns.count)
        await peer.send(b"".join(request("t.Turn", b"", number) for number in range(4 * MAX_IN_FLIGHT)))
        seen = [json.loads(body(await peer.receive())) for _ in range(4 * MAX_IN_FLIGHT)]
        tasks.cancel_scope.cancel()
    assert len({task for _, task in seen}) == 1
    assert len({turn for turn, _ in seen}) >= 4


async def test_requests_in_flight_are_bounded_and_the_rest_waits() -> None:
    methods = TestMethods()
    async with connected(methods) as (_, peer):
        for sequence in range(MAX_IN_FLIGHT + 10):
            await peer.ask("t.Wait", b'"a"', sequence)
        await methods.until_waiting(MAX_IN_FLIGHT)
        methods.open("a")
        replies = [await peer.receive() for _ in range(MAX_IN_FLIGHT + 10)]
        assert sorted(reply.options[0] for reply in replies) == list(range(MAX_IN_FLIGHT + 10))
    assert methods.most_waiting == MAX_IN_FLIGHT


async def test_a_client_that_does_not_read_is_bounded_and_holds_up_nobody_else() -> None:
    size = 1 << 20
    calls = 0

    class Counting:
        def big(self) -> bytes:
            nonlocal calls
            calls += 1
            return bytes(size)

    async with server_of(c=Counting()) as server, peer_of(server.address) as deaf, peer_of(server.address) as other:
        # Far more requests than slots; what is not taken stays in the sockets' buffers.
        await deaf.send(b"".join(request("c.Big", sequence=number, flags=MSGPACK) for number in range(1000)))
        for _ in range(3):
            assert len((await other.call("c.Big", flags=MSGPACK)).payload) > size
        assert calls <= 3 + 2 * MAX_IN_FLIGHT


async def test_a_client_that_shut_down_its_sending_side_gets_its_replies(address: str) -> None:
    methods = TestMethods()
    async with server_of(address, t=methods) as server, peer_of(server.address) as peer:
        await peer.ask("t.Wait", b'"a"', 1)
        await peer.ask("t.Echo", b"2", 2)
        peer.finish_sending()
        assert (await peer.receive()).options[0] == 2
        await methods.until_waiting(1)
        methods.open("a")
        assert (await peer.receive()).options[0] == 1
        assert await peer.receive_or_end() is None


BAD = {
    "no options": (encode(Frame(JSON, b"t.Echo1")), "two options"),
    "one option": (encode(Frame(JSON, b"t.Echo1", (1,))), "two options"),
    "three options": (encode(Frame(JSON, b"t.Echo1", (1, 6, 0))), "two options"),
    "method past the payload": (encode(Frame(JSON, b"t.Echo1", (1, 8))), "8 bytes is past the payload of 7 bytes"),
    "another protocol": (b"GET / HTTP/1.1\r\n\r\n", "not a goridge frame"),
    "wrong checksum": (bytes.fromhex("150801000000000000000000"), "CRC"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_request_drops_the_connection_and_says_why(address: str, name: str) -> None:
    data, reason = BAD[name]
    log, methods = Log(), TestMethods()
    async with (
        server_of(address, log, t=methods, max_frame_bytes=1000) as server,
        peer_of(server.address) as peer,
        peer_of(server.address) as other,
    ):
        await peer.ask("t.Wait", b'"a"')
        await methods.until_waiting(1)
        await peer.send(data)
        assert await peer.receive_or_end() is None
        assert body(await other.call("t.Echo", b"1")) == b"1"
        assert methods.waiting == 0, "what ran for the connection is cancelled"
        async with peer_of(server.address) as third:
            await third.send(request("t.Wait", b'"a"') + data)
            assert await third.receive_or_end() is None
    (message, keys), again = log.of("warning")
    assert message == again[0] == "rpc connection dropped"
    assert reason in str(keys["reason"])
    assert str(keys["remote"]).startswith({"unix": "unix", "[": "[::1]:"}.get(address[:4], ("127.0.0.1:", "[::1]:")))


async def test_an_end_inside_a_frame_is_said(address: str) -> None:
    log = Log()
    async with server_of(address, log, t=TestMethods()) as server, peer_of(server.address) as peer:
        await peer.send(request("t.Echo", b"1")[:-1])
        peer.finish_sending()
        assert await peer.receive_or_end() is None
    assert "ended inside a goridge frame" in str(log.of("warning")[0][1]["reason"])


async def test_a_request_of_exactly_the_limit_is_served() -> None:
    async with server_of(t=TestMethods(), max_frame_bytes=1000) as server, peer_of(server.address) as peer:
        argument = b'"' + b"x" * (1000 - 2 - len("t.Echo")) + b'"'
        assert body(await peer.call("t.Echo", argument)) == argument


async def test_a_client_that_resets_ends_its_calls() -> None:
    methods, ended = TestMethods(), asyncio.Event()

    class Slow:
        async def call(self) -> None:
            try:
                await methods.wait("never")
            finally:
                ended.set()

    async with server_of(s=Slow()) as server:
        async with peer_of(server.address) as peer:
            await peer.ask("s.Call")
            await methods.until_waiting(1)
            peer.reset_at_close()
        with anyio.fail_after(TIMEOUT):
            await ended.wait()


async def test_one_connection_too_many_is_refused_and_logged_once(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REFUSAL_TIMEOUT", 60.0)  # this machine may be slow
    log, methods = Log(), TestMethods()
    async with server_of(address, log, t=methods, max_connections=2) as server:
        async with peer_of(server.address) as first, peer_of(server.address) as second:
            for peer in (first, second):
                await peer.ask("t.Wait", b'"a"')
            await methods.until_waiting(2)
            for _ in range(5):
                async with peer_of(server.address) as third:
                    refusal = b"rpc: the host has 2 connections (rpc.max_connections), try again later"
                    assert body(await third.call("t.Echo", b"1")) == refusal
                    assert await third.receive_or_end() is None
            methods.open("a")
            for peer in (first, second):
                assert body(await peer.receive()) == b'"a"'
            second.finish_sending()
            assert await second.receive_or_end() is None
        async with peer_of(server.address) as again:
            assert body(await again.call("t.Echo", b"1")) == b"1"
    ((message, keys),) = log.of("warning")
    assert message == "too many rpc connections"
    assert keys["limit"] == 2


async def test_stop_closes_idle_clients_and_frees_the_address(address: str) -> None:
    methods = TestMethods()
    async with server_of(address, t=methods) as server:
        async with peer_of(server.address) as peer:
            await peer.call("t.Echo", b"1")
            await server.stop()
            assert await peer.receive_or_end() is None
            with pytest.raises(OSError, match=r"refused|No such file|Connect call failed"):
                async with peer_of(server.address):
                    pass
        await server.stop()
        async with server_of(str(server.address), t=methods) as again, peer_of(again.address) as peer:
            assert body(await peer.call("t.Echo", b"1")) == b"1"


async def test_stop_waits_for_a_call_that_ends_in_time() -> None:
    methods = TestMethods()
    async with connected(methods) as (server, peer), anyio.create_task_group() as group:
        await peer.ask("t.Wait", b'"a"')
        await methods.until_waiting(1)
        group.start_soon(server.stop)
        await anyio.lowlevel.checkpoint()
        methods.open("a")
        assert body(await peer.receive()) == b'"a"'
        assert await peer.receive_or_end() is None


async def test_stop_ends_a_call_that_waits_for_ever_and_tells_its_client() -> None:
    methods = TestMethods()
    async with connected(methods) as (server, peer):
        await peer.ask("t.Wait", b'"never"', 7)
        await methods.until_waiting(1)
        began = anyio.current_time()
        await server.stop()
        assert anyio.current_time() - began >= STOP_TIMEOUT * 0.9
        assert await peer.receive() == Frame(JSON | ERROR, b"t.Waitrpc: the host is stopping", (7, 6))
        assert await peer.receive_or_end() is None


async def test_stop_does_not_wait_for_a_client_that_reads_nothing() -> None:
    async with connected(TestMethods()) as (server, peer):
        await peer.ask("t.BytesOf", b"\xce" + (64 << 20).to_bytes(4), flags=MSGPACK)
        assert await peer.receive_some()
        await server.stop()


async def test_cancelling_ends_everything_at_once() -> None:
    methods = TestMethods()
    async with server_of(t=methods) as server, peer_of(server.address) as peer:
        await peer.ask("t.Wait", b'"never"')
        await methods.until_waiting(1)
        with anyio.move_on_after(0) as stopping:
            await server.stop()
        assert stopping.cancelled_caught
    assert methods.waiting == 0


async def test_a_cancelled_server_leaves_nothing(tmp_path: Path) -> None:
    methods = TestMethods()
    url = f"unix://{tmp_path}/s"
    registry = Registry()
    registry.add("t", methods)
    server = Server(listen_addresses(url, "rpc.listen"), registry, Log())
    async with anyio.create_task_group() as group:
        await group.start(serve, server)
        async with peer_of(url) as peer:
            await peer.ask("t.Wait", b'"never"')
            await methods.until_waiting(1)
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                assert await peer.receive_or_end() is None
    assert methods.waiting == 0
    assert not (tmp_path / "s").exists()
    await server.stop()


async def test_the_plugin_serves_on_the_address_that_it_names(address: str) -> None:
    plugin = RPCPlugin()
    log = Log()
    plugin.init(Config(rpc={"listen": address}, smtp={"password": "x"}), log)
    async with anyio.create_task_group() as group:
        await group.start(_serve_plugin, plugin)
        assert not plugin.rpc_address.endswith(":0")
        assert log.of("info") == [("rpc is listening", {"address": plugin.rpc_address})]
        async with peer_of(plugin.rpc_address) as peer:
            assert (await peer.call("rpc.Version", b"true")).flags == JSON
            assert (await peer.call("rpc.Config", b"\xc3", flags=MSGPACK)).flags == MSGPACK
        await plugin.stop()


async def test_a_plugin_that_cannot_listen_fails_in_serve() -> None:
    async with server_of() as server:
        plugin = RPCPlugin()
        plugin.init(Config(rpc={"listen": str(server.address)}), Log())
        with pytest.raises(
            ListenError, match=rf"^cannot listen on {server.address} \(rpc.listen\): address already in use"
        ):
            await plugin.serve(task_status=anyio.TASK_STATUS_IGNORED)
        await plugin.stop()


async def _serve_plugin(plugin: RPCPlugin, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await plugin.serve(task_status=task_status)
