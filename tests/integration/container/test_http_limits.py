"""What a client can hold of a plugin's HTTP server: it takes nothing from the mail, and nothing for ever."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import smtplib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from support.container.clock import TurnedLoop, run
from support.container.host import hosting
from support.container.http import serving
from support.log import Log
from support.ops.host import SECTIONS, url

from rrpy.container.net import accepting, http
from rrpy.container.net.address import TCPAddress
from rrpy.container.net.http import HTTPServer, Receive, Scope, Send
from rrpy.container.net.http_connection import READ_TIMEOUT
from rrpy.container.net.listening import listen_addresses

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"x" * 64 * 1024 * 1024
STEP = 4 * 1024 * 1024


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": LARGE})


@contextlib.asynccontextmanager
async def flying(loop: TurnedLoop) -> AsyncIterator[None]:
    """Let the time fly."""
    async with anyio.create_task_group() as group:
        group.start_soon(loop.fly, 0.05)
        yield
        group.cancel_scope.cancel()


@pytest.mark.parametrize("plugin", ["status", "inbox"])
def test_a_flood_of_http_clients_leaves_descriptors_for_mail(tmp_path: Path, plugin: str) -> None:
    with hosting(tmp_path, **{plugin: SECTIONS["status"]}) as host, contextlib.ExitStack() as clients:
        resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (400, 400))
        name, _, port = url(host, plugin).removeprefix("http://").rpartition(":")
        for _ in range(500):
            client = clients.enter_context(socket.create_connection((name, int(port)), 20))
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET /health HTT")
        with smtplib.SMTP(*host.smtp, timeout=20) as sender:
            sender.sendmail("a@b.c", ["x@y.z"], "Subject: still here\r\n\r\nhello")
        host.wait_for("HTTP connections turned away")


def test_the_last_descriptors_are_not_for_http_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    free = [accepting.RESERVE]
    monkeypatch.setattr(accepting, "PAUSE", 0.001)
    monkeypatch.setattr(http, "Reserve", lambda *args: accepting.Reserve(*args, lambda: free[0]))

    async def test() -> None:
        log = Log()
        async with serving(large, log) as address:
            async with await anyio.connect_tcp(address.host, address.port) as cut:
                with anyio.fail_after(20), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await cut.receive()
            async with await anyio.connect_tcp(address.host, address.port) as waits:
                await waits.send(GET)
                free[0] = 1000
                with anyio.fail_after(20):
                    assert (await waits.receive()).startswith(b"HTTP/1.1 200 ")
        assert len(log.keys("no connections are accepted: too few descriptors are free")) == 1

    anyio.run(test)


@pytest.mark.parametrize("said", [b"", b"GET / HTT", GET[:-2] + b"Content-Length: 9\r\n\r\nhalf"])
def test_a_request_that_does_not_end_is_cut(said: bytes) -> None:
    async def test(loop: TurnedLoop) -> None:
        async with (
            serving(large, Log()) as address,
            flying(loop),
            await anyio.connect_tcp(address.host, address.port) as client,
        ):
            if said:
                await client.send(said)
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                while True:
                    await client.receive()

    run(test)


def test_a_client_that_reads_nothing_is_cut_and_one_that_reads_slowly_is_not() -> None:
    async def test(loop: TurnedLoop) -> None:
        async with serving(large, Log()) as address:
            stuck = await anyio.connect_tcp(address.host, address.port)
            await stuck.send(GET)
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(GET)
            count = 0
            while data := await reader.read(512 * 1024):
                before, count = count, count + len(data)
                # A check falls after three steps: the client has read more by then than the kernel's buffers hold.
                if count // STEP > before // STEP:
                    loop.turn(READ_TIMEOUT / 3)
                if count >= len(LARGE):
                    break
            assert count >= len(LARGE), f"cut after {count} bytes"
            writer.close()
            received = 0
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    received += len(await stuck.receive())
            await stuck.aclose()
            assert received < len(LARGE)

    run(test)


def test_a_body_that_breaks_behind_the_beginning_of_its_answer_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with serving(large, Log()) as address, await anyio.connect_tcp(address.host, address.port) as client:
            await client.send(GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
            await client.receive(1)
            await client.send(b"zzz\r\n")
            with anyio.fail_after(20), contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await client.receive()

    anyio.run(test)
    assert caplog.records == []


def test_a_stop_cuts_a_client_that_does_not_read_and_logs_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def test(loop: TurnedLoop) -> None:
        async with flying(loop), serving(large, Log()) as address:
            client = await anyio.connect_tcp(address.host, address.port)
            await client.send(GET)
            await client.receive(1)
        await client.aclose()

    run(test)
    assert caplog.records == []


def test_what_is_wrong_with_a_request_is_the_clients_fault_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with serving(large, Log()) as address:
            for request in (
                b"nonsense\r\n\r\n",
                GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
            ):
                async with await anyio.connect_tcp(address.host, address.port) as client:
                    await client.send(request)
                    await client.receive(1)

    anyio.run(test)
    assert caplog.records == []


@pytest.mark.parametrize("stopped_before", [False, True])
def test_a_server_that_is_cancelled_waits_for_no_client(monkeypatch: pytest.MonkeyPatch, stopped_before: bool) -> None:
    """The grace period is over: a client that reads nothing held the host until it left with exit code 1."""
    monkeypatch.setattr(http, "DRAIN_TIMEOUT", 1000)

    async def test(loop: TurnedLoop) -> None:
        server = HTTPServer(large, listen_addresses("127.0.0.1:0", "x.address"), Log())
        async with flying(loop), anyio.create_task_group() as group:
            await group.start(lambda *, task_status: server.serve(task_status=task_status))
            assert isinstance(server.address, TCPAddress)
            reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
            writer.write(GET)
            await reader.read(1)
            if stopped_before:
                await server.stop()
                await anyio.sleep(1)
            begun = loop.time()
            group.cancel_scope.cancel()
        writer.close()
        assert loop.time() - begun < 10

    run(test)
