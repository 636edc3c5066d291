"""Where workers dial in when `server.relay` is `tcp://…` or `unix://…` (WIRE.md, 'Worker protocol').

We say our half of the handshake to whoever connects; the pid in the other half says which of the processes that we
started it is. A worker may be started by another program (`sh -c "php worker.php"`), so a pid counts for a worker when
it is the process we started, or in that process's session. A process may dial in before we are told that it runs: a
caller whose worker is not known yet waits for it, `PATIENCE` seconds.

What can still fail: on a tcp relay another user of this machine can claim to be a worker that has not dialled in yet.
A unix socket's file is for one user alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ..container.net.address import Address, UnixAddress
from ..container.net.sockets import BoundSocket
from ..container.protocols import Logger
from ..goridge.frame import Decoder, FrameError
from .channel import Channel, greeting, pid_of, set_reading

PATIENCE: Final = 60.0
"""Seconds that a connection without a worker is kept."""
MAX_CALLERS: Final = 1000
"""Connections without a worker at the same time."""
_MAX_HANDSHAKE: Final = 4096
_BACKLOG: Final = 512


class Dialler(Protocol):
    """A worker, as the relay sees it."""

    pid: int

    def attach(self, channel: Channel) -> None:
        """Speak over this channel from now on."""
        ...

    def received(self, data: bytes) -> None:
        """Take bytes of the channel."""
        ...

    def channel_lost(self) -> None:
        """Take notice that the channel is closed."""
        ...


class Relay:
    """A socket that workers dial in to: `async with` binds it, and closes it with every connection without a worker.

    `uid`: the user that workers run as, when that is another one than ours: the unix socket's file is given to it.
    """

    def __init__(self, address: Address, log: Logger, uid: int | None = None) -> None:
        self.address = address
        self._log = log
        self._uid = uid
        self._expected: dict[int, Dialler] = {}
        self._callers: set[_Caller] = set()

    async def __aenter__(self) -> Relay:
        """Listen. Raises ListenError."""
        self._bound = BoundSocket(self.address, owner="server.relay")
        self.address = self._bound.address
        try:
            loop = asyncio.get_running_loop()
            if isinstance(self.address, UnixAddress):
                if self._uid is not None:
                    os.chown(self.address.path, self._uid, -1)
                serve = loop.create_unix_server
            else:
                serve = loop.create_server  # type: ignore[assignment]
            self._server = await serve(lambda: _Caller(self), sock=self._bound.socket, backlog=_BACKLOG)
        except BaseException:
            self._bound.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.close()
        self._bound.close()
        for caller in list(self._callers):
            caller.close()
        await self._server.wait_closed()

    def expect(self, worker: Dialler) -> None:
        """Give the connection that this worker makes, or has made, to it."""
        for caller in self._callers:
            if caller.pid and _is_of(caller.pid, worker.pid):
                self._give(caller, worker)
                return
        self._expected[worker.pid] = worker

    def forget(self, worker: Dialler) -> None:
        """Expect this worker no more."""
        if self._expected.get(worker.pid) is worker:
            del self._expected[worker.pid]

    def arrived(self, caller: _Caller) -> bool:
        """Take a new connection; say whether there is room for it."""
        if len(self._callers) >= MAX_CALLERS:
            self._log.warning("relay connection refused: too many have not said whose they are")
            return False
        self._callers.add(caller)
        return True

    def introduced(self, caller: _Caller) -> None:
        """Find the worker of a connection that has told its pid."""
        for pid, worker in self._expected.items():
            if _is_of(caller.pid, pid):
                del self._expected[pid]
                self._give(caller, worker)
                return

    def left(self, caller: _Caller, reason: str = "") -> None:
        """Forget a connection without a worker."""
        self._callers.discard(caller)
        if reason:
            self._log.warning("relay connection dropped", pid=caller.pid, reason=reason)

    def _give(self, caller: _Caller, worker: Dialler) -> None:
        self._callers.discard(caller)
        caller.serve(worker)


class _Caller(asyncio.Protocol):
    """One connection: of nobody known until its handshake, then the channel of its worker."""

    def __init__(self, relay: Relay) -> None:
        self.pid = 0
        self._relay = relay
        self._worker: Dialler | None = None
        self._heard = b""
        self._decoder = Decoder(_MAX_HANDSHAKE)
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self.write: Callable[[Sequence[bytes]], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say our half of the handshake."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's are no subclass of asyncio's
        self.write = self._transport.writelines
        if not self._relay.arrived(self):
            self.close()
            return
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._refuse, "no worker of ours has its pid")
        self._transport.write(greeting())

    def data_received(self, data: bytes) -> None:
        """Hear its half; then everything is for its worker."""
        if self._worker is not None:
            self._worker.received(data)
            return
        self._heard += data
        if len(self._heard) > 2 * _MAX_HANDSHAKE:
            self._refuse("it said more than a handshake")
            return
        if self.pid:
            return
        try:
            frames = self._decoder.feed(data)
            self.pid = pid_of(frames[0]) if frames else 0
        except (FrameError, ValueError) as error:
            self._refuse(f"its handshake is wrong: {error}")
            return
        if frames:
            self._relay.introduced(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever has it."""
        if self._timer is not None:
            self._timer.cancel()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.channel_lost()
        else:
            self._relay.left(self)

    def serve(self, worker: Dialler) -> None:
        """Be this worker's channel."""
        if self._timer is not None:
            self._timer.cancel()
        self._worker = worker
        worker.attach(self)
        heard, self._heard = self._heard, b""
        worker.received(heard)

    def _refuse(self, reason: str) -> None:
        self._relay.left(self, reason)
        self.close()

    # The Channel.

    def pause(self, paused: bool) -> None:
        """Read no more until told, or read on."""
        set_reading(self._transport, not paused)

    def end(self) -> None:
        """Shut our sending side behind what was written."""
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    @property
    def closing(self) -> bool:
        """Whether the connection takes nothing any more."""
        return self._transport.is_closing()

    @property
    def unsent(self) -> int:
        """Bytes that the connection has not taken yet."""
        return self._transport.get_write_buffer_size()


def _is_of(pid: int, worker: int) -> bool:
    """Say whether a process is this worker's, or one that it started."""
    try:
        return pid == worker or os.getsid(pid) == worker
    except (OSError, OverflowError):  # there is no such process here
        return False
