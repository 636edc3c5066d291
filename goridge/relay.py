"""The relay of a worker process: frames over two file descriptors (pipes, or twice the same socket).

A worker that has nothing else to do blocks in `receive` and `send`. One with an event loop waits for the descriptors
itself, takes what has come with `fill` and sends piece by piece with `pieces` and `write`.
"""

from __future__ import annotations

import os
import select
from collections import deque

from .frame import MAX_PAYLOAD, Decoder, Frame, header

_CHUNK = 64 * 1024
"""Bytes of one read. A larger buffer gets a memory mapping of its own, which costs more than all the rest of a call."""


class Relay:
    """Reads and writes whole frames. It owns neither of its descriptors, `input` and `output`.

    `limit`: the largest payload accepted, in bytes. `split`: a frame's context is set apart, as `Decoder` does it.
    `frames`: those that have come and are not received yet. Not for several threads at once.
    """

    __slots__ = ("_decoder", "_look", "_poll", "frames", "input", "output")

    def __init__(self, read: int, write: int, limit: int = MAX_PAYLOAD, *, split: bool = False) -> None:
        self.input = read
        self.output = write
        self.frames: deque[Frame] = deque()
        self._decoder = Decoder(limit, split=split)
        # Two, because `ready` may be called by a signal handler that interrupts `wait`, and a poll is not reentrant.
        self._poll, self._look = select.poll(), select.poll()
        self._poll.register(read, select.POLLIN)
        self._look.register(read, select.POLLIN)

    def wait(self) -> None:
        """Wait until there is something to receive. Consumes nothing: what interrupts it loses nothing."""
        if not self.frames:
            self._poll.poll()

    def ready(self, patience: float = 0) -> bool:
        """Say whether something has come within so many seconds: the beginning of a frame, or the end of the stream."""
        return bool(self.frames) or bool(self._look.poll(patience * 1000))

    def receive(self) -> Frame | None:
        """Return the next frame, None at a clean end of the stream; wait for it.

        Raises FrameError for what is not a frame (TruncatedFrame: it ended inside one), OSError from the descriptor.
        """
        while not self.frames:
            if not self._pull():
                return None
        return self.frames.popleft()

    def fill(self) -> bool:
        """Read into `frames` what has come, without waiting. Return False at a clean end of the stream.

        Raises what `receive` raises.
        """
        while self._look.poll(0):
            if not self._pull():
                return False
        return True

    def send(self, flags: int, *parts: bytes, options: tuple[int, ...] = (), stream: int = 0) -> None:
        """Write one frame whose payload is the parts, without joining them; wait until all of it is written.

        Raises ValueError for what the format cannot carry, with nothing written; OSError from the descriptor.
        """
        rest = self.pieces(flags, *parts, options=options, stream=stream)
        while rest:
            self.write(rest)

    def pieces(self, flags: int, *parts: bytes, options: tuple[int, ...] = (), stream: int = 0) -> list[memoryview]:
        """Return what `write` is to be given until nothing of it is left. Raises ValueError as `send` does."""
        head = header(flags, sum(map(len, parts)), options, stream)
        return [memoryview(part) for part in (head, *parts) if part]

    def write(self, rest: list[memoryview]) -> None:
        """Write once and take what is written off the list. Raises OSError from the descriptor."""
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
