"""The end of the process, whatever threads do: a host leaves soon after its grace period.

What we want: a host that is to stop ends in time. What does not work: cancellation. A thread cannot be cancelled,
and both the event loop and the interpreter wait for the threads of `to_thread` and of others before they end. What we
do: a thread of our own, which nothing holds up, ends the process when the time is over, and says which plugin's thread
still ran. A plugin that blocks the event loop is found so too.

What can still fail: C code that keeps the interpreter's lock.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import Context, ContextVar
from types import FrameType
from typing import Final, NamedTuple

from . import log
from .protocols import Logger

CLEANUP_TIMEOUT: Final = 1.0
"""Seconds after the grace period in which cancelled plugins may still end."""
_STEP: Final = 0.25
"""Seconds of one wait. A pause of the whole process (SIGSTOP) counts as one step at most."""

_POOL: Final = "concurrent.futures.thread"

PLUGIN: Final[ContextVar[str]] = ContextVar("plugin", default="")
"""The name of the plugin whose code runs; its tasks inherit it, and the threads that they start by `to_thread`."""


class Busy(NamedTuple):
    """A thread that runs: its name, its plugin's, `""` where no sign of one is found, and where it runs now."""

    name: str
    plugin: str
    place: str


class Leaving:
    """Ends the process in time.

    `unended`: returns the plugins that have not ended. `modules`: returns a plugin for each module.
    """

    def __init__(
        self, channel: Logger, unended: Callable[[], Sequence[str]], modules: Callable[[], Mapping[str, str]]
    ) -> None:
        self._log = channel
        self._unended = unended
        self._modules = modules
        self._before = frozenset(threading.enumerate())
        self._changed = threading.Condition()
        self._left = float("inf")  # seconds
        self._stays = False
        self._thread: threading.Thread | None = None

    def within(self, seconds: float) -> None:
        """End the process with 1 `CLEANUP_TIMEOUT` after so many seconds, or at an earlier end that is set."""
        with self._changed:
            self._left = min(self._left, seconds + CLEANUP_TIMEOUT)
        if self._thread is None:
            thread = threading.Thread(target=self._wait, name="end of the host", daemon=True)
            with suppress(RuntimeError):  # the system has no thread left
                thread.start()
                self._thread = thread

    def wait_for_threads(self) -> None:
        """Wait for the threads that were started meanwhile; `within` limits the time."""
        for thread in self._threads():
            thread.join()

    def stay(self) -> None:
        """Do not end the process."""
        with self._changed:
            self._stays = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _wait(self) -> None:
        with self._changed:
            while self._left > 0:
                step = min(_STEP, self._left)
                if self._changed.wait_for(lambda: self._stays, step):
                    return
                self._left -= step
        self._report()
        log.close()
        os._exit(1)

    def _report(self) -> None:
        busy = [*busy_threads(self._threads(), self._modules())]
        unended = self._unended()
        for thread in busy:
            keys = {"plugin": thread.plugin} if thread.plugin else {}
            self._log.error("a thread still runs, the host leaves", **keys, thread=thread.name, at=thread.place)
        for name in unended:
            if name not in [thread.plugin for thread in busy]:
                at = place_of(threading.main_thread())
                self._log.error("a plugin does not end, the host leaves", plugin=name, event_loop_at=at)

    def _threads(self) -> list[threading.Thread]:
        return [each for each in threading.enumerate() if not each.daemon and each not in self._before]


def busy_threads(threads: list[threading.Thread], modules: Mapping[str, str]) -> Iterator[Busy]:
    """Yield the threads that run something: not those of a pool that wait for work. `modules`: plugins by module."""
    frames = sys._current_frames()
    for thread in threads:
        stack = [*stack_of(frames.get(thread.ident or 0))]
        if stack and not _is_idle(stack):
            yield Busy(thread.name, plugin_of(stack, modules), _place(stack[0]))


def place_of(thread: threading.Thread) -> str:
    """Return where a thread runs now, as `file:line function`; empty for one that has ended."""
    frame = sys._current_frames().get(thread.ident or 0)
    return _place(frame) if frame is not None else ""


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"


def _is_idle(stack: list[FrameType]) -> bool:
    """Return whether a thread of an executor waits for work, or only for the executor's other threads."""
    at = [(frame.f_globals.get("__name__"), frame.f_code.co_name) for frame in stack]
    return at[0] == (_POOL, "_worker") or ("queue", "get") in at[:2] or (_POOL, "shutdown") in at


def stack_of(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of a stack, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def plugin_of(stack: list[FrameType], modules: Mapping[str, str]) -> str:
    """Return the plugin of a thread: by the module of its code, or by the context that it was started with."""
    for frame in stack:
        module = str(frame.f_globals.get("__name__", ""))
        if module in modules:
            return modules[module]
    for frame in stack:
        for value in [*frame.f_locals.values()]:
            context = _context_of(value)
            if context is not None and PLUGIN in context:
                return context[PLUGIN]
    return ""


def _context_of(value: object) -> Context | None:
    """Return the context in which anyio or asyncio runs a function in a thread."""
    if isinstance(value, Context):
        return value
    work = getattr(getattr(value, "fn", None), "func", None)  # the `partial(context.run, ...)` of an executor's work
    owner = getattr(work, "__self__", None)
    return owner if isinstance(owner, Context) else None
