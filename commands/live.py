"""The live view of `rrpy workers -i`: pictures of a host, how they look on a screen, and the loop that draws them.

What we want: Ctrl+C ends the view at once, also while the host keeps us waiting, and never leaves the terminal on the
other screen or without a cursor.
What does not work: an interrupt that may come anywhere, also while the terminal is prepared or repaired.
What we do: signals are held back, but for the wait and the questions to the host between two drawings.
What can still fail: SIGKILL leaves the terminal as it is; `reset` repairs it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ..container.errors import HostError
from ..rpc.client import ReconnectingClient
from .running import AWAY
from .table import NOBODY, Workers, workers_table

REFRESH: Final = 1.0
"""Seconds between two pictures."""
HINT: Final = "Ctrl+C ends this view"

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
_TABLE_FRAME: Final = 5
"""Lines of a plugin's part that are no worker: its heading, and the table's edges, head and rule."""


class Plugin(NamedTuple):
    """What a host says of one plugin. `pool`: its figures, as `informer.Pool` gives them, None when there are none."""

    workers: Workers
    pool: Mapping[str, int] | None


class Picture(NamedTuple):
    """What a host said at one moment. `clock`: monotonic seconds; `now`: the same moment in unix seconds."""

    plugins: Mapping[str, Plugin]
    clock: float
    now: float


def plugins_of(client: ReconnectingClient, names: Sequence[str] = ()) -> Mapping[str, Plugin]:
    """Return what a host says of each plugin. `names`: of these; empty for all that own workers. Raises HostError."""
    return {
        name: Plugin(client.call("informer.Workers", name)["workers"] or [], client.call("informer.Pool", name))
        for name in names or client.call("informer.List")
    }


def rates(before: Picture | None, after: Picture) -> dict[str, float]:
    """Return executions per second between two pictures, of the plugins whose figures both of them have.

    The pool counts, not the workers: those that were replaced in between are in.
    """
    found: dict[str, float] = {}
    for name, plugin in after.plugins.items():
        old = before.plugins.get(name) if before is not None else None
        if before is None or old is None or old.pool is None or plugin.pool is None:
            continue
        served = plugin.pool["served"] - old.pool["served"]
        if served >= 0 and after.clock > before.clock:
            found[name] = served / (after.clock - before.clock)
    return found


def view(picture: Picture, rate: Mapping[str, float], *, height: int, away: bool = False) -> RenderableType:
    """Return a picture as a screen of `height` lines shows it. `away`: the host has not answered since."""
    first = Text(AWAY, "bold red") if away else Text(HINT, "dim")
    plugins = picture.plugins
    frames = sum(_TABLE_FRAME if plugin.workers else 1 for plugin in plugins.values())
    rows = shares([len(plugin.workers) for plugin in plugins.values()], height - 1 - frames)
    parts: list[RenderableType] = [first]
    for (name, plugin), shown in zip(plugins.items(), rows, strict=True):
        parts.append(heading(name, plugin, rate.get(name), shown))
        if plugin.workers:
            parts.append(workers_table(plugin.workers[:shown], picture.now))
    if not plugins:
        parts.append(NOBODY)
    return Group(*parts)


def heading(name: str, plugin: Plugin, rate: float | None, shown: int) -> Text:
    """Return the line above a plugin's table. `rate`: executions per second, None when unknown; `shown`: its rows."""
    text = Text(no_wrap=True, overflow="ellipsis").append(name, "bold")
    pool, count = plugin.pool, len(plugin.workers)
    if pool is not None:
        text.append(f": {_workers(pool['workers'])}, {pool['waiting']:,} waiting, {pool['running']:,} running, ")
        text.append("-" if rate is None else f"{rate:,.1f}")
        text.append(f" executions/s, {pool['served']:,} served")
        if pool["no_free_workers"]:
            text.append(f", {pool['no_free_workers']:,} refused", "red")
    else:
        text.append(f": {_workers(count)}" if count else " has no workers.")
    if shown < count:
        text.append(f" ({shown:,} of {count:,} shown)", "dim")
    return text


def shares(wanted: Sequence[int], room: int) -> list[int]:
    """Divide `room` rows among tables that want so many each: none gets more, and what one leaves is the others'."""
    got = [0] * len(wanted)
    for done, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        got[index] = min(wanted[index], max(0, room // (len(wanted) - done)))
        room -= got[index]
    return got


def watch(ask: Callable[[], Mapping[str, Plugin]]) -> None:
    """Draw what `ask` returns, once a second, on the terminal that stdout is, until SIGINT or SIGTERM.

    Raises what the first `ask` raises; a HostError of a later one is shown, and the picture stays. At the end it
    raises KeyboardInterrupt, with the terminal as it was, and signals are ignored: the process is to end.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    before: Picture | None = None
    picture = _picture(ask)
    away = False
    live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    with _held_back(), live:
        while True:
            screen = view(picture, rates(before, picture), height=console.height, away=away)
            live.update(screen, refresh=True)
            try:
                with _let_through():
                    time.sleep(REFRESH)
                    fresh = _picture(ask)
            except KeyboardInterrupt:
                for number in _ENDING:
                    signal.signal(number, signal.SIG_IGN)
                raise
            except HostError:
                away = True
            else:
                # A host that was away may have started anew, and counts from zero.
                before, picture, away = None if away else picture, fresh, False


def _workers(count: int) -> str:
    return f"{count:,} worker{'' if count == 1 else 's'}"


def _picture(ask: Callable[[], Mapping[str, Plugin]]) -> Picture:
    plugins = ask()
    return Picture(plugins, time.monotonic(), time.time())


@contextmanager
def _held_back() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


@contextmanager
def _let_through() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
