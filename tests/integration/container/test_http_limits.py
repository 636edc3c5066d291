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
from support.container.host import hosting
from support.ops.host import SECTIONS, url
from support.worker_pool.pools import RecordingLog

from rrpy.container.net import http, http_connection
from rrpy.container.net.address import TCPAddress
from rrpy.container.net.http import HTTPServer, Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"x" * 32 * 1024 * 1024


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": LARGE})


@contextlib.asynccontextmanager
async def serving(log: RecordingLog) -> AsyncIterator[TCPAddress]:
    server = HTTPServer(large, TCPAddress("127.0.0.1", 0), log, owner="x")
    async with anyio.create_task_group() as group:
        await group.start(lambda *, task_status: server.serve(task_status=task_status))
        assert isinstance(server.address, TCPAddress)
        try:
            yield server.address
        finally:
            await server.stop()


def test_a_flood_of_http_clients_leaves_descriptors_for_mail(tmp_path: Path) -> None:
    with hosting(tmp_path, status=SECTIONS["status"]) as host, contextlib.ExitStack() as clients:
        resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (400, 400))
        name, _, port = url(host, "status").removeprefix("http://").rpartition(":")
        for _ in range(500):
            client = clients.enter_context(socket.create_connection((name, int(port)), 20))
            with contextlib.suppress(ConnectionError):
                client.sendall(b"GET /health HTT")
        with smtplib.SMTP(*host.smtp, timeout=20) as sender:
            sender.sendmail("a@b.c", ["x@y.z"], "Subject: still here\r\n\r\nhello")
        host.wait_for("HTTP connections turned away")


@pytest.mark.parametrize("said", [b"", b"GET / HTT", GET[:-2] + b"Content-Length: 9\r\n\r\nhalf"])
def test_a_request_that_does_not_end_is_cut(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "REQUEST", 0.1)

    async def test() -> None:
        async with serving(RecordingLog()) as address, await anyio.connect_tcp(address.host, address.port) as client:
            if said:
                await client.send(said)
            with anyio.fail_after(20), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                while True:
                    await client.receive()

    anyio.run(test)


def test_a_client_that_reads_nothing_is_cut_and_one_that_reads_slowly_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "STALL", 0.3)
    monkeypatch.setattr(http_connection, "REQUEST", 0.3)  # of the next request, behind an answer that is read still

    async def test() -> None:
        async with serving(RecordingLog()) as address:
            reader, writer = await asyncio.open_connection(address.host, address.port)
            stuck = socket.create_connection((address.host, address.port))
            stuck.sendall(GET)
            writer.write(GET)
            count = 0
            with anyio.fail_after(60):
                while count < len(LARGE):
                    data = await reader.read(512 * 1024)
                    assert data, f"cut behind {count} bytes"
                    count += len(data)
                    await asyncio.sleep(0.02)
            writer.close()
            stuck.settimeout(20)
            received = await anyio.to_thread.run_sync(drained, stuck)
            assert received < len(LARGE)

    anyio.run(test)


def test_a_body_that_breaks_behind_the_beginning_of_its_answer_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with serving(RecordingLog()) as address, await anyio.connect_tcp(address.host, address.port) as client:
            await client.send(GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
            await client.receive(1)
            await client.send(b"zzz\r\n")
            with anyio.fail_after(20), contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await client.receive()

    anyio.run(test)
    assert caplog.records == []


def drained(client: socket.socket) -> int:
    """Read to the end and return how many bytes there were."""
    count = 0
    with client, contextlib.suppress(ConnectionError):
        while data := client.recv(65536):
            count += len(data)
    return count


def test_a_stop_cuts_who_does_not_read_and_logs_no_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.2)

    async def test() -> None:
        with anyio.fail_after(20):
            async with serving(RecordingLog()) as address:
                client = await anyio.connect_tcp(address.host, address.port)
                await client.send(GET)
                await client.receive(1)
        await client.aclose()

    anyio.run(test)
    assert caplog.records == []


def test_what_is_wrong_with_a_request_is_the_clients_fault_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with serving(RecordingLog()) as address:
            for request in (b"nonsense\r\n\r\n", GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"):
                async with await anyio.connect_tcp(address.host, address.port) as client:
                    await client.send(request)
                    await client.receive(1)

    anyio.run(test)
    assert caplog.records == []
