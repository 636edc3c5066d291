"""What the workers of `benchmarks/pool.py` run: an echo, as a handler of the SDK and as a plain function."""

from __future__ import annotations

from rrpy.worker import Request


def handle(request: Request) -> bytes:
    return request.body


def echo(body: bytes) -> bytes:
    return body
