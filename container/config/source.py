"""Reads a text that a person names: a file, or a pipe such as `<(command)`. It ends, whatever the name leads to."""

from __future__ import annotations

import errno
import math
import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import ConfigError, reason_of

MAX_BYTES: Final = 1024 * 1024
"""Bytes that a text may have; /dev/zero has more."""

PIPE_TIMEOUT: Final = 10.0
"""Seconds for which a pipe may give nothing before its end."""

NO_FILE: Final = "`rrpy catch` catches mail without one, `rrpy init` writes one"
"""A hint where the default file is absent."""


def read_text(path: Path, name: str) -> str:
    """Return the UTF-8 text of a file or a pipe, each line end as a line feed. Raises ConfigError.

    `name`: of the text, for errors.
    """
    try:
        # Not blocking, because the open of a named pipe waits for another process.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            data = _read(descriptor)
        finally:
            os.close(descriptor)
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {name} {path}: it is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {name} {path}: {reason_of(error)}{_hint(path, error)}") from None


def _read(descriptor: int) -> bytes:
    """Return all bytes. Raises OSError, also for too many and for a pipe that gives nothing."""
    readable = select.poll()
    readable.register(descriptor, select.POLLIN)
    timeout = math.inf if os.isatty(descriptor) else PIPE_TIMEOUT
    deadline = time.monotonic() + timeout
    data = b""
    while len(data) <= MAX_BYTES:
        left = deadline - time.monotonic()
        # A pipe has no end before a process has opened it for writing.
        if left <= 0 or not readable.poll(None if left == math.inf else left * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"it gave nothing for {PIPE_TIMEOUT:g} s")
        with suppress(BlockingIOError):  # another process read it first
            part = os.read(descriptor, MAX_BYTES + 1)
            if not part:
                return data
            data += part
            deadline = time.monotonic() + timeout
    raise OSError(errno.EFBIG, f"it has more than {MAX_BYTES // 1024} KiB")


def _hint(path: Path, error: Exception) -> str:
    """Return a hint where the default file is absent: users of RoadRunner have .rr.yaml; to catch mail needs none."""
    if path.name != "rr.yaml" or not isinstance(error, FileNotFoundError):
        return ""
    other = path.with_name(f".{path.name}")
    return f"; there is a {other}: -c {other}" if other.is_file() else f"; {NO_FILE}"
