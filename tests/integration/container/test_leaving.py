"""The end of a host whose plugin, thread or event loop does not end."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from support.container.plugins import script

pytestmark = pytest.mark.usefixtures("measured")

HOST = """
import asyncio, sys, threading, time
import anyio
from rrpy import Config, Container, HostError

forever = threading.Event()

def hold():
    print("ready", flush=True)
    forever.wait()

class Plugin:
    name = "waits"
    def init(self):
        self.end = anyio.Event()
    async def serve(self, *, task_status):
        task_status.started()
        kind = sys.argv[1]
        if kind == "to_thread":
            await anyio.to_thread.run_sync(hold)
        elif kind == "abandoned":
            async with anyio.create_task_group() as group:
                group.start_soon(self.abandon)
                await self.end.wait()
                group.cancel_scope.cancel()
        elif kind == "executor":
            self.task = asyncio.create_task(asyncio.to_thread(hold))
        elif kind == "thread":
            threading.Thread(target=hold, name="mine").start()
        elif kind == "loop":
            asyncio.get_running_loop().call_soon(self.block)
        elif kind == "idle":
            await anyio.to_thread.run_sync(time.monotonic)
            print("ready", flush=True)
        await self.end.wait()
    async def abandon(self):
        await anyio.to_thread.run_sync(hold, abandon_on_cancel=True)
    def block(self):
        print("ready", flush=True)
        while True:
            forever.wait(0.01)
    async def stop(self):
        self.end.set()

print("main", flush=True)
tree = {"logs": {"mode": "production"}, "endure": {"grace_period": "50ms"}}
code = Container([Plugin()], Config.from_dict(tree)).run()
print("left", flush=True)
sys.exit(code)
"""


@pytest.mark.parametrize("kind", ["to_thread", "abandoned", "executor", "thread", "loop"])
def test_the_process_leaves_though_a_thread_runs_and_names_its_plugin(tmp_path: Path, kind: str) -> None:
    """It stayed until the thread returned."""
    with script(HOST, tmp_path, kind) as host:
        host.until("ready")
        host.send(signal.SIGTERM)
        code, _, err = host.end()
    assert code == 1
    lines = [each for each in map(json.loads, err.splitlines()) if each["msg"].endswith("the host leaves")]
    assert [(line["level"], line["plugin"]) for line in lines] == [("error", "waits")], err


def test_threads_that_wait_for_work_do_not_hold_the_host(tmp_path: Path) -> None:
    with script(HOST.replace("50ms", "1h"), tmp_path, "idle") as host:
        host.until("ready")
        host.send(signal.SIGTERM)
        code, out, err = host.end()
    assert (code, out[-1]) == (0, "left"), err


def test_a_second_signal_leaves_soon_too(tmp_path: Path) -> None:
    with script(HOST.replace("50ms", "1h"), tmp_path, "to_thread") as host:
        host.until("ready")
        host.send(signal.SIGTERM)
        host.send(signal.SIGINT)
        code, _, err = host.end()
    assert code == 1
    assert "a thread still runs, the host leaves" in err
