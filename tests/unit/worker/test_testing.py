"""The test double, which is what a user's tests stand on."""

from __future__ import annotations

import asyncio
import functools
import warnings

import pytest
from support.worker import pool_handlers

from rrpy.worker import Request, Response, SoftError
from rrpy.worker.testing import Worker, ask, stream


def count(request):
    """Stream what the context says; the body tells how it ends."""
    try:
        for number in request.json():
            yield str(number)
        if request.body == b"soft":
            raise SoftError("no more")
        if request.body == b"bad":
            yield 5
        if request.body == b"returns":
            return Response("end", "!")
    finally:
        closed.append(request.body)


async def count_async(request):
    try:
        async with asyncio.timeout(60):
            for number in request.json():
                await asyncio.sleep(0)
                yield str(number)
        if request.body == b"soft":
            raise SoftError("no more")
        if request.body == b"bad":
            yield 5
        if request.body == b"waits":
            await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0)
        closed.append(request.body)


closed: list[bytes] = []
BOTH = pytest.mark.parametrize("handler", [count, count_async, functools.partial(count_async)])


@pytest.fixture(autouse=True)
def nothing_closed():
    closed.clear()


@pytest.mark.parametrize(
    ("context", "seen"),
    [(b"\xff", b"\xff"), ("é", "é".encode()), ({"a": [1]}, b'{"a": [1]}'), ([1], b"[1]"), (None, b"null")],
)
def test_a_context_is_bytes_text_or_anything_as_json(context, seen):
    assert ask(pool_handlers.echo, context, "body") == Response(seen, b"body")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("str", (b"text", b"")), ("bytes", (b"", b"bytes")), ("none", (b"", b"")), ("pair", ("é".encode(), b"\x00"))],
)
def test_an_answer_is_what_the_host_would_get(asked, answer):
    assert ask(pool_handlers.answers, asked) == Response(*answer)


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        ("soft", SoftError, "not this one"),
        ("unexpected", ValueError, "a bad value"),
        ("number", TypeError, "not int"),
        ("exit", SystemExit, "7"),
        ("interrupt", KeyboardInterrupt, None),
    ],
)
def test_an_error_is_raised_as_the_handler_raised_it_and_nothing_is_printed(capfd, asked, error, text):
    with pytest.raises(error, match=text):
        ask(pool_handlers.answers, asked)
    assert capfd.readouterr() == ("", "")


async def rude(request):
    await asyncio.sleep(0)
    if request.context == b"exit":
        raise SystemExit(7)
    if request.context == b"soft":
        raise SoftError("not this one")
    raise asyncio.CancelledError


@pytest.mark.parametrize(("asked", "error"), [("exit", SystemExit), ("soft", SoftError), ("", asyncio.CancelledError)])
def test_an_error_of_an_asynchronous_handler_is_raised_as_well(capfd, asked, error):
    with pytest.raises(error):
        ask(rude, asked)
    assert capfd.readouterr() == ("", "")


@BOTH
def test_a_stream_is_its_parts(handler):
    assert list(stream(handler, [1, 2])) == [Response(b"1", b""), Response(b"2", b"")]
    assert closed == [b""]


def test_the_value_of_a_generator_comes_last(handler=count):
    assert list(stream(handler, [1], "returns")) == [Response(b"1", b""), Response(b"end", b"!")]


def test_a_handler_that_does_not_stream_gives_its_answer_as_the_only_part():
    assert list(stream(pool_handlers.answers, "str")) == [Response(b"text", b"")]


@BOTH
@pytest.mark.parametrize(("body", "error"), [("soft", SoftError), ("bad", TypeError)])
def test_an_error_in_mid_stream_is_raised_behind_the_parts(handler, body, error):
    parts = stream(handler, [1], body)
    assert next(parts) == Response(b"1", b"")
    with pytest.raises(error):
        next(parts)
    assert closed == [body.encode()]


@BOTH
def test_to_close_a_stream_closes_the_handlers_own(handler):
    parts = stream(handler, list(range(100)), "x")
    assert next(parts) == Response(b"0", b"")
    assert closed == []
    parts.close()
    assert closed == [b"x"]
    for _part in stream(handler, [1, 2], "y"):
        break
    assert closed[1:] == [b"y"]


def test_a_stream_that_awaits_is_closed_at_once():
    parts = stream(count_async, [1], "waits")
    next(parts)
    parts.close()
    assert closed == [b"waits"]


def test_a_handler_that_fails_when_it_is_closed_fails_the_test():
    def stubborn(request):
        try:
            yield "one"
        finally:
            raise ValueError("a bad end")

    async def stubborn_async(request):
        try:
            yield "one"
        finally:
            raise ValueError("a bad end")

    for handler in (stubborn, stubborn_async):
        parts = stream(handler)
        next(parts)
        with pytest.raises(ValueError, match="a bad end"):
            parts.close()


@BOTH
def test_a_handler_that_streams_is_not_to_be_asked(handler):
    with pytest.raises(TypeError, match="use stream"):
        ask(handler, [1, 2])
    assert closed == [b""]


def test_a_worker_has_one_event_loop_for_all_its_requests():
    async def handler(request):
        loop = asyncio.get_running_loop()
        if not hasattr(loop, "kept"):
            loop.kept = asyncio.create_task(asyncio.sleep(3600))
        return str(id(loop.kept))

    with Worker(handler) as worker:
        assert worker.ask() == worker.ask()
        kept = worker.ask()
    worker.close()
    with Worker(handler) as worker:
        assert isinstance(kept, Response)
        assert list(worker.stream()) == [worker.ask()]


def test_a_worker_whose_handler_has_ended_the_process_can_be_closed():
    with Worker(rude) as worker:
        with pytest.raises(SystemExit):
            worker.ask("exit")
        with pytest.raises(SoftError):
            worker.ask("soft")


@pytest.mark.anyio
async def test_in_an_asynchronous_test_it_is_called_in_a_thread():
    async def handler(request: Request):
        return "text"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match=r"call this in a thread, with asyncio\.to_thread"):
            ask(handler)
    assert await asyncio.to_thread(ask, handler) == Response(b"text", b"")
    assert ask(pool_handlers.answers, "str") == Response(b"text", b"")
