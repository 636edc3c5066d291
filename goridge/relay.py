"""The relay of a worker process: frames over two file descriptors (pipes, or twice the same socket).

A worker without an event loop blocks in `receive` and `send`. One with an event loop waits for the descriptors itself,
reads with `fill`, and sends piece by piece with `pieces` and `write`.
"""

from __future__ import annotations

import os
import select
from collections import deque

from .frame import MAX_PAYLOAD, Decoder, Frame, header

_CHUNK = 64 * 1024
"""Bytes of one read. A larger buffer gets a memory mapping of its own, which costs more than the rest of the call."""


class Relay:
    """Reads and writes whole frames. It does not own its descriptors, `input` and `output`.

    `limit`: the largest payload accepted, in bytes. `split`: as for `Decoder`. `frames`: read, and not received yet.
    Not for several threads at once.
    """

    __slots__ = ("_decoder", "_poll", "_probe", "frames", "input", "output")

    def __init__(self, read: int, write: int, limit: int = MAX_PAYLOAD, *, split: bool = False) -> None:
        self.input = read
        self.output = write
        self.frames: deque[Frame] = deque()
        self._decoder = Decoder(limit, split=split)
        # Two, because a signal handler that interrupts `wait` may call `ready`, and a poll is not reentrant.
        self._poll, self._probe = select.poll(), select.poll()
        self._poll.register(read, select.POLLIN)
        self._probe.register(read, select.POLLIN)

    def wait(self) -> None:
        """Wait until there is something to receive. It consumes nothing, so an interruption loses nothing."""
        if not self.frames:
            self._poll.poll()

    def ready(self, timeout: float = 0) -> bool:
        """Say whether something arrives within `timeout` seconds: part of a frame, or the end of the stream."""
        return bool(self.frames) or bool(self._probe.poll(timeout * 1000))

    def receive(self) -> Frame | None:
        """Wait for the next frame and return it; None at a clean end of the stream.

        Raises FrameError for wrong bytes (TruncatedFrame: an end inside a frame), OSError from the descriptor.
        """
        while not self.frames:
            if not self._pull():
                return None
        return self.frames.popleft()

    def fill(self) -> bool:
        """Read into `frames` all that has arrived, without a wait. Return False at a clean end of the stream.

        Raises the errors of `receive`.
        """
        while self._probe.poll(0):
            if not self._pull():
                return False
        return True

    def send(self, flags: int, *parts: bytes, options: tuple[int, ...] = (), stream: int = 0) -> None:
        """Write one frame whose payload is the parts, without a copy; wait until all of it is written.

        Raises ValueError, with nothing written, for a number that the format cannot carry; OSError from the descriptor.
        """
        rest = self.pieces(flags, *parts, options=options, stream=stream)
        while rest:
            self.write(rest)

    def pieces(self, flags: int, *parts: bytes, options: tuple[int, ...] = (), stream: int = 0) -> list[memoryview]:
        """Return a frame as the list to call `write` with until it is empty. Raises ValueError as `send` does."""
        head = header(flags, sum(map(len, parts)), options, stream)
        return [memoryview(part) for part in (head, *parts) if part]

    def write(self, rest: list[memoryview]) -> None:
        """Write once, and remove the written bytes from the list. Raises OSError from the descriptor."""
        written = os.writev(self.output, rest)
        while rest and written >= len(rest[0]):
            written -= len(rest.pop(0))
        if written:
            rest[0] = rest[0][written:]

    def _pull(self) -> bool:
        data = os.read(self.input, _CHUNK)
        if data:
            self.frames.extend(self._decoder.feed(data))
        else:
            self._decoder.eof()
        return bool(data)
