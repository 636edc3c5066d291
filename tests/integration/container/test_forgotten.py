"""Mistakes that would stay silent: the log names the plugin."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from support.container.clock import TurnedLoop, run
from support.container.recorders import A, Absent, Recorder, Silent, lived
from support.waiting import TIMEOUT

from rrpy.container.config import Config
from rrpy.container.container import START_TIME, Container


@pytest.mark.anyio
async def test_a_plugin_whose_section_is_absent_is_named(story: list[str], said: Any) -> None:
    await lived(Container([A("a", story), Absent("b", story)], optional=[Absent("c", story)]))
    lines = {line["plugin"]: line for line in said("plugin is disabled")}
    assert (lines["b"]["level"], lines["c"]["level"]) == ("warn", "debug")
    assert lines["b"]["reason"] == "<python> has no section b"


@pytest.mark.anyio
async def test_a_host_in_which_nothing_serves_says_so(story: list[str], said: Any) -> None:
    message = "no plugin serves: a section of the configuration switches a plugin on"
    await lived(Container([Absent("a", story)], optional=[Recorder("helper", story)]))
    assert [line["level"] for line in said(message)] == ["warn"]
    await lived(Container([A("a", story)]))
    await lived(Container([], Config.from_dict({"b": None}), optional=[A("b", story)]))
    assert len(said(message)) == 1


def test_a_plugin_that_does_not_start_is_named(story: list[str], said: Any) -> None:
    message = "the host waits for a plugin: its serve has not called task_status.started()"

    async def test(loop: TurnedLoop) -> None:
        container = Container([A("a", story), Silent("b", story)])
        async with anyio.create_task_group() as group:
            group.start_soon(container.serve)
            with anyio.fail_after(10 * TIMEOUT):
                while "serve b" not in story:
                    await anyio.lowlevel.checkpoint()
                await passed(loop, START_TIME - 2)
                assert not said(message)
                await passed(loop, 4)
                assert [line["plugin"] for line in said(message)] == ["b"]
                await passed(loop, 30)
                assert len(said(message)) == 1
            container.stop()

    run(test)


async def passed(loop: TurnedLoop, seconds: float) -> None:
    loop.turn(seconds)
    await anyio.sleep(0.01)
