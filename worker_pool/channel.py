"""What frames travel over: a worker's own pipes, or a connection that the worker makes to the host (relays.py)."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

_PEER_ENDED: Final = getattr(select, "POLLRDHUP", 0)
"""The end of a connection's input; Linux says it when asked, other systems by themselves."""


class Channel(Protocol):
    """Writes frames to a worker; its reading can be paused."""

    @property
    def write(self) -> Callable[[Sequence[bytes]], None]:
        """Write the pieces of a frame."""
        ...

    @property
    def poll(self) -> Callable[[int], Sequence[tuple[int, int]]]:
        """Return a descriptor and events when the worker has sent bytes, or its end, that the loop has not read.

        The argument: milliseconds to wait.
        """
        ...

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on with it."""
        ...

    def end(self) -> None:
        """Send the end of the input after everything written so far."""
        ...

    def close(self) -> None:
        """Close it at once and drop everything unsent and unread."""
        ...

    @property
    def is_closing(self) -> Callable[[], bool]:
        """Return whether nothing can be written any more."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes that are written and that the worker has not read."""
        ...


class Pipes:
    """The channel of a worker that speaks on its stdin and stdout."""

    def __init__(self, process: asyncio.SubprocessTransport) -> None:
        self._stdin = cast(asyncio.WriteTransport, process.get_pipe_transport(0))
        self._stdout = cast(asyncio.ReadTransport, process.get_pipe_transport(1))
        self.write: Callable[[Sequence[bytes]], None] = self._stdin.writelines
        self.poll: Callable[[int], Sequence[tuple[int, int]]] = poll_of(self._stdout)
        self.is_closing: Callable[[], bool] = self._stdin.is_closing

    def pause(self, paused: bool) -> None:
        """Stop reading its stdout, or go on with it."""
        set_reading(self._stdout, not paused)

    def end(self) -> None:
        """Close its stdin after everything written so far."""
        self._stdin.close()

    def close(self) -> None:
        """Do nothing: the process's transport closes its pipes."""

    @property
    def unsent(self) -> int:
        """Bytes that its stdin has not taken yet."""
        return self._stdin.get_write_buffer_size()


def poll_of(transport: asyncio.BaseTransport) -> Callable[[int], Sequence[tuple[int, int]]]:
    """Return the `poll` of a transport's descriptor, for `Channel.poll`."""
    poll = select.poll()
    source = transport.get_extra_info("socket") or transport.get_extra_info("pipe")
    if source is not None:  # a transport that is closed already has neither
        poll.register(source, select.POLLIN | _PEER_ENDED)
    return poll.poll


def ended(found: Sequence[tuple[int, int]]) -> bool:
    """Return whether the events of a `Channel.poll` say that the worker has closed the channel."""
    return any(events & ~select.POLLIN for _, events in found)


def set_reading(transport: asyncio.ReadTransport, on: bool) -> None:
    """Pause or resume a transport, unless it is in that state already or closes."""
    if not transport.is_closing() and transport.is_reading() is not on:
        (transport.resume_reading if on else transport.pause_reading)()
