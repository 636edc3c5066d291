"""`python -m rrpy.worker` as a process, spoken to in frames."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rrpy.goridge.frame import CONTROL, ERROR, JSON, STOP, Frame, encode
from rrpy.goridge.relay import Relay

SUPPORT = Path(__file__).parent.parent / "support"


class Host:
    """The other side of one worker."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rrpy.worker", *arguments],
            cwd=SUPPORT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **env},
        )
        self.relay = Relay(self.process.stdout.fileno(), self.process.stdin.fileno())

    def shake_hands(self) -> None:
        self.relay.send(CONTROL | JSON, b'{"pid":1}')
        assert self.relay.receive() == Frame(CONTROL, b'{"pid":%d}' % self.process.pid)

    def send(self, context: bytes, body: bytes = b"") -> None:
        self.relay.send(0, context, body, options=(len(context),))

    def ask(self, context: bytes, body: bytes = b"") -> Frame:
        self.send(context, body)
        frame = self.relay.receive()
        assert frame is not None
        return frame

    def end(self) -> tuple[int, str]:
        """Close its stdin; return its status and what it said."""
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said.decode()


@pytest.fixture
def start():
    hosts = []

    def make(*arguments: str, **env: str) -> Host:
        hosts.append(Host(*arguments, **env))
        return hosts[-1]

    yield make
    for host in hosts:
        with host.process:
            host.process.kill()


@pytest.fixture
def host(start):
    host = start("pool_handlers:answers")
    host.shake_hands()
    return host


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"str", Frame(0, b"text", (4,))),
        (b"bytes", Frame(0, b"bytes", (0,))),
        (b"none", Frame(0, b"", (0,))),
        (b"pair", Frame(0, b"\xc3\xa9\x00", (2,))),
        (b"soft", Frame(ERROR, b"not this one")),
        (b"unexpected", Frame(ERROR, b"ValueError: a bad value")),
        (b"unspeakable", Frame(ERROR, b"(an error without a text)")),
        (b"number", Frame(ERROR, b"TypeError: a handler returns Response, str, bytes or None, not int")),
        (b"stdin", Frame(0, b"?", (1,))),
    ],
)
def test_what_a_handler_does_is_what_the_host_gets_and_the_worker_lives_on(host, asked, answer):
    answer = Frame(0, b"empty", (5,)) if asked == b"stdin" else answer
    assert host.ask(asked) == answer
    assert host.ask(b"str") == Frame(0, b"text", (4,))
    status, said = host.end()
    assert status == 0
    assert ("Traceback" in said) == (answer.payload[:4] in (b"Valu", b"Type"))


def test_what_is_printed_goes_to_stderr_and_never_into_the_channel(host):
    assert host.ask(b"print") == Frame(0, b"?", (1,))
    assert host.end() == (0, "printed\nprinted by a child\n")


@pytest.mark.parametrize(("asked", "status"), [(b"exit", 7), (b"interrupt", -signal.SIGINT)])
def test_a_handler_that_ends_the_process_ends_it(host, asked, status):
    host.send(asked)
    assert host.relay.receive() is None
    assert host.end()[0] == status


def test_the_stop_frame_and_the_end_of_stdin_end_it_with_status_0(start):
    stopped, left = start(), start()
    for host in (stopped, left):
        host.shake_hands()
    stopped.relay.send(CONTROL | JSON, b'{"stop":true}')
    assert stopped.process.wait(20) == 0
    assert left.end() == (0, "")


def test_sigterm_ends_an_idle_worker_with_status_0(host):
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(20) == 0


def test_sigterm_lets_the_running_request_finish(start, tmp_path):
    host = start("pool_handlers:slow")
    host.shake_hands()
    started, gate = tmp_path / "started", tmp_path / "gate"
    host.send(os.fsencode(started), os.fsencode(gate))
    deadline = time.monotonic() + 20
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    host.process.send_signal(signal.SIGTERM)
    gate.touch()
    assert host.relay.receive() == Frame(0, b"done", (4,))
    assert host.process.wait(20) == 0


def test_a_cancelled_stream_that_was_none_is_passed_over(host):
    os.write(host.process.stdin.fileno(), encode(Frame(0, b"", (), STOP)))
    assert host.ask(b"str") == Frame(0, b"text", (4,))


def test_bytes_that_are_no_frame_end_it_with_a_message(start):
    host = start()
    host.process.stdin.write(b"GET / HTTP/1.1\r\n")
    host.process.stdin.flush()
    assert host.process.wait(20) == 1
    assert "rrpy.worker: the host sent what is not a frame: not a goridge frame" in host.end()[1]


def test_a_host_that_is_gone_before_the_answer_is_no_error(start):
    host = start("pool_handlers:echo")
    host.shake_hands()
    host.process.stdout.close()
    host.send(b"x")
    assert host.process.wait(20) == 0


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        ("no_such_module:handle", "cannot load no_such_module:handle: ModuleNotFoundError: No module named 'no_such_"),
        ("pool_handlers:nothing", "pool_handlers:nothing is not there, or not callable"),
        ("pool_handlers:not_callable", "pool_handlers:not_callable is not there, or not callable"),
        ("pool_handlers", "'pool_handlers' does not say module:handler"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_told_and_ends_it_before_the_handshake(start, handler, text):
    status, said = start(handler).end()
    assert status == 1
    assert said.startswith(f"rrpy.worker: {text}")


def test_a_module_that_fails_to_import_shows_its_traceback(start, tmp_path):
    (tmp_path / "broken_handlers.py").write_text("import a_missing_library\n")
    status, said = start("broken_handlers:handle", PYTHONPATH=str(tmp_path)).end()
    assert status == 1
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].endswith("ModuleNotFoundError: No module named 'a_missing_library'")


def test_wrong_arguments_another_relay_and_a_terminal_are_told(start):
    assert start("a:b", "c:d").end() == (1, "rrpy.worker: usage: python -m rrpy.worker [module:handler]\n")
    status, said = start(RR_RELAY="tcp://127.0.0.1:6002").end()
    assert (status, "RR_RELAY=tcp://127.0.0.1:6002 is not supported" in said) == (1, True)
    ours, terminal = os.openpty()
    run = subprocess.run([sys.executable, "-m", "rrpy.worker"], stdin=terminal, capture_output=True, text=True)
    os.close(ours)
    os.close(terminal)
    assert (run.returncode, "it is run by `rrpy serve`" in run.stderr) == (1, True)


def test_the_worker_that_ships_tells_about_events_and_accepts_everything(start):
    host = start()
    host.shake_hands()
    event = b'{"event":"EMAIL_RECEIVED","id":"i1","uuid":"u1","message":{}}'
    for context in (event, b"not json", b"[1]"):
        assert host.ask(context, b"raw") == Frame(0, b"CONTINUE", (8,))
    assert host.end()[1].splitlines() == [
        f"worker got event=EMAIL_RECEIVED id=i1 uuid=u1 ({len(event)} + 3 bytes)",
        "worker got a context that is not an event (8 + 3 bytes)",
        "worker got a context that is not an event (3 + 3 bytes)",
    ]
