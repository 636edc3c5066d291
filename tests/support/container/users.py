"""What another user of the machine can do, tried for real: for tests that run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user too")

_BECOME = """
import fcntl, os, socket, sys
from pathlib import Path
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
"""
_TRY = """
try:
    print(({expression}) or "done")
except OSError as error:
    print(type(error).__name__)
"""


def try_as_nobody(*expressions: str) -> list[str]:
    """Evaluate Python expressions as another user, one after the other, with `os`, `fcntl`, `socket` and `Path`.

    Return for each what it gives, `done` for nothing, or the name of its error.
    """
    code = _BECOME.format(uid=NOBODY) + "".join(_TRY.format(expression=each) for each in expressions)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder of ours that every user can enter, as those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="rrpy-test-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
