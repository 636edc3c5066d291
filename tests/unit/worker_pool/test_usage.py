"""The memory and the CPU of a process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rrpy.worker_pool import usage
from rrpy.worker_pool.usage import memory_of, usage_of

KEEPS = "import sys; kept = bytearray(64 << 20); print('ready', flush=True); sys.stdin.read()"
"""A program that has 64 MiB, and ends with its stdin."""


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.skipif(not usage._LISTED, reason="Linux")), False])
def listed(request, monkeypatch):
    monkeypatch.setattr(usage, "_LISTED", request.param)


@pytest.fixture(params=["alone", "behind sh", "behind a thread", "left the group"])
def leader(request) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", KEEPS]
    thread = f"import subprocess, threading; threading.Thread(target=subprocess.run, args=({command!r},)).start()"
    commands = {
        "alone": command,
        "behind sh": ["sh", "-c", f'{sys.executable} -c "{KEEPS}"; true'],
        "behind a thread": [sys.executable, "-c", thread],
        "left the group": ["sh", "-c", f'setsid {sys.executable} -c "{KEEPS}"; true'],
    }
    with subprocess.Popen(
        commands[request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process


def test_the_usage_is_that_of_the_process_group(leader, listed, request):
    """It was that of the leader alone, so a wrapper hid the worker."""
    memory, cpu = usage_of(leader.pid)
    if "left" in request.node.name:  # the group of another session
        assert memory < 64 << 20
    else:
        assert memory > 64 << 20
    assert abs(memory_of(leader.pid) - memory) < 8 << 20
    assert cpu >= 0


def test_a_group_that_is_gone_uses_nothing(listed):
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert usage_of(process.pid) == (0, 0.0)
    assert memory_of(process.pid) == 0


def test_the_cpu_is_that_of_the_whole_group_since_its_leader_began(listed):
    spins = "import os, sys, time\nwhile time.process_time() < 0.3: pass\nprint('ready', flush=True)\nsys.stdin.read()"
    command = ["sh", "-c", f'{sys.executable} -c "{spins}"; true']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"ready\n"
        assert usage_of(process.pid)[1] > 0.5  # 0.3 s, within a minute
        os.killpg(process.pid, signal.SIGKILL)
