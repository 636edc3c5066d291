"""A host whose log nothing reads: it takes mail, and it ends."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.container.host import RRPY, write
from support.waiting import TIMEOUT, eventually

COMMANDS = 2000
"""Each is a line of the log with more than 100 bytes: together more than a pipe or a terminal holds."""


@pytest.fixture(params=["pipe", "terminal", "stopped terminal"])
def unread(request: pytest.FixtureRequest) -> Iterator[int]:
    """A descriptor for stderr that nothing reads."""
    ours, its = os.pipe() if request.param == "pipe" else os.openpty()
    if request.param == "stopped terminal":
        os.write(ours, b"\x13")  # Ctrl+S
    yield its
    os.close(ours)
    os.close(its)


class UnixSMTP(smtplib.SMTP):
    """A client over a unix socket; the host is its path."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(timeout)
        client.connect(host)
        return client


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_mail_and_the_end_do_not_wait_for_a_reader_of_the_log(tmp_path: Path, unread: int) -> None:
    path = tmp_path / "smtp.sock"
    write(tmp_path, smtp={"addr": f"unix://{path}"})
    host = subprocess.Popen([*RRPY, "serve"], cwd=tmp_path, stderr=unread, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(path))
        with UnixSMTP(str(path), timeout=TIMEOUT) as client:
            for _ in range(COMMANDS):
                assert client.noop()[0] == 250
            client.sendmail("a@b.c", ["x@y.z"], "Subject: x\n\nx\n")
        host.send_signal(signal.SIGTERM)
        assert host.wait(TIMEOUT) == 0
    finally:
        host.kill()
        host.wait()
