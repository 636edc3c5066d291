"""Plugins that go wrong in ways of their own: each ends as the page about plugins says."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.container.host import hosting, run, write

PLUGINS = """
import asyncio, sys, time
import anyio

class Odd:
    name = "odd"
    def init(self): self.end = anyio.Event()
    async def serve(self, *, task_status):
        task_status.started()
        await self.work()
        await self.end.wait()
    async def work(self): pass
    async def stop(self): self.end.set()

class Exits(Odd):
    async def work(self): sys.exit(7)

class Interrupts(Odd):
    async def work(self): raise KeyboardInterrupt

class Raises(Odd):
    async def work(self): raise ValueError("bad")

class ExitsInTask(Odd):
    async def work(self):
        async with anyio.create_task_group() as group:
            group.start_soon(self.exit)
            await anyio.sleep_forever()
    async def exit(self): sys.exit(7)

class ExitsInAsyncioTask(ExitsInTask):
    async def work(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.exit())
            await anyio.sleep_forever()

class ExitsInThread(Odd):
    async def work(self): await anyio.to_thread.run_sync(sys.exit, 7)

class ExitsAlone(ExitsInTask):
    async def work(self): self.task = asyncio.create_task(self.exit())

class ExitsInStop(Odd):
    async def work(self): raise OSError("first")
    async def stop(self): sys.exit(7)
"""


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    (tmp_path / "odd.py").write_text(PLUGINS)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "said", "failures"),
    [
        ("Exits", "plugin odd failed to serve: SystemExit: 7", 1),
        ("Interrupts", "plugin odd failed to serve: KeyboardInterrupt", 1),
        ("Raises", "plugin odd failed to serve: ValueError: bad", 1),
        ("ExitsInTask", "plugin odd failed to serve: SystemExit: 7", 1),
        ("ExitsInAsyncioTask", "plugin odd failed to serve: SystemExit: 7", 1),
        ("ExitsInThread", "plugin odd failed to serve: SystemExit: 7", 1),
        ("ExitsAlone", "a task that no plugin awaits raised SystemExit: 7", 0),
    ],
)
def test_what_a_plugin_raises_is_one_failure_and_exit_code_1(odd: Path, kind: str, said: str, failures: int) -> None:
    write(odd, plugins=[f"odd:{kind}"], smtp=None, logs={"encoding": "console"})
    done = run("serve", cwd=odd)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == f"rrpy: {said}"
    assert done.stderr.count("plugin failed plugin=odd step=serve") == failures
    assert "host stopped" in done.stderr
    for word in ("ExceptionGroup", "Exception Group", "asyncio.run", "Aborted"):
        assert word not in done.stderr


@pytest.mark.parametrize("step", ["serve", "stop"])
def test_a_step_that_is_not_async_is_told_before_anything_serves(odd: Path, step: str) -> None:
    (odd / "plain.py").write_text(
        PLUGINS + f"\nclass Plain(Odd):\n    def {step}(self, **_): time.sleep(60)\n    def work(self): pass\n"
    )
    write(odd, plugins=["plain:Plain"], smtp=None)
    done = run("serve", cwd=odd)
    assert (done.returncode, done.stderr) == (
        2,
        f"rrpy: plugin odd: its {step} is not async; write `async def {step}`\n",
    )


def test_a_plugin_that_blocks_the_loop_is_named_with_its_place(odd: Path) -> None:
    (odd / "blocks.py").write_text(
        PLUGINS + "\nclass Blocks(Odd):\n    async def work(self):\n        await anyio.sleep(0.3)\n"
        "        while not any(open('said')): time.sleep(0.01)\n"
    )
    (odd / "said").touch()
    with hosting(odd, plugins=["blocks:Blocks"], smtp=None) as host:
        (line,) = host.wait_for("the event loop is blocked")
        (odd / "said").write_text("x")
        host.wait_for("the event loop runs again")
    assert (line["level"], line["plugin"], line["task"]) == ("warn", "odd", "plugin odd")
    assert "in work" in line["stacktrace"]
    assert "blocks.py" in line["stacktrace"]
    assert "_run_to_end" not in line["stacktrace"], "what runs the loop does not tell the place"
