"""The blocking client: against the real server, without a server, and against hosts that misbehave."""

from __future__ import annotations

import functools
import itertools
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from support.rpc.host import ONE, SMTPMethods, TestMethods, server_of

from rrpy.container.errors import HostError
from rrpy.goridge.frame import ERROR, JSON, MAX_PAYLOAD, Frame, encode, header
from rrpy.rpc.client import Client
from rrpy.rpc.errors import ConnectionLost, NotListening, RPCError

pytestmark = pytest.mark.anyio


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await anyio.to_thread.run_sync(functools.partial(function, *args, **kwargs))


@pytest.mark.parametrize("kind", ["tcp://127.0.0.1:0", "tcp://[::1]:0", "unix://{}/s"])
async def test_it_calls_and_goes_on_after_an_error(tmp_path: Path, kind: str) -> None:
    def talk(address: str) -> None:
        with Client(address) as client:
            assert client.call("smtp.ListConnections")[0]["from"] == "a@x.io"
            with pytest.raises(RPCError, match=r"^connection not found$"):
                client.call("smtp.CloseConnection", "u2")
            assert client.call("smtp.CloseConnection", "u1") is True
            assert client.call("smtp.ListConnections") == []
            assert client.call("t.Echo", None) is None
            assert client.call("t.Echo", {"a": [1.5, "ü", None]}) == {"a": [1.5, "ü", None]}
            assert len(client.call("t.Echo", "x" * 1_000_000)) == 1_000_000

    async with server_of(kind.format(tmp_path), smtp=SMTPMethods(ONE), t=TestMethods()) as server:
        await in_thread(talk, str(server.address))


async def test_an_argument_that_json_does_not_have_is_refused_before_it_is_sent() -> None:
    def talk(address: str) -> None:
        with Client(address) as client:
            for wrong in (object(), float("nan"), {1, 2}):
                with pytest.raises((TypeError, ValueError)):
                    client.call("t.Echo", wrong)
            assert client.call("t.Echo", 7) == 7

    async with server_of(t=TestMethods()) as server:
        await in_thread(talk, str(server.address))


async def test_a_host_that_stops_tells_the_client() -> None:
    methods = TestMethods()

    def talk(address: str) -> None:
        with Client(address) as client:
            with pytest.raises(RPCError, match=r"^rpc: the host is stopping$"):
                client.call("t.Wait", "never")
            with pytest.raises(ConnectionLost):
                client.call("t.Echo", 1)

    async with server_of(t=methods) as server, anyio.create_task_group() as group:
        group.start_soon(in_thread, talk, str(server.address))
        await methods.until_waiting(1)
        await server.stop()


def test_nobody_there_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    for where in (address, f"unix://{tmp_path}/s"):
        with pytest.raises(NotListening, match=f"^no rrpy host answers on {where}: .*; is it running") as raised:
            Client(where)
        assert isinstance(raised.value, HostError)
        assert raised.value.exit_code == 2


def test_an_address_that_is_none_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="an address is written"):
        Client("127.0.0.1:6001")


@contextmanager
def host_that(answer: bytes | Iterator[bytes], *, closes: bool = True) -> Iterator[str]:
    """A host that answers the first request with these bytes (or pieces), and then closes or stays silent."""
    silence = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(ConnectionError):
            connection.recv(65536)
            for piece in [answer] if isinstance(answer, bytes) else answer:
                connection.sendall(piece)
            if not closes:
                silence.wait(20)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            silence.set()
            thread.join()


GOOD = encode(Frame(JSON, b"t.Echo1", (1, 6)))
SINS = {
    "closes": (b"", "the host closed it"),
    "closes inside the answer": (GOOD[:-1], "ended inside a goridge frame"),
    "speaks another protocol": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not a goridge frame: version 4"),
    "answers another call": (encode(Frame(JSON, b"t.Echo1", (2, 6))), r"asked for t\.Echo \(1\), the answer is to"),
    "answers another method": (encode(Frame(JSON, b"t.Ohce1", (1, 6))), r"the answer is to t\.Ohce \(1\)"),
    "answers without options": (encode(Frame(JSON, b"t.Echo1")), "two options"),
    "answers no JSON": (encode(Frame(JSON, b"t.Echo{", (1, 6))), "expecting property name"),
    "answers bad text": (encode(Frame(JSON, b't.Echo"\xff"', (1, 6))), "can't decode byte 0xff"),
}


@pytest.mark.parametrize("name", SINS)
def test_a_host_that_misbehaves_is_one_sentence_and_the_client_is_closed(name: str) -> None:
    answer, text = SINS[name]
    with host_that(answer) as address, Client(address) as client:
        with pytest.raises(ConnectionLost, match=f"the connection to {address} broke: .*{text}"):
            client.call("t.Echo", 1)
        with pytest.raises(ConnectionLost, match="bad file descriptor"):
            client.call("t.Echo", 1)


def test_an_answer_may_come_in_pieces() -> None:
    with host_that(bytes([byte]) for byte in GOOD) as address, Client(address) as client:
        assert client.call("t.Echo", 1) == 1


def test_an_error_text_that_is_not_utf8_is_shown_anyway() -> None:
    answer = encode(Frame(JSON | ERROR, b"t.Echono\xff", (1, 6)))
    with host_that(answer) as address, Client(address) as client, pytest.raises(RPCError, match="no\ufffd"):
        client.call("t.Echo", 1)


@pytest.mark.parametrize("answer", [b"", GOOD[:-1]], ids=["nothing", "half an answer"])
def test_a_host_that_does_not_answer_is_left_at_the_timeout(answer: bytes) -> None:
    with (
        host_that(answer, closes=False) as address,
        Client(address, timeout=0.2) as client,
        pytest.raises(ConnectionLost, match=r"t\.Echo took more than 0\.2 s"),
    ):
        client.call("t.Echo", 1)


def test_a_host_that_dribbles_for_ever_is_left_at_the_timeout() -> None:
    def endless() -> Iterator[bytes]:
        yield header(JSON, MAX_PAYLOAD, (1, 6))
        yield from itertools.repeat(b"x")

    with (
        host_that(endless()) as address,
        Client(address, timeout=0.2) as client,
        pytest.raises(ConnectionLost, match=r"t\.Echo took more than 0\.2 s"),
    ):
        client.call("t.Echo", 1)


def test_closing_twice_is_fine() -> None:
    with host_that(GOOD) as address:
        client = Client(address)
        assert client.call("t.Echo", 1) == 1
        client.close()
        client.close()


def test_importing_the_client_loads_no_event_loop_and_no_codec() -> None:
    heavy = ["anyio", "asyncio", "msgpack", "msgspec", "uvloop", "yaml", "loguru", "click"]
    program = f"import sys, rrpy.rpc.client; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
