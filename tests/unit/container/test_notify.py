"""The messages to systemd: one datagram each, to the socket of the environment, and never an error of the host."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from support.log import Log

from rrpy.container.notify import Notifier

pytestmark = pytest.mark.anyio


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


def test_a_state_is_one_datagram_of_lines(systemd):
    Notifier(Log(), systemd.getsockname()).send(READY=1, STATUS="serving smtp")
    assert systemd.recv(4096) == b"READY=1\nSTATUS=serving smtp"


def test_a_value_cannot_bring_a_line_of_its_own(systemd):
    Notifier(Log(), systemd.getsockname()).send(STATUS="plugin failed:\nREADY=1\r\x85x \udcff")
    assert systemd.recv(4096) == b"STATUS=plugin failed: READY=1  x ?"


def test_an_at_sign_is_an_abstract_socket():
    name = f"rrpy-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(10)
        Notifier(Log(), f"@{name}").send(STOPPING=1)
        assert listening.recv(4096) == b"STOPPING=1"


def test_the_variables_are_taken_out_of_the_environment():
    environ = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin"}
    notifier = Notifier(Log())
    notifier.receive(environ)
    assert (notifier.path, notifier.watchdog) == ("/n", 5.0)
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("environ", "watchdog"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "5000000"}, 0),
        ({"NOTIFY_SOCKET": "/n"}, 0),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "250000"}, 0.25),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "250000", "WATCHDOG_PID": "1"}, 0),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, 0),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "-1"}, 0),
    ],
)
def test_the_watchdog_is_that_of_this_process(environ, watchdog):
    notifier = Notifier(Log())
    notifier.receive(dict(environ))
    assert notifier.watchdog == watchdog


async def test_a_loop_that_is_alive_says_so_again_and_again(systemd):
    systemd.setblocking(False)
    notifier = Notifier(Log(), systemd.getsockname(), 0.02)
    async with anyio.create_task_group() as group:
        group.start_soon(notifier.watch)
        with anyio.fail_after(10):
            for _ in range(3):
                await anyio.wait_readable(systemd)
                assert systemd.recv(4096) == b"WATCHDOG=1"
        group.cancel_scope.cancel()


@pytest.mark.parametrize("notifier", [Notifier(Log()), Notifier(Log(), watchdog=1), Notifier(Log(), "/n")])
async def test_without_a_watchdog_nothing_waits(notifier):
    with anyio.fail_after(10):
        await notifier.watch()


@pytest.mark.parametrize("path", ["/nowhere/notify", "/bin\0", "@" + "x" * 200])
def test_a_socket_that_cannot_be_reached_is_one_warning(path):
    log = Log()
    notifier = Notifier(log, path)
    for _ in range(3):
        notifier.send(READY=1)
    assert [(level, message) for level, message, _ in log.lines] == [("warning", "systemd cannot be reached")]


def test_nobody_is_told_without_a_socket(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was opened"))
    Notifier(Log()).send(READY=1)
