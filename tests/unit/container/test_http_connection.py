"""The time limits of an HTTP connection: the clock and the client's reading are the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from support.container.clock import TurnedLoop, run

from rrpy.container.net.http import Receive, Scope, Send
from rrpy.container.net.http_connection import MAX_CONNECTIONS, READ_TIMEOUT, REQUEST_TIMEOUT, HTTPConnection

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = GET[:-2] + b"Content-Length: 9\r\n\r\nhalf"


class Client(asyncio.Transport):
    """The transport of a connection to a client that reads when the test says so. `unread`: bytes that wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: HTTPConnection | None = None
        self.unread = 0
        self.received = b""
        self.end = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += data

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.end != ""

    def close(self) -> None:
        self.end = self.end or "closed"

    def abort(self) -> None:
        self.end = "cut"
        assert self.connection is not None
        asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Served:
    """A connection to such a client, with an application that answers when the test says so."""

    def __init__(self, loop: TurnedLoop) -> None:
        self.loop = loop
        self.answer = asyncio.Event()
        self.turned_away = 0
        self.requests = 0
        config = uvicorn.Config(self.app, interface="asgi3", lifespan="off", log_config=None, timeout_keep_alive=3600)
        config.load()
        self.options = {"config": config, "server_state": uvicorn.Server(config).server_state, "app_state": {}}
        self.connection, self.client = self.connect()

    def connect(self) -> tuple[HTTPConnection, Client]:
        connection, client = HTTPConnection(self.turn_away, MAX_CONNECTIONS, **self.options), Client()
        client.connection = connection
        connection.connection_made(client)
        return connection, client

    def turn_away(self) -> None:
        self.turned_away += 1

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        await self.answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def turn(self, seconds: float) -> str:
        """Set the clock forward, and return how the connection has ended, if it has."""
        self.loop.turn(seconds)
        await passes()
        return self.client.end

    async def respond(self, unread: int = 0) -> None:
        """Answer the request; `unread` bytes of it wait for the client."""
        self.client.unread = unread
        self.answer.set()
        await passes()
        assert self.client.received.startswith(b"HTTP/1.1 204 ")


def serving(test: Callable[[Served], Awaitable[None]]) -> None:
    """Run a test with a connection."""

    async def whole(loop: TurnedLoop) -> None:
        served = Served(loop)
        try:
            await test(served)
        finally:
            served.answer.set()
            await passes()

    run(whole)


async def passes() -> None:
    """Let the loop run every task and timer that is due."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("begun", [False, True])
def test_uvicorn_s_own_500_has_the_headers_of_every_response(begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    """It had none of them, so that a page could show and keep it."""

    async def test(served: Served) -> None:
        async def fails(scope: Scope, receive: Receive, send: Send) -> None:
            if begun:
                headers = [(b"content-length", b"0"), (b"cache-control", b"no-cache")]
                await send({"type": "http.response.start", "status": 500, "headers": headers})
                await send({"type": "http.response.body"})
            else:
                raise RuntimeError("broken")

        served.connection.app = fails
        served.connection.data_received(GET)
        await passes()
        head, _, _ = served.client.received.lower().partition(b"\r\n\r\n")
        assert head.startswith(b"http/1.1 500 ")
        for name in (b"content-security-policy", b"x-content-type-options", b"referrer-policy", b"cache-control"):
            assert head.count(b"\r\n" + name + b": ") == 1
        assert (b"cache-control: no-cache" in head) is begun

    serving(test)
    caplog.clear()


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", HALF])
def test_a_request_that_does_not_end_is_cut(sent: bytes) -> None:
    async def test(served: Served) -> None:
        if sent:
            served.connection.data_received(sent[:-1])
        assert await served.turn(REQUEST_TIMEOUT - 1) == ""
        if sent:
            served.connection.data_received(sent[-1:])
        assert await served.turn(1) == "cut", "a further byte starts no new time"

    serving(test)


def test_a_request_that_ends_is_answered_however_long_the_answer_takes() -> None:
    async def test(served: Served) -> None:
        await served.turn(REQUEST_TIMEOUT - 1)
        served.connection.data_received(GET)
        assert await served.turn(3600) == ""
        await served.respond()
        assert await served.turn(REQUEST_TIMEOUT - 1) == ""
        served.connection.data_received(GET)
        assert await served.turn(REQUEST_TIMEOUT) == "", "the next request has a time of its own"

    serving(test)


def test_a_next_request_that_does_not_come_is_cut() -> None:
    async def test(served: Served) -> None:
        served.connection.data_received(GET)
        await served.respond()
        assert await served.turn(REQUEST_TIMEOUT) == "cut"

    serving(test)


def test_a_client_that_still_reads_the_last_response_may_be_late_with_the_next_request() -> None:
    async def test(served: Served) -> None:
        served.connection.data_received(GET)
        await served.respond(unread=1000)
        for unread in range(900, 0, -100):
            assert await served.turn(READ_TIMEOUT - 1) == ""
            served.client.unread = unread
            assert await served.turn(1) == ""
        served.client.unread = 0
        assert await served.turn(READ_TIMEOUT) == "cut"

    serving(test)


@pytest.mark.parametrize("unread", [1000, 1001])
def test_a_client_that_reads_nothing_of_the_last_response_is_cut(unread: int) -> None:
    async def test(served: Served) -> None:
        served.connection.data_received(GET)
        await served.respond(unread=1000)
        served.client.unread = unread
        assert await served.turn(READ_TIMEOUT - 1) == ""
        assert await served.turn(1) == "cut"

    serving(test)


def test_a_client_is_cut_that_reads_nothing_of_a_response_under_way_and_not_one_that_reads_slowly() -> None:
    async def test(served: Served) -> None:
        served.connection.data_received(GET)
        await passes()
        served.client.unread = 1000
        served.connection.pause_writing()
        for unread in range(999, 990, -1):
            served.client.unread = unread
            assert await served.turn(READ_TIMEOUT) == ""
        assert await served.turn(READ_TIMEOUT) == "cut"

    serving(test)


def test_a_client_that_has_read_all_has_time_again() -> None:
    async def test(served: Served) -> None:
        served.connection.data_received(GET)
        await passes()
        for _ in range(3):
            served.client.unread = 1000
            served.connection.pause_writing()
            assert await served.turn(READ_TIMEOUT - 1) == ""
            served.client.unread = 0
            served.connection.resume_writing()
            assert await served.turn(3600) == ""

    serving(test)


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 5\r\n"

UNCLEAR = {
    "a length before chunks": POST + LENGTH + CHUNKED + b"\r\n0\r\n\r\n",
    "a length after chunks": POST + CHUNKED + LENGTH + b"\r\n0\r\n\r\n",
    "a length and chunks in a folded line": POST + LENGTH + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n",
    "two lengths": POST + LENGTH + b"Content-Length: 6\r\n\r\nhello",
    "a list of lengths": POST + b"Content-Length: 5, 6\r\n\r\nhello",
    "a signed length": POST + b"Content-Length: +5\r\n\r\nhello",
    "a blank before the colon": POST + b"Content-Length : 5\r\n\r\nhello",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n",
    "a bare CR": POST + b"A: b\r" + CHUNKED + b"\r\n0\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a target of a proxy": b"GET http://other/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target of CONNECT": b"CONNECT other:25 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target without a slash": b"GET @other HTTP/1.1\r\nHost: x\r\n\r\n",
    "a star that is not of OPTIONS": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "not HTTP": b"EHLO x\r\n\r\n",
}


@pytest.mark.parametrize("request_", UNCLEAR.values(), ids=UNCLEAR)
def test_a_request_that_two_servers_may_read_in_two_ways_is_answered_400_and_closed(request_: bytes) -> None:
    """Content-Length with Transfer-Encoding was served, and so was a request after it."""

    async def test(served: Served) -> None:
        served.answer.set()
        served.connection.data_received(request_ + GET)
        await passes()
        assert served.client.end == "closed"
        assert served.requests == 0
        assert served.client.received.count(b"HTTP/1.1 ") == 1
        head, _, text = served.client.received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"\r\nContent-Length: %d\r\n" % len(text) in head
        assert_safe(head)

    serving(test)


ODD_CHUNKS = [
    b"+5\r\nhello",
    b"0x5\r\nhello",
    b"-1\r\nhello",
    b"5\nhello",
    b"5\r\nhelloXX0",
    b"5;a\nb\r\nhello",
    b"5,5\r\nhello",
]


@pytest.mark.parametrize("chunk", ODD_CHUNKS)
def test_an_odd_chunk_ends_the_connection(chunk: bytes) -> None:
    async def test(served: Served) -> None:
        served.connection.data_received(POST + CHUNKED + b"\r\n" + chunk + b"\r\n0\r\n\r\n" + GET)
        await passes()
        assert served.client.end == "closed"
        assert served.client.received.count(b"HTTP/1.1 ") == 1
        assert served.client.received.startswith(b"HTTP/1.1 400 ")

    serving(test)


PLAIN = {
    "chunks": POST + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "a length": POST + LENGTH + b"\r\nhello",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("request_", PLAIN.values(), ids=PLAIN)
def test_a_request_with_one_meaning_is_served_and_so_is_the_next_one(request_: bytes) -> None:
    async def test(served: Served) -> None:
        served.answer.set()
        served.connection.data_received(request_ + GET)
        await passes()
        assert (served.client.end, served.requests) == ("", 2)

    serving(test)


def assert_safe(head: bytes) -> None:
    """A response that no application gives has the headers that keep a browser from doing anything with it."""
    for name in (
        b"Content-Security-Policy: default-src 'none'",
        b"X-Content-Type-Options: nosniff",
        b"Connection: close",
    ):
        assert name in head


def test_one_connection_too_many_is_answered_503_and_counted() -> None:
    async def test(served: Served) -> None:
        others = [served.connect() for _ in range(MAX_CONNECTIONS - 1)]
        assert served.turned_away == 0
        _, late = served.connect()
        assert (served.turned_away, late.end) == (1, "closed")
        assert late.received.startswith(b"HTTP/1.1 503 ")
        assert late.received.endswith(b"\r\n\r\n")
        assert_safe(late.received)
        others[0][0].connection_lost(None)
        late_connection, late = served.connect()
        assert late.end == "closed", "the one that was turned away counts until it is gone"
        late_connection.connection_lost(None)

    serving(test)
