"""A listener leaves descriptors to the rest of the host."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
import uvloop
from support.log import Log
from support.waiting import until

from rrpy.container.net import accepting
from rrpy.container.net.accepting import (
    LOG_INTERVAL,
    MAIL_RESERVE,
    RESERVE,
    Acceptor,
    Reserve,
    descriptor_limit,
    free_descriptors,
)
from rrpy.container.net.address import parse_address
from rrpy.container.net.listening import BoundSockets, listen_addresses

MESSAGE = "no connections are accepted: too few descriptors are free"
ADDRESS = parse_address("tcp://127.0.0.1:1")
LOOPS = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@dataclass
class Descriptors:
    """What the test says is free."""

    free: int = 1000
    looks: int = 0

    def __call__(self) -> int:
        self.looks += 1
        return self.free

    async def looked_at(self, times: int) -> None:
        """Wait for so many more looks."""
        begun = self.looks
        await until(lambda: self.looks >= begun + times)


async def first_bytes(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(5)
    except ConnectionError:
        return b""


class Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"hello")  # type: ignore[attr-defined]


def test_an_open_descriptor_is_not_free() -> None:
    before = free_descriptors()
    assert 0 < before < descriptor_limit()
    opened = [os.dup(0) for _ in range(10)]
    try:
        assert free_descriptors() == before - 10
    finally:
        for descriptor in opened:
            os.close(descriptor)


def test_a_look_serves_many_connections_and_the_last_ones_have_one_each() -> None:
    descriptors = Descriptors(1000)
    reserve = Reserve(60, ADDRESS, Log(), descriptors)
    served = 0
    while reserve.admits(0.0):
        descriptors.free -= 1
        served += 1
    assert served == 1000 - 60
    assert descriptors.looks < 20
    assert descriptors.free == 60


@pytest.mark.parametrize(("limit", "mail", "others"), [(1024, 64, 32), (256, 64, 32), (128, 32, 16), (40, 10, 5)])
def test_mail_leaves_room_for_the_other_listeners(
    monkeypatch: pytest.MonkeyPatch, limit: int, mail: int, others: int
) -> None:
    monkeypatch.setattr(accepting, "descriptor_limit", lambda: limit)

    def served(reserve: int) -> int:
        descriptors = Descriptors(0)
        while not Reserve(reserve, ADDRESS, Log(), descriptors).has_room(0.0):
            descriptors.free += 1
        return descriptors.free - 1

    assert (served(MAIL_RESERVE), served(RESERVE)) == (mail, others)


def test_the_lack_is_in_the_log_once_a_minute_with_the_limit() -> None:
    log = Log()
    reserve = Reserve(60, ADDRESS, log, Descriptors(60))
    assert not any(reserve.admits(now) for now in (100.0, 101.0, 99.0 + LOG_INTERVAL, 100.0 + LOG_INTERVAL))
    said = [keys for level, message, keys in log.lines if message == MESSAGE]
    assert said == [{"address": str(ADDRESS), "limit": descriptor_limit(), "reserve": 60}] * 2


@asynccontextmanager
async def accepting_on(
    descriptors: Descriptors,
) -> AsyncIterator[tuple[Acceptor, Callable[[], Awaitable[asyncio.StreamReader]]]]:
    bound = BoundSockets(listen_addresses("127.0.0.1:0", "test"))
    acceptor = Acceptor(bound, Greeting, Reserve(16, bound.address, Log(), descriptors))
    await acceptor.start()
    opened = []

    async def connect() -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", bound.address.port)  # type: ignore[union-attr]
        opened.append(writer)
        return reader

    try:
        yield acceptor, connect
    finally:
        acceptor.close()
        acceptor.close()
        for writer in opened:
            writer.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_listener_stops_within_its_reserve_and_goes_on_when_there_is_room(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "PAUSE", 0.001)

    async def main() -> None:
        descriptors = Descriptors(18)
        async with accepting_on(descriptors) as (_, connect):
            assert await (await connect()).readexactly(5) == b"hello"
            descriptors.free = 16
            with anyio.fail_after(10):
                while await first_bytes(await connect()):
                    pass
                await descriptors.looked_at(3)
                waiting = await connect()
                await descriptors.looked_at(3)
                assert not waiting.at_eof()
                descriptors.free = 1000
                assert await waiting.readexactly(5) == b"hello"
                assert await (await connect()).readexactly(5) == b"hello"

    asyncio.run(main()) if loop == "asyncio" else uvloop.run(main())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_listener_that_is_closed_while_it_has_stopped_refuses_clients(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "PAUSE", 0.001)

    async def main() -> None:
        descriptors = Descriptors(0)
        async with accepting_on(descriptors) as (acceptor, connect):
            await connect()
            with anyio.fail_after(10):
                await descriptors.looked_at(3)
            acceptor.close()
            with pytest.raises(ConnectionError):
                await connect()

    asyncio.run(main()) if loop == "asyncio" else uvloop.run(main())
