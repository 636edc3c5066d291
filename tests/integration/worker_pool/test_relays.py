"""The socket that workers dial in to: the owner of a connection, and refused connections."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
from support.container.users import NOBODY, as_root, public_folder, try_as_nobody
from support.log import Log
from support.waiting import until
from support.worker_pool.pools import beast, listening, pool

from rrpy.container.net import accepting
from rrpy.container.net.listening import listen_addresses
from rrpy.container.net.sockets import ListenError
from rrpy.goridge.frame import CONTROL, JSON, Decoder, Frame, encode
from rrpy.worker_pool import Payload, WorkerBootError
from rrpy.worker_pool.relays import Relay

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request):
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture
async def relay_log():
    return Log()


@pytest.fixture(params=["tcp", "unix"])
async def relay(request, tmp_path, relay_log):
    async with listening(request.param, tmp_path, relay_log) as relay:
        yield relay


class Sham:
    """Something with a worker's pid that keeps what it receives."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.channel = None
        self.heard = b""
        self.lost = asyncio.Event()

    def attach(self, channel) -> None:
        self.channel = channel

    def received(self, data: bytes) -> None:
        self.heard += data

    def channel_lost(self) -> None:
        self.lost.set()


@asynccontextmanager
async def dialled(relay: Relay):
    address = relay.address
    if hasattr(address, "path"):
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


MORE = encode(Frame(0, b"more", (0,)))


def hello(pid: int) -> bytes:
    return encode(Frame(CONTROL, b'{"pid":%d}' % pid))


async def test_the_host_speaks_first_and_a_connection_is_its_worker_s(relay):
    worker = Sham(os.getpid())
    relay.expect(worker)
    async with dialled(relay) as (reader, writer):
        (greeting,) = Decoder().feed(await reader.read(1000))
        assert greeting == Frame(CONTROL | JSON, b'{"pid":%d}' % os.getpid())
        writer.write(hello(worker.pid)[:5])
        await asyncio.sleep(0.01)
        writer.write(hello(worker.pid)[5:] + MORE)
        await until(lambda: worker.heard == hello(worker.pid) + MORE)
        worker.channel.write((b"a", b"b"))
        assert await reader.readexactly(2) == b"ab"
        worker.channel.end()
        assert await reader.read() == b""
    await worker.lost.wait()


async def test_a_worker_that_dials_in_before_it_is_expected_is_waited_for(relay):
    async with dialled(relay) as (_, writer):
        writer.write(hello(os.getpid()) + MORE)
        await until(lambda: any(connection.pid for connection in relay.unclaimed))
        worker = Sham(os.getpid())
        relay.expect(worker)
        assert worker.heard == hello(os.getpid()) + MORE


async def test_a_worker_that_another_program_starts_is_known_by_its_session(relay):
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *beast("pids")]
    async with pool(command, num_workers=2, relay=relay) as workers:
        pids = {row.pid for row in workers.workers()}
        answer = await workers.exec(Payload())
        assert int(answer.body) not in pids
        assert os.getsid(int(answer.body)) in pids


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "not a goridge frame"),
        (encode(Frame(0, b"hello")), "not a CONTROL frame"),
        (encode(Frame(CONTROL, b'{"name":"joe"}')), "`pid`"),
        (encode(Frame(CONTROL, b"x" * 5000)), "over the limit"),
        (hello(1) + b"x" * 9000, "it sent more than a handshake"),
    ],
)
async def test_who_does_not_shake_hands_is_turned_away_with_a_warning(relay, relay_log, said, reason):
    async with dialled(relay) as (reader, writer):
        writer.write(said)
        with anyio.fail_after(20):
            with suppress(ConnectionError):
                while await reader.read(1000):
                    pass
    (logged,) = await relay_log.seen("relay connection dropped")
    assert reason in logged["reason"]
    assert not relay.unclaimed


async def test_a_connection_of_nobody_s_is_kept_for_a_while_and_then_closed(relay, relay_log, monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.relays.CLAIM_TIMEOUT", 0.1)
    relay.expect(Sham(os.getpid()))
    async with dialled(relay) as (reader, writer):
        writer.write(hello(os.getppid()))
        with anyio.fail_after(20):
            with suppress(ConnectionError):
                while await reader.read(1000):
                    pass
    (logged,) = await relay_log.seen("relay connection dropped")
    assert logged == {"pid": os.getppid(), "reason": "no worker of this host has its pid"}


async def test_no_more_than_so_many_connections_may_be_of_nobody_known(relay, relay_log, monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.relays.MAX_UNCLAIMED", 1)
    async with dialled(relay) as (reader, _):
        assert await reader.read(1000)
        async with dialled(relay) as (second, _):
            with anyio.fail_after(20):
                with suppress(ConnectionError):
                    assert await second.read() == b""
    assert await relay_log.seen("relay connection refused: too many connections have no worker")


async def test_connections_of_nobody_known_have_a_quarter_of_the_descriptors_at_most(relay, relay_log, monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.relays.descriptor_limit", lambda: 4)
    async with dialled(relay) as (reader, _):
        assert await reader.read(1000)
        async with dialled(relay) as (second, _):
            with anyio.fail_after(20), suppress(ConnectionError):
                assert await second.read() == b""
    assert await relay_log.seen("relay connection refused: too many connections have no worker")


async def test_the_last_descriptors_are_not_for_the_relay(tmp_path, monkeypatch):
    free = [1000]
    monkeypatch.setattr(accepting, "PAUSE", 0.001)
    monkeypatch.setattr("rrpy.worker_pool.relays.Reserve", lambda *args: accepting.Reserve(*args, lambda: free[0]))
    log = Log()
    async with listening("tcp", tmp_path, log) as relay:
        free[0] = accepting.RESERVE
        async with dialled(relay) as (reader, _):
            with anyio.fail_after(20), suppress(ConnectionError):
                assert await reader.read() == b""
        assert await log.seen("no connections are accepted: too few descriptors are free")
        free[0] = 1000
        async with dialled(relay) as (reader, _):
            with anyio.fail_after(20):
                assert await reader.read(1000)


async def test_a_pid_that_no_process_can_have_is_nobody_s(relay):
    worker = Sham(os.getpid())
    relay.expect(worker)
    async with dialled(relay) as (_, writer):
        writer.write(hello(2**70))
        await asyncio.sleep(0.05)
        assert worker.channel is None


async def test_what_a_dialling_worker_prints_is_a_log_line(relay):
    log = Log()
    command = ["/bin/sh", "-c", 'echo hello from stdout; exec "$@"', "sh", *beast("pids")]
    async with pool(command, log, relay=relay, num_workers=1):
        assert await log.seen("hello from stdout")


async def test_a_worker_that_cannot_dial_in_says_so(relay):
    command = [sys.executable, "-c", "import os; print('no line to', os.environ['RR_RELAY'][:3]); raise SystemExit(4)"]
    with pytest.raises(WorkerBootError, match=r"died at boot with status 4; .*no line to (tcp|uni)$"):
        async with pool(command, relay=relay):
            pytest.fail("the pool came up")


@as_root
async def test_the_workers_user_cannot_swap_the_socket_s_file_for_a_link_to_one_of_root_s(monkeypatch):
    with public_folder() as folder:
        secret, path = folder / "secret", folder / "theirs" / "relay.sock"
        secret.touch(0o600)
        path.parent.mkdir()
        os.chown(path.parent, NOBODY, NOBODY)
        real = socket.socket.listen

        def swap(self: socket.socket, *backlog: int) -> None:
            real(self, *backlog)
            try_as_nobody(f"os.unlink({str(path)!r})", f"os.symlink({str(secret)!r}, {str(path)!r})")

        monkeypatch.setattr(socket.socket, "listen", swap)
        with pytest.raises(ListenError, match=rf"users other than root can change {path.parent}; name a file in a"):
            async with Relay(listen_addresses(f"unix://{path}", "server.relay"), Log(), uid=NOBODY):
                pass
        assert secret.stat().st_uid == os.geteuid()
        async with Relay(listen_addresses(f"unix://{path}", "server.relay"), Log()):
            pass  # without `server.user` the file keeps its owner
        assert secret.stat().st_uid == os.geteuid()
