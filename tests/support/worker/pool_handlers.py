"""Handlers for workers made with the SDK."""

import functools
import os
import sys
import time
from pathlib import Path

from rrpy.worker import Response, SoftError, log


class UnspeakableError(SoftError):
    def __str__(self):
        raise ValueError


def echo(request):
    return Response(request.context, request.body)


def answers(request):
    """Does what the context says."""
    what = request.context.decode()
    if what == "soft":
        raise SoftError("not this one")
    if what == "unexpected":
        raise ValueError("a bad value")
    if what == "unspeakable":
        raise UnspeakableError
    if what == "exit":
        raise SystemExit(7)
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "print":
        print("printed")
        os.system("echo printed by a child")
    if what == "stdin":
        return sys.stdin.read() or "empty"
    return {"str": "text", "bytes": b"bytes", "none": None, "number": 5, "pair": Response("é", b"\x00")}.get(what, "?")


def environment(request):
    return Response("", os.environ.get(request.context.decode(), "absent"))


def slow(request):
    """Create the file named by the context, then wait for the file named by the body."""
    Path(os.fsdecode(request.context)).touch()
    while not Path(os.fsdecode(request.body)).exists():
        time.sleep(0.005)
    return "done"


def identity(request):
    return f"{os.getuid()} {os.getgid()} {os.getpgrp() == os.getpid()} {sys.executable}"


not_callable = 5


def streams(request):
    """Does what the context says, in parts; the body names a file that tells what became of the generator."""
    what = request.context.decode()
    if what == "refuses at once":
        raise SoftError("not this one")
    try:
        yield "one"
        if what == "soft":
            raise SoftError("no more")
        if what == "unexpected":
            raise ValueError("a bad part")
        if what == "number":
            yield 5
        if what == "big":
            yield b"b" * 5_000_000
        if what == "gate":
            while not Path(os.fsdecode(request.body)).exists():
                time.sleep(0.005)
        while what in ("endless", "stubborn", "breaks at its end"):
            time.sleep(0.001)
            yield Response("more", b"\x00")
        yield b"two"
        if what == "returns":
            return Response("the end", b"!")
    finally:
        print("closed")
        if what == "stubborn":
            yield "never"
        if what == "breaks at its end":
            raise ValueError("a bad end")


not_a_function = functools.partial(streams)


def modules(request):
    """Say which of the modules are loaded."""
    return " ".join(name for name in request.context.decode().split() if name in sys.modules)


def logs(request):
    what = request.context.decode()
    if what == "keys":
        log.debug("a debug line", number=1)
        log.info("a line", text="é", none=None, path=Path("x"), nested={"a": [1, True]}, level="mine", msg="mine")
        log.warning("two\nlines")
        log.error("worse")
    if what == "odd":
        log.info("odd", nan=float("nan"), keys={(1, 2): 3}, mute=Mute(), lone="\udc80", number=5)
    if what == "exception":
        try:
            raise ValueError("inner")
        except ValueError:
            log.exception("it failed", id=7)
        log.exception("nothing failed")
    if what == "big":
        log.info("big", body="x" * 100_000)
    return "text"


class Mute:
    def __str__(self):
        raise ValueError


def logs_late(request):
    """Imports the standard `logging` in its first request only."""
    import logging

    logging.getLogger("late").warning("from %s", request.context.decode())
    return "text"


def forked(request):
    """Fork a child that sleeps, end it with SIGTERM, and tell how it ended."""
    import multiprocessing

    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(20)
    return str(child.exitcode)
