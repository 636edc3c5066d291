"""The blocking relay of a worker process: frames over two file descriptors (pipes, or twice the same socket)."""

from __future__ import annotations

import os
import select
from collections import deque
from typing import Final

from .frame import MAX_PAYLOAD, Decoder, Frame, header

_CHUNK: Final = 256 * 1024


class Relay:
    """Reads and writes whole frames, and blocks meanwhile. It owns neither descriptor.

    `limit`: the largest payload accepted, in bytes. Not for several threads at once.
    """

    __slots__ = ("_decoder", "_frames", "_look", "_poll", "_read", "_write")

    def __init__(self, read: int, write: int, limit: int = MAX_PAYLOAD) -> None:
        self._read = read
        self._write = write
        self._decoder = Decoder(limit)
        self._frames: deque[Frame] = deque()
        # Two, because `ready` may be called by a signal handler that interrupts `wait`, and a poll is not reentrant.
        self._poll, self._look = select.poll(), select.poll()
        self._poll.register(read, select.POLLIN)
        self._look.register(read, select.POLLIN)

    def wait(self) -> None:
        """Wait until there is something to receive. Consumes nothing: what interrupts it loses nothing."""
        if not self._frames:
            self._poll.poll()

    def ready(self) -> bool:
        """Say whether something has come, at least the beginning of a frame, or the end of the stream."""
        return bool(self._frames) or bool(self._look.poll(0))

    def receive(self) -> Frame | None:
        """Return the next frame, None at a clean end of the stream.

        Raises FrameError for what is not a frame (TruncatedFrame: it ended inside one), OSError from the descriptor.
        """
        while not self._frames:
            data = os.read(self._read, _CHUNK)
            if not data:
                self._decoder.eof()
                return None
            self._frames.extend(self._decoder.feed(data))
        return self._frames.popleft()

    def send(self, flags: int, *parts: bytes, options: tuple[int, ...] = ()) -> None:
        """Write one frame whose payload is the parts, without joining them.

        Raises ValueError for what the format cannot carry, with nothing written; OSError from the descriptor.
        """
        head = header(flags, sum(map(len, parts)), options)
        rest = [memoryview(part) for part in (head, *parts) if part]
        while rest:
            written = os.writev(self._write, rest)
            while rest and written >= len(rest[0]):
                written -= len(rest.pop(0))
            if written:
                rest[0] = rest[0][written:]
