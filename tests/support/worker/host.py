"""The host's side of one worker process: frames over real descriptors, on each of the relays."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from support.container.measuring import unmeasured
from support.waiting import TIMEOUT

from rrpy.goridge.frame import CONTROL, JSON, STOP, STREAM, Frame, encode
from rrpy.goridge.relay import Relay

SUPPORT = Path(__file__).parent
SDK = [sys.executable, "-m", "rrpy.worker"]


class WorkerHost:
    """Starts a worker and speaks to it.

    `listener`: where the worker dials in; None for pipes. `measured`: it may load what coverage needs.
    """

    def __init__(
        self,
        command: list[str],
        *,
        cwd: Path = SUPPORT,
        listener: socket.socket | None = None,
        stderr: int = subprocess.PIPE,
        measured: bool = True,
        **env: str,
    ) -> None:
        inherited = os.environ if measured else unmeasured()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**inherited, **env},
        )
        self.connection: socket.socket | None = None
        if listener is None:
            self.output, self.input = self.process.stdout.fileno(), self.process.stdin.fileno()
        else:
            listener.settimeout(TIMEOUT)
            self.connection, _ = listener.accept()
            self.connection.settimeout(None)
            self.output = self.input = self.connection.fileno()
        self.relay = Relay(self.output, self.input)

    def shake_hands(self) -> None:
        self.relay.send(CONTROL | JSON, b'{"pid":1}')
        assert self.receive() == Frame(CONTROL, b'{"pid":%d}' % self.process.pid)

    def send(self, context: bytes, body: bytes = b"") -> None:
        self.relay.send(0, context, body, options=(len(context),))

    def receive(self) -> Frame | None:
        assert self.relay.ready(TIMEOUT), "the worker said nothing"
        return self.relay.receive()

    def ask(self, context: bytes, body: bytes = b"") -> Frame:
        self.send(context, body)
        frame = self.receive()
        assert frame is not None
        return frame

    def cancel(self) -> None:
        os.write(self.input, encode(Frame(0, b"", (), STOP)))

    def drain(self) -> list[Frame]:
        """Receive the rest of a stream, its last frame included."""
        frames = []
        while not frames or frames[-1].stream & STREAM:
            frame = self.receive()
            assert frame is not None, "the worker has ended in the middle of a stream"
            frames.append(frame)
        return frames

    def stream(self, context: bytes, body: bytes = b"") -> list[Frame]:
        self.send(context, body)
        return self.drain()

    def stop(self) -> None:
        self.relay.send(CONTROL | JSON, b'{"stop":true}')

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; return its status."""
        return self.process.wait(TIMEOUT)

    def end(self) -> tuple[int, str]:
        """Close its channel; return its status and what it said."""
        if self.connection is not None:
            self.connection.close()
        _, said = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, (said or b"").decode()

    def close(self) -> None:
        with self.process:
            self.process.kill()
        if self.connection is not None:
            self.connection.close()


def without_place(frame: Frame) -> Frame:
    """Return an error's frame without the file and the line at the end of its text."""
    return frame._replace(payload=re.sub(rb" in /\S+\.py:\d+\Z", b"", frame.payload))


def part(context: bytes, body: bytes = b"") -> Frame:
    """Return the frame of a part of a stream."""
    return last(context, body)._replace(stream=STREAM)


def last(context: bytes = b"", body: bytes = b"") -> Frame:
    """Return the frame of an answer, or of the end of a stream."""
    return Frame(0, context + body, (len(context),))


def listen(kind: str, folder: Path) -> tuple[socket.socket, str]:
    """Return a listening socket and its address as RR_RELAY says it: `tcp`, `tcp6` or `unix`."""
    if kind == "unix":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "relay.sock"))
        address = f"unix://{folder}/relay.sock"
    else:
        listener = socket.socket(socket.AF_INET6 if kind == "tcp6" else socket.AF_INET)
        listener.bind(("::1" if kind == "tcp6" else "127.0.0.1", 0))
        host = "[::1]" if kind == "tcp6" else "127.0.0.1"
        address = f"tcp://{host}:{listener.getsockname()[1]}"
    listener.listen(1)
    return listener, address
