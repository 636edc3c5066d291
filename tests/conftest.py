"""What every test gets: one asynchronous backend, and a check that nothing outlives the test."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import uvloop
from hypothesis import HealthCheck, settings
from support.container.measuring import NAMES

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.register_profile("ci", parent=settings.get_profile("default"), print_blob=True, derandomize=True)
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

PROCESS = psutil.Process()
MEASURING: dict[str, str] = {}
"""The variables that make coverage measure the processes that a test starts."""

# libuv opens a pair of descriptors for signals once a process and keeps it: not a test's leak.
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(asyncio.sleep(0))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Tests marked `anyio` run on the loop that the host runs on."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture(scope="module")
def measured() -> Iterator[None]:
    """Start processes with coverage, for lines that no other module covers. It costs each 0.1 s of CPU or more."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in MEASURING.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def untraced() -> Iterator[None]:
    """Run without the tracer of coverage, which makes a long loop take three times as long, and keeps its objects."""
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a child process, a thread, a socket or a file descriptor behind.

    Tasks are looked at in `pytest_pyfunc_call`; unclosed transports are ResourceWarnings, which are errors.
    """
    threads = set(threading.enumerate())
    descriptors = PROCESS.num_fds()
    before = set(_children())  # what a fixture of the module keeps: a browser
    yield
    if request.node.get_closest_marker("anyio") or PROCESS.num_fds() != descriptors:
        gc.collect()  # what is not referred to any more is closed, and warns of it
    children = []
    for pid in set(_children()) - before:
        with suppress(psutil.NoSuchProcess):
            children.append(psutil.Process(pid))
    alive = psutil.wait_procs(children, timeout=2)[1] if children else []
    left = [f"process {child.pid}: {' '.join(_command(child))}" for child in alive]
    for child in alive:
        child.kill()
    left += [
        f"thread {thread.name}"
        for thread in threading.enumerate()
        if thread not in threads
        and thread.is_alive()
        and not thread.name.startswith(("AnyIO worker thread", "asyncio_"))
    ]
    if PROCESS.num_fds() > descriptors and "hypothesis" not in request.fixturenames:
        left += [f"{PROCESS.num_fds() - descriptors} file descriptors: {_descriptors()}"]
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Wrap an asynchronous test so that a task which it leaves running fails it."""
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test) and not hasattr(test, "hypothesis"):

        @functools.wraps(test)
        async def checked(*args: object, **kwargs: object) -> None:
            before = asyncio.all_tasks()
            await test(*args, **kwargs)
            left = [task for task in asyncio.all_tasks() - before if not task.done()]
            if left:
                pytest.fail(f"left behind: {left}", pytrace=False)

        pyfuncitem.obj = checked
    return (yield)


def pytest_collection_finish() -> None:
    """Stop measuring processes (see `measured`), and hide what is there from the collector.

    With it in sight each `gc.collect` of a test took 0.13 s of CPU.
    """
    for name in NAMES:
        if value := os.environ.pop(name, None):
            MEASURING[name] = value
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.program("php")`: skip where the program is absent, fail where CI=true."""
    for mark in item.iter_markers("program"):
        for name in mark.args:
            if shutil.which(name) is None:
                reason = f"needs the program {name}, which is not installed"
                if os.environ.get("CI") == "true":
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)


def _children() -> list[int]:
    """Return the pids of this process's children, which the kernel tells at once where it tells them at all."""
    pids: list[int] = []
    read = False
    # `pathlib` takes ten times as long here, twice a test.
    for thread in os.listdir("/proc/self/task") if sys.platform == "linux" else ():  # noqa: PTH208
        with suppress(OSError), open(f"/proc/self/task/{thread}/children") as file:  # noqa: PTH123
            pids += [int(pid) for pid in file.read().split()]
            read = True
    return pids if read else [child.pid for child in PROCESS.children()]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return ["?"]


def _descriptors() -> list[str]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return []
    shown = []
    for entry in folder.iterdir():
        with suppress(OSError):
            shown.append(f"{entry.name} -> {entry.readlink()}")
    return shown
