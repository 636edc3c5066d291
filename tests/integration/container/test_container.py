"""A container's start and stop, in a loop of the test's."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from support.container.recorders import A, B, C, Deaf, Recorder, Silent, grace, lived
from support.waiting import TIMEOUT

from rrpy.container.container import Container
from rrpy.container.errors import IllegalTransition

pytestmark = pytest.mark.anyio

# Order.


async def test_plugins_come_up_in_the_order_of_their_needs_and_down_in_the_reverse(story):
    container = Container([C("c", story), B("b", story), A("a", story)])
    await lived(container)
    assert story == [
        *("init a", "init b", "init c"),
        *("serve a", "serve b", "serve c"),
        *("stop c", "end c", "stop b", "end b", "stop a", "end a"),
    ]
    assert container.states == {"a": "stopped", "b": "stopped", "c": "stopped"}
    assert list(container.states) == ["a", "b", "c"]
    assert container.state == "stopped"


async def test_the_optional_ones_start_first_and_every_other_in_the_order_given(story):
    container = Container([Recorder("z", story), Recorder("y", story)], optional=[Recorder("x", story)])
    await lived(container)
    assert [line for line in story if line.startswith("serve")] == ["serve x", "serve z", "serve y"]


async def test_the_next_starts_when_the_one_before_really_serves(story):
    class Slow(Recorder):
        async def serve(self, *, task_status: Any) -> None:
            self.record("serve")
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            self.record("ready")
            task_status.started()
            await self.end.wait()

    await lived(Container([Slow("a", story), Recorder("b", story)]))
    assert story.index("ready a") < story.index("serve b")


async def test_those_that_need_nothing_of_each_other_stop_at_the_same_time(story):
    meeting: list[Waiting] = []

    class Waiting(Recorder):
        async def stop(self) -> None:
            meeting.append(self)
            if len(meeting) == 2:
                for each in meeting:
                    each.end.set()
            await self.end.wait()

    await lived(Container([Waiting("a", story), Waiting("b", story)], grace(TIMEOUT)))
    assert len(meeting) == 2


async def test_a_container_lives_once(story):
    container = Container([A("a", story)])
    await lived(container)
    with pytest.raises(IllegalTransition):
        await container.serve()


async def test_a_container_without_plugins_lives_and_stops():
    container = Container([])
    await lived(container)
    assert container.states == {}


# Stopping.


async def test_a_stop_that_hangs_is_cut_off_at_the_end_of_the_grace_period_with_a_warning(story, said):
    container = Container([A("a", story), Deaf("deaf", story)], grace("10ms"))
    await lived(container)
    assert "cut off deaf" in story
    assert "end a" in story
    assert container.states == {"a": "stopped", "deaf": "stopped"}
    (line,) = said("plugin was cut off")
    assert (line["level"], line["plugin"], line["grace_period"]) == ("warn", "deaf", "10ms")


async def test_one_grace_period_is_shared_so_that_what_waits_behind_a_deaf_one_is_cut_off_too(story, said):
    class Behind(Deaf):
        def init(self, a: A) -> None: ...

    container = Container([A("a", story), Behind("deaf", story)], grace(0.01))
    await lived(container)
    assert [line["plugin"] for line in said("plugin was cut off")] == ["a", "deaf"]
    assert "stop a" not in story


async def test_no_grace_at_all_still_ends_everything(story):
    container = Container([A("a", story), Deaf("deaf", story)], grace(0))
    await lived(container)
    assert container.states == {"a": "stopped", "deaf": "stopped"}


async def test_a_stop_during_the_start_cancels_who_starts_and_stops_who_serves(story, said):
    container = Container([A("a", story), Silent("silent", story), Recorder("never", story)])
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            group.start_soon(container.serve)
            while "serve silent" not in story:
                await anyio.lowlevel.checkpoint()
            container.stop("changed my mind")
            container.stop("again")
    assert sorted(story[-3:]) == ["cancelled silent", "end a", "stop a"]
    assert container.states == {"a": "stopped", "silent": "stopped", "never": "initialized"}
    assert said("host is stopping")[0]["reason"] == "changed my mind"
    assert said("host is ready") == []


@pytest.mark.parametrize("how", ["stop", "force"])
async def test_a_host_that_is_stopped_before_it_runs_starts_nothing(story, how):
    container = Container([A("a", story)])
    getattr(container, how)()
    with anyio.fail_after(TIMEOUT):
        await container.serve()
    assert story == ["init a"]
    assert container.state == "stopped"


async def test_a_plugin_may_stop_the_host_from_within(story):
    class Enough(Recorder):
        async def serve(self, *, task_status: Any) -> None:
            task_status.started()
            container.stop("enough")
            await self.end.wait()

    container = Container([Enough("e", story), A("a", story)])
    with anyio.fail_after(TIMEOUT):
        await container.serve()
    assert container.state == "stopped"


async def test_force_ends_at_once_what_would_not_end(story):
    container = Container([A("a", story), Deaf("deaf", story)], grace("1h"))
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            container.stop()
            while "stop deaf" not in story:
                await anyio.lowlevel.checkpoint()
            container.force()
    assert "cut off deaf" in story
    assert container.states == {"a": "stopped", "deaf": "stopped"}


async def test_force_without_a_stop_before_it_cancels_everything(story):
    container = Container([A("a", story), Deaf("deaf", story)], grace("1h"))
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            container.force()
    assert "end a" not in story
    assert container.state == "stopped"


async def test_a_host_whose_task_is_cancelled_stops_its_plugins_in_order(story):
    container = Container([A("a", story), B("b", story)])
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            group.cancel_scope.cancel()
    assert story[-4:] == ["stop b", "end b", "stop a", "end a"]


async def test_what_an_operator_sees_is_ready_stopping_stopped(story, said):
    await lived(Container([A("a", story)]))
    assert said("host is ready")[0]["plugins"] == ["a"]
    assert said("host is stopping")[0]["reason"] == "asked to"
    assert len(said("host stopped")) == 1
