"""The live view of `rrpy workers -i`: snapshots of a host, how a screen shows them, and the loop that draws them.

What we want: Ctrl+C ends the view at once, also while the host does not answer, and never leaves the terminal on the
other screen or without a cursor.
What does not work: an interrupt at any moment, also while the terminal is prepared or restored.
What we do: signals are blocked, except during the pause and the calls to the host between two drawings.
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
from ..container.text import printable
from ..rpc.client import ReconnectingClient
from .pipelines import Pipelines, pipelines_of, pipelines_table
from .running import NO_ANSWER, NO_WORKERS, workers_of
from .table import Workers, workers_table

REFRESH: Final = 1.0
"""Seconds between two snapshots."""
HINT: Final = "Ctrl+C ends this view"

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
_TABLE_FRAME: Final = 5
"""Lines of a plugin's part beside the workers: its heading, and the table's edges, head and rule."""


class PluginWorkers(NamedTuple):
    """The workers of a plugin. `pool`: its figures from `informer.Pool`, None for a plugin without them."""

    workers: Workers
    pool: Mapping[str, int] | None


class Picture(NamedTuple):
    """The plugins of a host with their workers, and its pipelines of jobs."""

    plugins: Mapping[str, PluginWorkers]
    pipelines: Pipelines = ()


class Snapshot(NamedTuple):
    """A host at one moment. `clock`: monotonic seconds; `now`: the same moment in unix seconds."""

    picture: Picture
    clock: float
    now: float


def picture_of(client: ReconnectingClient, names: Sequence[str] = ()) -> Picture:
    """Return the workers of each plugin. `names`: of these; empty for all that own workers. Raises HostError."""
    plugins = {
        name: PluginWorkers(workers_of(client, name), client.call("informer.Pool", name))
        for name in names or client.call("informer.List")
    }
    return Picture(plugins, pipelines_of(client, names))


def rates(before: Snapshot | None, after: Snapshot) -> dict[str, float]:
    """Return executions per second between two snapshots, of the plugins whose figures both of them have.

    The pool counts, not the workers: those that were replaced in between are in.
    """
    found: dict[str, float] = {}
    for name, plugin in after.picture.plugins.items():
        old = before.picture.plugins.get(name) if before is not None else None
        if before is None or old is None or old.pool is None or plugin.pool is None:
            continue
        served = plugin.pool["served"] - old.pool["served"]
        if served >= 0 and after.clock > before.clock:
            found[name] = served / (after.clock - before.clock)
    return found


def view(snapshot: Snapshot, rate: Mapping[str, float], *, height: int, away: bool = False) -> RenderableType:
    """Return a snapshot as a screen of `height` lines shows it. `away`: the host has not answered since."""
    first = Text(NO_ANSWER, "bold red") if away else Text(HINT, "dim")
    plugins, pipelines = snapshot.picture
    counts = [*(len(plugin.workers) for plugin in plugins.values()), len(pipelines)]
    frames = sum(_TABLE_FRAME if count else 1 for count in counts[:-1]) + (_TABLE_FRAME if pipelines else 0)
    *rows, last = divide_rows(counts, height - 1 - frames)
    parts: list[RenderableType] = [first]
    for (name, plugin), shown in zip(plugins.items(), rows, strict=True):
        parts.append(heading(name, plugin, rate.get(name), shown))
        if plugin.workers:
            parts.append(workers_table(plugin.workers[:shown], snapshot.now))
    if not plugins:
        parts.append(NO_WORKERS)
    if pipelines:
        title = Text("Pipelines of jobs:", no_wrap=True)
        parts += [_add_shown(title, last, len(pipelines)), pipelines_table(pipelines[:last])]
    return Group(*parts)


def heading(name: str, plugin: PluginWorkers, rate: float | None, shown: int) -> Text:
    """Return the line above a plugin's table. `rate`: executions per second, None when unknown; `shown`: its rows."""
    text = Text(no_wrap=True, overflow="ellipsis").append(printable(name), "bold")
    pool, count = plugin.pool, len(plugin.workers)
    if pool is not None:
        text.append(f": {_workers(pool['workers'])}, {pool['waiting']:,} waiting, {pool['running']:,} running, ")
        text.append("-" if rate is None else f"{rate:,.1f}")
        text.append(f" executions/s, {pool['served']:,} served")
        if pool["no_free_workers"]:
            text.append(f", {pool['no_free_workers']:,} refused", "red")
    else:
        text.append(f": {_workers(count)}" if count else " has no workers.")
    return _add_shown(text, shown, count)


def divide_rows(wanted: Sequence[int], room: int) -> list[int]:
    """Divide `room` rows among tables that want so many each: none gets more, and what one leaves is the others'."""
    got = [0] * len(wanted)
    for done, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        got[index] = min(wanted[index], max(0, room // (len(wanted) - done)))
        room -= got[index]
    return got


def watch(ask: Callable[[], Picture]) -> None:
    """Draw what `ask` returns, once a second, on the terminal that stdout is, until SIGINT or SIGTERM.

    Raises what the first `ask` raises; a HostError of a later one is shown, and the snapshot stays. At the end it
    raises KeyboardInterrupt, with the terminal as it was, and signals are ignored: the process is to end.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    before: Snapshot | None = None
    snapshot = _snapshot(ask)
    away = False
    live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    with _signals_blocked(), live:
        while True:
            screen = view(snapshot, rates(before, snapshot), height=console.height, away=away)
            live.update(screen, refresh=True)
            try:
                with _signals_delivered():
                    time.sleep(REFRESH)
                    fresh = _snapshot(ask)
            except KeyboardInterrupt:
                for number in _ENDING:
                    signal.signal(number, signal.SIG_IGN)
                raise
            except HostError:
                away = True
            else:
                # A host that was away may have started anew, and counts from zero.
                before, snapshot, away = None if away else snapshot, fresh, False


def _workers(count: int) -> str:
    return f"{count:,} worker{'' if count == 1 else 's'}"


def _add_shown(text: Text, shown: int, count: int) -> Text:
    return text.append(f" ({shown:,} of {count:,} shown)", "dim") if shown < count else text


def _snapshot(ask: Callable[[], Picture]) -> Snapshot:
    picture = ask()
    return Snapshot(picture, time.monotonic(), time.time())


@contextmanager
def _signals_blocked() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


@contextmanager
def _signals_delivered() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
