"""Deadlines with a clock that the test turns, in a host that stands still."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.container.clock import TurnedLoop, run

from rrpy.container.deadline import MOMENT, Deadline, time_limit
from rrpy.goridge.frame import Frame
from rrpy.goridge.worker import request_pieces
from rrpy.worker_pool.call import Call
from rrpy.worker_pool.limits import WorkerLimits
from rrpy.worker_pool.protocols import Payload
from rrpy.worker_pool.requester import Requester

ANSWER = b"".join(request_pieces(b"", b"yes"))

PAUSES = [0.0, 1.0, 1000.0]
"""Seconds that the host stands still after the deadline; after less than a moment the deadline is not put off."""


class Recorder:
    """A worker that keeps the events of its requester."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def answered(self, more: bool) -> None:
        self.events.append("answered")

    def handed_back(self, call: Call) -> None:
        self.events.append("handed back")

    def spoke_unasked(self, frame: Frame, more: bool) -> None:
        self.events.append("spoke unasked")

    def broke_protocol(self, fault: str) -> None:
        self.events.append(fault)

    def timed_out(self, fault: str, *, answering: bool) -> None:
        self.events.append(fault)


class Channel(asyncio.Protocol):
    """A requester's channel over a socket."""

    unsent = 0

    def __init__(self, requester: Requester) -> None:
        self.data_received: Callable[[bytes], None] = requester.feed  # type: ignore[assignment]
        self.transport: Any = None
        requester.channel = self  # type: ignore[assignment]

    def is_closing(self) -> bool:
        return False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def write(self, pieces: Any) -> None:
        self.transport.write(b"".join(pieces))


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("pause", PAUSES)
def test_an_answer_that_came_while_the_host_stood_still_is_in_time(pause: float) -> None:
    async def test(loop: TurnedLoop) -> None:
        recorder = Recorder()
        requester = Requester(recorder, WorkerLimits(exec_ttl=5))
        with pair() as (ours, theirs):
            _, channel = await loop.create_connection(lambda: Channel(requester), sock=ours)
            call = Call(Payload(), loop.create_future())
            requester.send(call, call.frame())
            await asyncio.sleep(0)
            theirs.send(ANSWER)
            loop.stand_still(5 + pause)
            answer = await call.answer
            assert (answer.body, recorder.events) == (b"yes", ["answered"])
            channel.transport.close()
            await asyncio.sleep(0)

    run(test)


@pytest.mark.parametrize("pause", PAUSES)
def test_a_worker_that_did_not_answer_is_timed_out_after_the_pause_once(pause: float) -> None:
    async def test(loop: TurnedLoop) -> None:
        recorder = Recorder()
        requester = Requester(recorder, WorkerLimits(exec_ttl=5))
        with pair() as (ours, _):
            _, channel = await loop.create_connection(lambda: Channel(requester), sock=ours)
            call = Call(Payload(), loop.create_future())
            requester.send(call, call.frame())
            loop.stand_still(5 + pause)
            for _ in range(10):
                await asyncio.sleep(0)
            assert recorder.events == ([] if pause > MOMENT else ["did not answer within 5 s (exec_ttl)"])
            loop.turn(5)
            for _ in range(10):
                await asyncio.sleep(0)
            assert recorder.events == ["did not answer within 5 s (exec_ttl)"]
            channel.transport.close()
            await asyncio.sleep(0)

    run(test)


def test_a_deadline_of_a_loop_that_is_always_late_is_put_off_once() -> None:
    async def test(loop: TurnedLoop) -> None:
        over: list[float] = []
        deadline = Deadline()
        start = loop.time()
        deadline.start(10, lambda: over.append(loop.time() - start))
        while not over:
            loop.turn(7)
            await asyncio.sleep(0)
        assert 10 <= over[0] < 10 + 2 * 7 + 10 * 7
        assert not deadline.running

    run(test)


def test_a_deadline_that_is_stopped_while_the_loop_reads_does_not_count() -> None:
    async def test(loop: TurnedLoop) -> None:
        over: list[bool] = []
        deadline = Deadline()
        deadline.start(10, lambda: over.append(True))
        loop.turn(10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert deadline.running
        deadline.stop()
        for _ in range(10):
            await asyncio.sleep(0)
        assert over == []

    run(test)


def test_an_infinite_deadline_is_never_reached() -> None:
    async def test(loop: TurnedLoop) -> None:
        deadline = Deadline()
        deadline.start(float("inf"), lambda: pytest.fail("reached"))
        assert not deadline.running

    run(test)


def test_a_wait_with_a_time_limit_sees_what_came_while_the_host_stood_still() -> None:
    async def test(loop: TurnedLoop) -> None:
        with pair() as (ours, theirs):
            theirs.send(b"x")
            loop.call_soon(loop.stand_still, 60)
            received = b""
            with time_limit(5):
                received = await _readable(loop, ours)
            assert received == b"x"

    run(test)


async def _readable(loop: TurnedLoop, sock: socket.socket) -> bytes:
    """Return the byte that the loop finds in the socket."""
    found = loop.create_future()
    loop.add_reader(sock, lambda: found.set_result(sock.recv(1)))
    try:
        return await found
    finally:
        loop.remove_reader(sock)
