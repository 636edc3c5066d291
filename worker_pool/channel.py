"""What frames travel over: a worker's own pipes, or a connection that it made to us (relays.py)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec

from ..goridge.frame import CONTROL, JSON, Frame, encode


class Channel(Protocol):
    """What frames are written to, and where reading can be paused."""

    @property
    def write(self) -> Callable[[Sequence[bytes]], None]:
        """Write the parts of a frame."""
        ...

    def pause(self, paused: bool) -> None:
        """Read no more until told, or read on."""
        ...

    def end(self) -> None:
        """Send what was written, then the end of the input."""
        ...

    def close(self) -> None:
        """Close it, whatever was not sent or read."""
        ...

    @property
    def closing(self) -> bool:
        """Whether nothing can be written any more."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes that were written and wait for the other side to read."""
        ...


class Pipes:
    """The channel of a worker that speaks on its stdin and stdout."""

    def __init__(self, process: asyncio.SubprocessTransport) -> None:
        self._stdin = cast(asyncio.WriteTransport, process.get_pipe_transport(0))
        self._stdout = cast(asyncio.ReadTransport, process.get_pipe_transport(1))
        self.write: Callable[[Sequence[bytes]], None] = self._stdin.writelines

    def pause(self, paused: bool) -> None:
        """Read no more of its stdout until told, or read on."""
        set_reading(self._stdout, not paused)

    def end(self) -> None:
        """Close its stdin behind what was written."""
        self._stdin.close()

    def close(self) -> None:
        """Do nothing: the process's transport closes its pipes."""

    @property
    def closing(self) -> bool:
        """Whether its stdin takes nothing any more."""
        return self._stdin.is_closing()

    @property
    def unsent(self) -> int:
        """Bytes that its stdin has not taken yet."""
        return self._stdin.get_write_buffer_size()


def set_reading(transport: asyncio.ReadTransport, on: bool) -> None:
    """Pause or resume a transport, unless it is so already or closes."""
    if not transport.is_closing() and transport.is_reading() is not on:
        (transport.resume_reading if on else transport.pause_reading)()


class _Hello(msgspec.Struct):
    pid: int


def greeting() -> bytes:
    """Return the host's half of the handshake (WIRE.md, 'Worker protocol', 1)."""
    return encode(Frame(CONTROL | JSON, b'{"pid":%d}' % os.getpid()))


def pid_of(frame: Frame) -> int:
    """Return the process id in a worker's half of the handshake. Raises ValueError for a frame that is not that."""
    if not frame.flags & CONTROL:
        raise ValueError("not a CONTROL frame")
    return msgspec.json.decode(frame.payload, type=_Hello).pid
