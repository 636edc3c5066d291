"""A host in a process of its own: signals and exit codes."""

from __future__ import annotations

import json
import signal

import pytest
from support.container.plugins import script

# A process of its own.

HOST = """
import sys
import anyio
from rrpy import Config, Container, HostError

class Plugin:
    name = "own"
    def __init__(self, kind):
        self.kind = kind
    def init(self):
        self.end = anyio.Event()
    async def serve(self, *, task_status):
        print("serve", flush=True)
        if self.kind == "slow":
            try:
                await anyio.sleep_forever()
            finally:
                print("rolled back", flush=True)
        if self.kind == "refuses":
            raise OSError("no port")
        task_status.started()
        if self.kind == "fails":
            raise RuntimeError("broken")
        print("ready", flush=True)
        while self.kind == "immortal":
            try:
                await anyio.sleep_forever()
            except BaseException:
                print("shrug", flush=True)
        await self.end.wait()
        print("end", flush=True)
    async def stop(self):
        print("stop", flush=True)
        if self.kind in ("deaf", "immortal"):
            await anyio.sleep_forever()
        self.end.set()

tree = {"logs": {"mode": "production"}}
if len(sys.argv) > 2:
    tree["endure"] = {"grace_period": sys.argv[2]}
try:
    code = Container([Plugin(sys.argv[1])], Config.from_dict(tree)).run()
except HostError as error:
    print("error:", error, flush=True)
    code = error.exit_code
print("left", flush=True)
sys.exit(code)
"""


ENDING = """
import atexit, os, signal

def again(where):
    print(where, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

class Last:
    def __del__(self):  # when the interpreter takes its modules apart
        again("at the very end")

last = Last()
atexit.register(again, "at exit")
"""


def test_a_second_signal_behind_the_hosts_end_leaves_it_its_exit_code(tmp_path):
    """The handlers went back to the default with the loop, and the second SIGTERM ended the host with status -15."""
    changed = HOST.replace('print("left", flush=True)', 'again("left")')
    with script(ENDING + changed, tmp_path, "good") as host:
        host.until("ready")
        host.send(signal.SIGTERM)
        code, out, _ = host.end()
    assert (code, out) == (0, ["serve", "ready", "stop", "end", "left", "at exit", "at the very end"])


def test_a_third_signal_ends_a_process_that_hangs_behind_the_hosts_end(tmp_path):
    changed = HOST.replace(
        'print("left", flush=True)', 'print("left", flush=True); signal.pause(); signal.pause(); stay()'
    )
    with script(ENDING + changed, tmp_path, "good") as host:
        host.until("ready")
        host.send(signal.SIGTERM)
        host.until("left")
        host.send(signal.SIGTERM)
        host.send(signal.SIGINT)
        code, out, err = host.end()
    assert (code, out) == (1, ["serve", "ready", "stop", "end", "left"]), err


def test_a_host_that_no_signal_ended_gives_the_former_handlers_back(tmp_path):
    before = "before = signal.signal(signal.SIGTERM, lambda *_: print('mine', flush=True))\n"
    changed = HOST.replace('print("left", flush=True)', 'print("left"); signal.raise_signal(signal.SIGTERM)')
    with script("import signal\n" + before + changed, tmp_path, "refuses") as host:
        code, out, _ = host.end()
    assert (code, out[-2:]) == (1, ["left", "mine"])


def test_a_signal_that_comes_before_the_loop_runs_is_not_lost(tmp_path):
    text = """
import signal, sys
from rrpy.container import host, signals

class Early(signals.Signals):
    def __enter__(self):
        entered = super().__enter__()
        signal.raise_signal(signal.SIGTERM)
        return entered

host.Signals = Early
"""
    with script(text + HOST, tmp_path, "good") as host:
        code, out, err = host.end()
    assert (code, out) == (0, ["left"]), err
    assert "SIGTERM" in err


BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
IGNORED = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)]\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_that_the_parent_blocked_stops_the_host(tmp_path, number):
    with script(BLOCKED + HOST, tmp_path, "good") as host:
        host.until("ready")
        host.send(number)
        code, out, _ = host.end()
    assert (code, out[-3:]) == (0, ["stop", "end", "left"])


def test_a_signal_that_came_while_the_parent_blocked_it_is_not_lost(tmp_path):
    with script(BLOCKED + "signal.raise_signal(signal.SIGTERM)\n" + HOST, tmp_path, "good") as host:
        code, out, err = host.end()
    assert (code, out) == (0, ["left"]), err


def test_the_parent_s_blocked_signals_are_blocked_again_after_a_host_that_no_signal_ended(tmp_path):
    shown = "print(signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with script(BLOCKED + HOST.replace("sys.exit(code)", shown), tmp_path, "refuses") as host:
        _, out, _ = host.end()
    assert out[-1] == "True"


def test_only_sigterm_stops_a_host_whose_parent_ignores_signals(tmp_path):
    with script(IGNORED + HOST, tmp_path, "good") as host:
        host.until("ready")
        host.send(signal.SIGINT)
        host.send(signal.SIGHUP)
        host.send(signal.SIGTERM)
        code, _, err = host.end()
    assert code == 0
    assert '"reason":"SIGTERM"' in err
    assert "a second signal" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_stops_the_host_gracefully_with_exit_code_0(tmp_path, number):
    with script(HOST, tmp_path, "good") as host:
        host.until("ready")
        host.send(number)
        code, out, err = host.end()
    assert (code, out) == (0, ["serve", "ready", "stop", "end", "left"])
    messages = [json.loads(line) for line in err.splitlines()]
    assert [line["msg"] for line in messages] == ["host is ready", "host is stopping", "host stopped"]
    assert messages[1]["reason"] == number.name


def test_a_second_signal_forces_the_end_with_exit_code_1(tmp_path):
    with script(HOST, tmp_path, "deaf", "1h") as host:
        host.until("ready")
        host.send(signal.SIGINT)
        host.until("stop")
        host.send(signal.SIGTERM)
        code, out, err = host.end()
    assert (code, out) == (1, ["serve", "ready", "stop", "left"])
    assert "a second signal: stopping at once" in err


def test_a_third_signal_ends_a_host_whose_plugin_swallows_its_cancellation(tmp_path):
    with script(HOST, tmp_path, "immortal", "1h") as host:
        host.until("ready")
        host.send(signal.SIGINT)
        host.until("stop")
        host.send(signal.SIGINT)
        host.until("shrug")
        host.send(signal.SIGINT)
        code, out, _ = host.end()
    assert code == 1
    assert "left" not in out


def test_a_signal_during_the_start_rolls_back_with_exit_code_0(tmp_path):
    with script(HOST, tmp_path, "slow") as host:
        host.until("serve")
        host.send(signal.SIGTERM)
        code, out, _ = host.end()
    assert (code, out) == (0, ["serve", "rolled back", "left"])


@pytest.mark.parametrize(
    ("kind", "grace_period", "code", "sentence"),
    [
        ("refuses", "1s", 1, "error: plugin own failed to serve: no port"),
        ("fails", "1s", 1, "error: plugin own failed to serve: RuntimeError: broken"),
        (
            "good",
            "soon",
            2,
            "error: endure.grace_period: expected a duration such as 10s, 1m30s or 500ms, got 'soon' in <python>",
        ),
    ],
)
def test_the_exit_code_says_whose_fault_it_was(tmp_path, kind, grace_period, code, sentence):
    with script(HOST, tmp_path, kind, grace_period) as host:
        found, out, _ = host.end()
    assert found == code
    assert out[-2:] == [sentence, "left"]
