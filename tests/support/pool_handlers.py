"""Handlers for workers made with the SDK."""

import os
import sys
import time
from pathlib import Path

from rrpy.worker import Response, SoftError


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
