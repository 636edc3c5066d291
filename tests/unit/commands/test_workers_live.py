"""The live view of `rrpy workers -i`: figures from two pictures, what a screen shows, asking a host again and again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands.views import NOW, STAT, drawn, row

from rrpy.commands.live import HINT, Picture, PluginWorkers, Snapshot, divide_rows, picture_of, rates, view
from rrpy.commands.running import NO_ANSWER
from rrpy.container.errors import HostError
from rrpy.rpc.client import ReconnectingClient


def pool(served: int = 0, **keys: int) -> dict[str, int]:
    """Return a pool's figures as `informer.Pool` gives them."""
    return {"workers": 2, "waiting": 0, "running": 0, "served": served, "no_free_workers": 0} | keys


def picture(clock: float = 10, /, **plugins: PluginWorkers) -> Snapshot:
    return Snapshot(Picture(plugins), clock, NOW)


def smtp(served: int, pids: tuple[int, ...] = (1, 2)) -> PluginWorkers:
    return PluginWorkers([row(pid=pid) for pid in pids], pool(served))


# Executions per second.


def test_a_rate_is_what_the_pool_has_served_between_two_pictures() -> None:
    assert rates(picture(10, smtp=smtp(100)), picture(12.5, smtp=smtp(150))) == {"smtp": 20}


def test_a_rate_survives_the_replacement_of_the_workers() -> None:
    assert rates(picture(10, smtp=smtp(100, (1, 2))), picture(11, smtp=smtp(130, (3, 4)))) == {"smtp": 30}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, picture(10, smtp=smtp(5))),
        (picture(9), picture(10, smtp=smtp(5))),
        (picture(9, smtp=PluginWorkers([], None)), picture(10, smtp=smtp(5))),
        (picture(9, smtp=smtp(5)), picture(10, smtp=PluginWorkers([], None))),
        (picture(9, smtp=smtp(5)), picture(10, smtp=smtp(4))),
        (picture(10, smtp=smtp(5)), picture(10, smtp=smtp(6))),
    ],
    ids=["first picture", "plugin is new", "pool was not up", "pool is gone", "pool is another one", "no time passed"],
)
def test_a_rate_that_cannot_be_known_is_none(before: Snapshot | None, after: Snapshot) -> None:
    assert rates(before, after) == {}


# The screen.


def shown(of: Snapshot, rate: dict[str, float] | None = None, *, height: int = 40, away: bool = False) -> list[str]:
    return drawn(view(of, rate or {}, height=height, away=away)).splitlines()


def test_a_plugin_has_a_line_with_its_pools_figures_above_its_table() -> None:
    figures = pool(12345, workers=1, waiting=3, running=1)
    first, line, *table = shown(picture(smtp=PluginWorkers([row(pid=77)], figures)), {"smtp": 1234.56})
    assert first == HINT
    assert line == "smtp: 1 worker, 3 waiting, 1 running, 1,234.6 executions/s, 12,345 served"
    assert "77" in table[3]


def test_a_rate_that_is_not_known_is_a_dash_and_refused_requests_are_told_when_there_are_some() -> None:
    _, line, *_ = shown(picture(smtp=PluginWorkers([row()], pool(no_free_workers=4))))
    assert line == "smtp: 2 workers, 0 waiting, 0 running, - executions/s, 0 served, 4 refused"


def test_a_plugin_that_tells_no_figures_is_shown_with_its_workers() -> None:
    lines = shown(picture(old=PluginWorkers([row(), row()], None), idle=PluginWorkers([], None)))
    assert "old: 2 workers" in lines
    assert "idle has no workers." in lines


def test_a_host_without_owners_of_workers_is_said_to_have_none() -> None:
    assert shown(picture()) == [HINT, "No plugin of this host owns workers."]


def test_a_host_that_is_away_is_told_above_its_last_picture() -> None:
    first, *rest = shown(picture(smtp=smtp(5)), away=True)
    assert first == NO_ANSWER
    assert rest == shown(picture(smtp=smtp(5)))[1:]


@given(st.lists(st.integers(0, 60), max_size=4), st.integers(0, 60), st.integers(1, 80))
def test_a_picture_fits_its_screen_as_long_as_the_frames_of_its_tables_do(
    counts: list[int], pipelines: int, height: int
) -> None:
    plugins = {f"p{index}": PluginWorkers([row(pid=1)] * count, pool()) for index, count in enumerate(counts)}
    lines = shown(Snapshot(Picture(plugins, [STAT] * pipelines), 10, NOW), height=height)
    frames = sum(5 if count else 1 for count in counts) + (5 if pipelines else 0)
    assert len(lines) <= max(height, 2 + frames)
    rows = sum(" ready " in line or " READY " in line for line in lines)
    assert rows == min(sum(counts) + pipelines, max(0, height - 1 - frames))


def test_pipelines_are_shown_below_the_workers_and_say_how_many_are_shown() -> None:
    lines = shown(Snapshot(Picture({"smtp": smtp(5)}, [STAT] * 30), 10, NOW), height=31)
    (at,) = (number for number, line in enumerate(lines) if line == "Pipelines of jobs: (18 of 30 shown)")
    assert at > lines.index(next(line for line in lines if line.startswith("smtp: ")))


def test_a_pool_that_is_too_large_for_the_screen_says_how_much_is_shown() -> None:
    _, line, *_ = shown(picture(smtp=PluginWorkers([row()] * 500, None)), height=26)
    assert line == "smtp: 500 workers (20 of 500 shown)"


@given(st.lists(st.integers(0, 500), max_size=6), st.integers(-5, 600))
def test_tables_share_the_room_and_leave_none_that_another_one_wants(wanted: list[int], room: int) -> None:
    got = divide_rows(wanted, room)
    assert all(0 <= have <= want for have, want in zip(got, wanted, strict=True))
    assert sum(got) == min(sum(wanted), max(0, room))


def test_a_small_table_is_whole_beside_a_large_one() -> None:
    assert divide_rows([500, 3], 20) == [17, 3]
    assert divide_rows([500, 500], 21) == [10, 11]


# Asking again and again.


class Host:
    """A host that answers, or does not: then every call and every connect raises."""

    def __init__(self) -> None:
        self.there = True
        self.connections: list[Connection] = []

    def connect(self) -> Connection:
        if not self.there:
            raise HostError("no host answers")
        self.connections.append(Connection(self))
        return self.connections[-1]


class Connection:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.broken = False
        self.closed = False

    def call(self, method: str, argument: object = True) -> Any:
        assert not self.closed
        if self.broken or not self.host.there:
            self.broken = True
            raise HostError("the connection broke")
        return {
            "informer.List": ["http", "smtp"],
            "informer.Workers": {"workers": [row(pid=5)] if argument == "smtp" else None},
            "informer.Pool": pool(9) if argument == "smtp" else None,
            "informer.Jobs": [STAT],
        }[method]

    def close(self) -> None:
        self.closed = True


def test_all_plugins_are_asked_for_or_those_named() -> None:
    client = ReconnectingClient(Host().connect)
    smtp = PluginWorkers([row(pid=5)], pool(9))
    assert picture_of(client) == Picture({"http": PluginWorkers([], None), "smtp": smtp}, [STAT])
    assert picture_of(client, ["smtp"]) == Picture({"smtp": smtp}, [])
    assert picture_of(client, ["jobs.fast"]).pipelines == [STAT]


def test_a_connection_is_kept_and_another_one_taken_after_it_broke() -> None:
    host = Host()
    client = ReconnectingClient(host.connect)
    picture_of(client)
    picture_of(client)
    assert len(host.connections) == 1
    host.there = False
    for _ in range(2):
        with pytest.raises(HostError):
            picture_of(client)
    host.there = True
    assert picture_of(client).plugins["smtp"].pool == pool(9)
    assert [each.closed for each in host.connections] == [True, False]
    client.close()
    client.close()
    assert all(each.closed for each in host.connections)
