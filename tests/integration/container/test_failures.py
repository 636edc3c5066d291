"""Plugins that fail: in `init`, in `serve`, in `stop`."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from support.container.recorders import A, B, Failing, Recorder, failed, lived
from support.waiting import TIMEOUT

from rrpy.container.container import Container
from rrpy.container.errors import ConfigError, PluginFailed

pytestmark = pytest.mark.anyio

# Failing.


async def test_an_init_that_fails_names_its_plugin_and_nothing_serves(story, said):
    container = Container([A("a", story), Failing("f", story, "init", ValueError("bad"))])
    failure = await failed(container)
    assert str(failure) == "plugin f failed to init: ValueError: bad"
    assert isinstance(failure.__cause__, ValueError)
    assert failure.exit_code == 1
    assert story == ["init a", "init f"]
    assert container.states["f"] == "failed"
    assert "ValueError: bad" in said("plugin failed")[0]["stacktrace"]


async def test_a_wrong_section_stays_a_configuration_error(story):
    container = Container([Failing("f", story, "init", ConfigError("f.key is wrong in rr.yaml"))])
    with pytest.raises(ConfigError, match=r"^f\.key is wrong in rr\.yaml$"):
        await container.serve()


async def test_the_third_of_four_that_fails_to_start_rolls_back_those_that_serve(story):
    plugins = [A("a", story), B("b", story), Failing("f", story, "serve", OSError("no port")), Recorder("d", story)]
    container = Container(plugins)
    failure = await failed(container)
    assert str(failure) == "plugin f failed to serve: no port"
    assert story[-5:] == ["serve f", "stop b", "end b", "stop a", "end a"]
    assert "serve d" not in story
    assert container.states == {"a": "stopped", "b": "stopped", "f": "failed", "d": "initialized"}


@pytest.mark.parametrize("where", ["run", "late", "stop"])
async def test_a_plugin_that_fails_later_brings_all_down_in_order(story, said, where):
    error = RuntimeError("broken")
    container = Container([A("a", story), B("b", story), Failing("f", story, where, error)])
    with anyio.fail_after(TIMEOUT), pytest.raises(BaseException) as caught:
        await lived(container)
    (failure,) = caught.value.exceptions if isinstance(caught.value, BaseExceptionGroup) else (caught.value,)
    assert isinstance(failure, PluginFailed)
    step = "stop" if where == "stop" else "serve"
    assert (failure.plugin, str(failure)) == ("f", f"plugin f failed to {step}: RuntimeError: broken")
    assert failure.__cause__ is error
    assert [line for line in story if line[0] in "se" and line[-1] in "ab"][-4:] == [
        "stop b",
        "end b",
        "stop a",
        "end a",
    ]
    assert container.states == {"a": "stopped", "b": "stopped", "f": "failed"}
    (line,) = said("plugin failed")
    assert (line["level"], line["plugin"], line["step"]) == ("error", "f", step)


@pytest.mark.parametrize("where", ["init", "serve", "run", "late", "stop"])
@pytest.mark.parametrize("error", [SystemExit(7), KeyboardInterrupt()])
async def test_an_exit_in_any_step_is_the_plugins_failure(story, said, where, error):
    container = Container([A("a", story), Failing("f", story, where, error)])
    with anyio.fail_after(TIMEOUT), pytest.raises(BaseException) as caught:
        await lived(container)
    (failure,) = caught.value.exceptions if isinstance(caught.value, BaseExceptionGroup) else (caught.value,)
    assert isinstance(failure, PluginFailed)
    assert (failure.plugin, failure.exit_code) == ("f", 1)
    assert type(error).__name__ in str(failure)
    assert len(said("plugin failed")) == 1
    assert container.states["f"] == "failed"


async def test_the_first_failure_is_the_hosts_and_every_one_is_in_the_log(story, said):
    plugins = [Failing("late", story, "stop", RuntimeError("second")), Failing("f", story, "run", OSError("first"))]
    failure = await failed(Container(plugins))
    assert failure.plugin == "f"
    assert [line["plugin"] for line in said("plugin failed")] == ["f", "late"]
    assert "stacktrace" not in said("plugin failed")[0], "what a person can act on needs no traceback"


async def test_an_exception_inside_groups_of_one_is_the_exception_itself(story):
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [OSError("no port")])])
    failure = await failed(Container([Failing("f", story, "run", group)]))
    assert str(failure) == "plugin f failed to serve: no port"


async def test_several_exceptions_in_a_group_stay_a_group(story, said):
    group = ExceptionGroup("two", [ValueError("one"), ValueError("other")])
    failure = await failed(Container([Failing("f", story, "run", group)]))
    assert str(failure) == "plugin f failed to serve: ExceptionGroup: two (2 sub-exceptions)"
    assert "ValueError: other" in said("plugin failed")[0]["stacktrace"]


async def test_a_serve_that_returns_without_having_started_is_a_failure(story):
    class Forgets(Recorder):
        async def serve(self, *, task_status: Any) -> None:
            self.record("serve")

    failure = await failed(Container([A("a", story), Forgets("f", story)]))
    assert str(failure) == (
        "plugin f failed to serve: RuntimeError: serve returned without calling task_status.started()"
    )
    assert story[-2:] == ["stop a", "end a"]


async def test_a_serve_that_returns_early_is_finished_and_the_host_goes_on(story):
    class Short(Recorder):
        async def serve(self, *, task_status: Any) -> None:
            task_status.started()
            task_status.started()

    container = Container([Short("short", story), A("a", story)])
    await lived(container)
    assert container.states == {"short": "stopped", "a": "stopped"}
    assert "stop short" not in story
