"""The output of a worker that goes to the log: stderr, and a stdout that is not its channel.

What we want: a worker may open its stderr by name. PHP's logs, and those of many programs, write to `/dev/stderr`. What
does not work: the event loop's own pipes, which are sockets under uvloop; no program can open a socket by name. What we
do: each of these outputs is a pipe of the system, which belongs to the worker's user, because opening it asks for the
permissions of a file.

What can still fail: on other systems than Linux a pipe may not take another owner.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

_CHUNK: Final = 64 * 1024
"""Bytes that are read at once: what a pipe holds."""


class LoggedProcess(asyncio.SubprocessProtocol):
    """A process whose `outputs` are given to its `pipe_data_received` and `pipe_connection_lost`."""

    outputs: Sequence[OutputPipe] = ()


class OutputPipe:
    """The host's end of a pipe. `number`: the descriptor that the process has for it, 1 or 2."""

    def __init__(self, number: int, process: LoggedProcess, reader: int) -> None:
        self.number = number
        self._process = process
        self._reader = reader
        os.set_blocking(reader, False)

    def start(self) -> None:
        """Begin to read. Until then the pipe holds what is written."""
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    @property
    def open(self) -> bool:
        """Whether a process may still write to it."""
        return self._reader >= 0

    def close(self) -> None:
        """Read no more of it. May be called more than once."""
        if self.open:
            reader, self._reader = self._reader, -1
            asyncio.get_running_loop().remove_reader(reader)
            os.close(reader)
            self._process.pipe_connection_lost(self.number, None)

    def _read(self) -> None:
        try:
            data = os.read(self._reader, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._process.pipe_data_received(self.number, data)
        else:
            self.close()


@contextmanager
def opened_outputs(process: LoggedProcess, numbers: Sequence[int], uid: int | None) -> Iterator[Mapping[int, int]]:
    """Open `process.outputs`, and yield the ends for the process by their numbers, which are closed after the block.

    `uid`: of the process, None for the host's own. Raises OSError. An error in the block closes the host's ends too.
    """
    outputs: list[OutputPipe] = []
    writers: dict[int, int] = {}
    process.outputs = outputs
    try:
        for number in numbers:
            reader, writers[number] = os.pipe()
            outputs.append(OutputPipe(number, process, reader))
            if uid is not None:
                with suppress(OSError):  # another system than Linux
                    os.fchown(writers[number], uid, -1)
        yield writers
    except BaseException:
        for output in outputs:
            output.close()
        raise
    finally:
        for writer in writers.values():
            os.close(writer)
