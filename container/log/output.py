"""An output of the log: stderr, stdout or a file, each written by its own thread.

What we want: a reader that stops (Ctrl+S, a stuck collector) stops neither the host nor its end, and memory stays
bounded. Lines keep their order. A warning is written before a crash that follows it. What does not work: a write in the
event loop, which may block for ever. What we do: a line goes into a buffer of at most `MAX_BYTES`. The output's thread
writes all that the buffer has gathered. It counts the lines over the bound, and writes the count in their place. An
urgent line waits for the thread, at most `URGENT_TIMEOUT` seconds. After a longer time the output is stuck: until its
thread has written every line, no urgent line waits for it. A slow reader is not stuck, so the waits of the event loop
have a budget too: `LOOP_TIMEOUT` seconds, of which each second gives `LOOP_SHARE` back.

What can still fail: a crash loses the lines of the last `FLUSH_AFTER` seconds that are not urgent, and after many
urgent lines also some of these. A host that ends loses the lines in the buffer of a stuck output.
"""

from __future__ import annotations

import asyncio
import collections
import errno
import os
import select
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from sys import getsizeof
from time import monotonic
from typing import Final, TextIO

from ..errors import ConfigError, reason_of
from ..ownership import open_own
from .config import WARNING
from .format import Render

FLUSH_AFTER: Final = 0.05
"""Seconds for which a line that is not urgent may wait for others."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""Bytes of memory for the lines that wait. A stuck write holds at most as many."""

URGENT_TIMEOUT: Final = 0.1
"""Seconds that an urgent line waits for its write."""

LOOP_TIMEOUT: Final = 0.05
"""The same in the event loop, for all urgent lines of a short time together."""

LOOP_SHARE: Final = 0.05
"""The share of its time for which the event loop may wait for urgent lines, over a longer time."""

CLOSE_TIMEOUT: Final = 1.0
"""Seconds that the end of an output waits for the write of its last lines."""

STREAMS: Final = ("stderr", "stdout")
"""The outputs that are not files."""

_LOST: Final = "log lines were lost"


class Output:
    """One destination. Any thread may write.

    `destination`: `stderr`, `stdout` or a path. `render`: for the count of lost lines. `fallback`: gets the reason when
    the destination cannot be written. Raises ConfigError for a file that cannot be opened.
    """

    def __init__(self, destination: str, render: Render, fallback: Output | None = None) -> None:
        self._destination = destination
        self._render = render
        self._fallback = fallback
        # A line takes no lock, which would cost a tenth of it. The size may drift; each batch sets it to 0.
        self._lines: collections.deque[str] = collections.deque()
        self._size = 0
        # Reentrant, because the collector may run a finalizer that logs.
        self._changed = threading.Condition(threading.RLock())
        self._lost = 0  # lines over the bound, after those in the buffer
        self._idle = True  # the thread neither gathers nor writes
        self._taken = 0  # how many batches the thread has taken, and how many of them it has written
        self._written = 0
        self._urgent = False
        self._stuck = False
        self._budget = LOOP_TIMEOUT  # seconds that the event loop may wait, at the monotonic time `_counted`
        self._counted = monotonic()
        self._closing = False
        self._reopening = False
        try:
            self._put, self._release = _opened(destination)
            self._thread = threading.Thread(target=self._run, name=f"log {destination}", daemon=True)
            self._thread.start()
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the system has no thread left
            raise ConfigError(f"cannot write to {destination}: {reason_of(error)}", key="logs.output") from None

    def write(self, line: str, urgent: bool) -> None:
        """Add a line, which ends in a newline. `urgent`: return after its write, or after `URGENT_TIMEOUT`."""
        size = self._size + getsizeof(line)
        if self._lost or (size > MAX_BYTES and self._lines):
            with self._changed:
                if self._lines:  # and the thread has not taken them since
                    self._lost += 1
                    return
        self._size = size
        self._lines.append(line)
        if urgent or self._idle:
            self._begin(urgent or not _in_loop())

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the write of every line so far; return whether it is done."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            if threading.current_thread() is self._thread:  # a finalizer logs
                return True
            last = self._taken + 1
            return self._changed.wait_for(lambda: self._written >= last, timeout)

    def reopen(self) -> None:
        """Open a file's path anew, before the next write; the file of before stays in use where that fails."""
        if self._destination not in STREAMS:
            with self._changed:
                self._reopening = self._urgent = True
                self._changed.notify_all()

    def close(self) -> None:
        """Write the lines that wait, and close. Give up after `CLOSE_TIMEOUT` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_TIMEOUT)

    def _begin(self, urgent: bool) -> None:
        """Start a batch. `urgent`: wait for its end, unless the output is stuck, or the loop has waited enough."""
        if urgent and not self._stuck:
            if not _in_loop():
                self._stuck = not self.flush(URGENT_TIMEOUT)
                return
            now = monotonic()
            self._budget = min(LOOP_TIMEOUT, self._budget + (now - self._counted) * LOOP_SHARE)
            self._counted = now
            if self._budget > 0:
                self._stuck = not self.flush(self._budget)
                self._counted = monotonic()
                self._budget -= self._counted - now
                return
        with self._changed:
            self._idle = False
            self._urgent |= urgent
            self._changed.notify_all()

    def _run(self) -> None:
        failed = 0  # lines lost to errors since the last write that succeeded
        while not (self._closing and not self._lines):
            lines, lost = self._take()
            if self._reopening:
                self._open_anew()
            try:
                self._put(self._loss(failed) + "".join(lines) + self._loss(lost))
                failed = 0
            except Exception as error:  # the thread must live
                if not failed:
                    self._complain(f"cannot write the log to {self._destination}: {reason_of(error)}")
                failed += len(lines) + lost
            with self._changed:
                self._written = self._taken
                self._idle = True
                self._stuck = self._stuck and bool(self._lines)
                self._changed.notify_all()
        self._release()

    def _open_anew(self) -> None:
        self._reopening = False
        try:
            put, release = _opened(self._destination)
        except (OSError, ValueError) as error:
            self._complain(f"cannot open {self._destination} anew, its old file stays in use: {reason_of(error)}")
            return
        self._release()
        self._put, self._release = put, release

    def _complain(self, reason: str) -> None:
        if self._fallback is not None:
            self._fallback.write(f"{reason}\n", urgent=False)

    def _take(self) -> tuple[Sequence[str], int]:
        """Wait for lines and `FLUSH_AFTER` seconds more; take all, and the number of lost ones after them."""
        changed = self._changed
        with changed:
            while not (self._lines or self._urgent or self._closing):
                changed.wait()
            self._idle = False
            if not self._urgent:
                changed.wait_for(lambda: self._urgent or self._closing, FLUSH_AFTER)
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            lost, self._lost = self._lost, 0
            self._size, self._urgent = 0, False
            self._taken += 1
            return lines, lost

    def _loss(self, lost: int) -> str:
        return self._render(WARNING, "log", _LOST, {"lost": lost, "output": self._destination}) if lost else ""


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _opened(destination: str) -> tuple[Callable[[str], None], Callable[[], None]]:
    """Return two functions: one writes a text to the destination, one closes it."""
    if destination in STREAMS:
        return (lambda text: _write_to_stream(destination, text)), (lambda: None)
    Path(destination).parent.mkdir(parents=True, exist_ok=True)
    # Not blocking: a named pipe without a reader is an error, and does not hold up the start.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = open_own(destination, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise ValueError("no process reads it") from None
        raise
    return (
        lambda text: _write_all(descriptor, text.encode("utf-8", "backslashreplace")),
        lambda: os.close(descriptor),
    )


def _write_to_stream(name: str, text: str) -> None:
    """Write to sys.stderr or sys.stdout, or to their replacement; do nothing when it is None. Raises OSError."""
    stream: TextIO | None = getattr(sys, name)
    if stream is None:
        return
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # the replacement is not a file
        stream.write(text)
        stream.flush()
    else:
        # Not by the stream, whose lock a stuck write would hold: Python's own end waits for it.
        _write_all(descriptor, text.encode(stream.encoding or "utf-8", "backslashreplace"))


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes, also to a descriptor that does not block."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            writable = select.poll()
            writable.register(descriptor, select.POLLOUT)
            writable.poll()
