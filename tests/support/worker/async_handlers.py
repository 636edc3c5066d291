"""Asynchronous handlers for workers made with the SDK. Apart from the others, whose workers do not load asyncio."""

import asyncio
import os
from pathlib import Path

from pool_handlers import forked

from rrpy.worker import Request, Response, SoftError

ERRORS = {
    "soft": SoftError("not this one"),
    "unexpected": ValueError("a bad value"),
    "cancelled": asyncio.CancelledError(),
    "exit": SystemExit(7),
    "interrupt": KeyboardInterrupt(),
}


async def answers(request):
    """Does what the context says; the event loop keeps what the requests before have left on it."""
    what = request.context.decode()
    loop = asyncio.get_running_loop()
    if what in ERRORS:
        raise ERRORS[what]
    if what == "loop":
        return str(id(loop))
    if what == "background":
        loop.keeper = asyncio.create_task(_touch(Path(os.fsdecode(request.body))))
        return "begun"
    if what == "background slow":
        loop.keeper = asyncio.create_task(_follow(Path(os.fsdecode(request.body))))
    if what == "ends the process":
        loop.keeper = asyncio.create_task(_end())
        await asyncio.sleep(60)
    if what == "gate":
        started, gate = map(Path, request.body.decode().split(":"))
        started.touch()
        await _until(gate)
    if what == "big":
        return Response(str(len(request.body)), request.body)
    return "text"


async def _touch(folder):
    """Create `idle`, then wait until cancelled, and create `cancelled`."""
    await asyncio.sleep(0.01)
    (folder / "idle").touch()
    try:
        await asyncio.sleep(3600)
    finally:
        (folder / "cancelled").touch()


async def _follow(folder):
    """Wait for `go` and create `went`."""
    await _until(folder / "go")
    (folder / "went").touch()


async def _until(path):
    while not path.exists():  # noqa: ASYNC110 - the one who creates it is another process
        await asyncio.sleep(0.005)


async def _end():
    raise SystemExit(7)


async def streams(request):
    what = request.context.decode()
    try:
        async with asyncio.timeout(60):  # which is bound to the task that opened it
            yield "one"
            if what == "soft":
                raise SoftError("no more")
            if what == "number":
                yield 5
            if what == "gate":
                await _until(Path(os.fsdecode(request.body)))
            if what == "ends the process":
                await asyncio.gather(asyncio.sleep(3600), _end())
            if what == "waits":
                await asyncio.sleep(3600)
            while what == "endless":
                await asyncio.sleep(0.001)
                yield "more"
            while what == "big":
                yield b"b" * 1_000_000
        yield b"two"
    finally:
        print("closed")
        await asyncio.sleep(0)
        print("closed whole")


def turns_async(request):
    """A plain function that gives a coroutine where it is asked to, and an asynchronous generator likewise."""
    what = request.context
    if what == b"stream":
        return streams(Request(b"", b""))
    return answers(request) if what in (b"loop", b"coroutine") else "plain"


def gated(request):
    """Asynchronous, which nothing tells before it is called."""
    return answers(request)


async def crashes_in_the_background(request):
    asyncio.create_task(_crash())  # noqa: RUF006 - its exception is never retrieved
    await asyncio.sleep(0)
    return "text"


async def _crash():
    raise ValueError("in the background")


class CallableAsync:
    async def __call__(self, request):
        return Response("called", request.body)


called = CallableAsync()


async def echo(request):
    return Response(request.context, request.body)


async def forks(request):
    return forked(request)
