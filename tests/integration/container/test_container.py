from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import anyio
import loguru
import pytest
from support.container.plugins import script

from rrpy.container import log
from rrpy.container.config import Config
from rrpy.container.container import Container
from rrpy.container.errors import ConfigError, DependencyError, IllegalTransition, PluginDisabled, PluginFailed
from rrpy.container.log import Channel, LogConfig
from rrpy.container.protocols import Collect, Configurer, Logger

pytestmark = pytest.mark.anyio

PATIENCE = 20


class Told:
    """A plugin that tells what happens to it, in a story that all share."""

    def __init__(self, name: str, story: list[str]) -> None:
        self.name = name
        self.story = story
        self.end = anyio.Event()

    def tell(self, word: str) -> None:
        self.story.append(f"{word} {self.name}")

    def init(self) -> None:
        self.tell("init")

    async def serve(self, *, task_status: Any) -> None:
        self.tell("serve")
        task_status.started()
        await self.end.wait()
        self.tell("end")

    async def stop(self) -> None:
        self.tell("stop")
        self.end.set()


class A(Told):
    pass


class B(Told):
    def init(self, a: A) -> None:
        self.tell("init")
        self.a = a


class C(Told):
    def init(self, b: B) -> None:
        self.tell("init")


class Silent(Told):
    """It never gets to serve."""

    async def serve(self, *, task_status: Any) -> None:
        self.tell("serve")
        try:
            await anyio.sleep_forever()
        finally:
            self.tell("cancelled")


class Deaf(Told):
    """Its stop never ends."""

    async def stop(self) -> None:
        self.tell("stop")
        try:
            await anyio.sleep_forever()
        finally:
            self.tell("cut off")


class Failing(Told):
    """It raises `error` in the step `where`: init, serve (before started), run (after it), stop, late (in the stop)."""

    def __init__(self, name: str, story: list[str], where: str, error: BaseException) -> None:
        super().__init__(name, story)
        self.where = where
        self.error = error

    def at(self, where: str) -> None:
        if self.where == where:
            raise self.error

    def init(self) -> None:
        self.tell("init")
        self.at("init")

    async def serve(self, *, task_status: Any) -> None:
        self.tell("serve")
        self.at("serve")
        task_status.started()
        self.at("run")
        await self.end.wait()
        self.at("late")

    async def stop(self) -> None:
        self.tell("stop")
        self.at("stop")
        self.end.set()


@pytest.fixture
def story() -> list[str]:
    return []


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Any]:
    """The log of a host, to a file; the function returns its lines."""
    path = tmp_path / "host.log"
    log.configure(LogConfig(mode="production", level="debug", output=str(path)))

    def lines(message: str) -> list[dict[str, Any]]:
        log.flush()
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in found if line["msg"] == message]

    yield lines
    log.close()
    loguru.logger.remove()


async def lived(container: Container) -> None:
    """Run a container until every plugin serves, then stop it."""
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            container.stop()


async def failed(container: Container) -> PluginFailed:
    with anyio.fail_after(PATIENCE), pytest.raises(PluginFailed) as caught:
        await container.serve()
    return caught.value


def grace(period: Any, **more: Any) -> Config:
    return Config.from_dict({"endure": {"grace_period": period}, **more})


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
    container = Container([Told("z", story), Told("y", story)], optional=[Told("x", story)])
    await lived(container)
    assert [line for line in story if line.startswith("serve")] == ["serve x", "serve z", "serve y"]


async def test_the_next_starts_when_the_one_before_really_serves(story):
    class Slow(Told):
        async def serve(self, *, task_status: Any) -> None:
            self.tell("serve")
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            self.tell("ready")
            task_status.started()
            await self.end.wait()

    await lived(Container([Slow("a", story), Told("b", story)]))
    assert story.index("ready a") < story.index("serve b")


async def test_those_that_need_nothing_of_each_other_stop_at_the_same_time(story):
    meeting: list[Waiting] = []

    class Waiting(Told):
        async def stop(self) -> None:
            meeting.append(self)
            if len(meeting) == 2:
                for each in meeting:
                    each.end.set()
            await self.end.wait()

    await lived(Container([Waiting("a", story), Waiting("b", story)], grace(PATIENCE)))
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


# What is given to init.


async def test_init_gets_the_configuration_its_channel_and_its_dependencies(story):
    class Asks(Told):
        def init(
            self, a: A, config: Configurer, log: Logger, own: Config, channel: Channel, b: B | None, n: int = 5
        ) -> None:
            self.got = (a, config, own, log, channel, b, n)

    plugin, a = Asks("asks", story), A("a", story)
    config = Config.from_dict({})
    await lived(Container([plugin, a], config))
    assert plugin.got == (a, config, config, log.logger("asks"), log.logger("asks"), None, 5)


class Sender(Protocol):
    def send(self) -> None: ...


class Needs(Told):
    def init(self, sender: Sender) -> None:
        self.tell("init")


class Maybe(Told):
    def init(self, sender: Sender | None) -> None:
        self.tell(f"init with {sender}")


class Sends(Told):
    def send(self) -> None: ...


class Absent(Sends):
    def init(self, config: Configurer) -> None:
        config.section(self.name, dict)


async def refused(container: Container) -> str:
    with pytest.raises(DependencyError) as caught:
        await container.serve()
    assert caught.value.exit_code == 2
    return str(caught.value)


async def test_a_need_that_nobody_meets_is_an_error_that_names_both_sides(story):
    assert await refused(Container([Needs("needs", story)])) == "plugin needs needs Sender, which no plugin provides"
    assert story == []


async def test_a_need_that_two_meet_is_an_error_that_names_them(story):
    container = Container([Needs("needs", story), Sends("one", story), Sends("two", story)])
    assert await refused(container) == "plugin needs needs one Sender, but there are several: one, two"


async def test_a_need_of_a_plugin_that_is_disabled_is_an_error_that_names_its_section(story):
    container = Container([Needs("needs", story), Absent("absent", story)])
    assert await refused(container) == (
        "plugin needs needs Sender of plugin absent, which is disabled; add the section absent to <python>"
    )


async def test_a_plugin_does_not_meet_its_own_need(story):
    class Narcissus(Sends):
        def init(self, sender: Sender) -> None: ...

    assert await refused(Container([Narcissus("n", story)])) == "plugin n needs Sender, which no plugin provides"


async def test_a_need_that_may_be_none_is_none_when_nobody_meets_it_or_who_does_is_disabled(story):
    await lived(Container([Maybe("maybe", story)]))
    await lived(Container([Maybe("maybe", story), Absent("absent", story)]))
    assert [line for line in story if line.startswith("init")] == ["init with None maybe"] * 2


async def test_an_optional_plugin_whose_needs_are_absent_is_left_out_unless_its_section_is_there(story):
    container = Container([], optional=[Needs("needs", story), Absent("absent", story)])
    await lived(container)
    assert container.states == {"absent": "disabled", "needs": "disabled"}
    config = Config.from_dict({"needs": {}})
    container = Container([], config, optional=[Needs("needs", story), Absent("absent", story)])
    assert "needs needs Sender of plugin absent, which is disabled" in await refused(container)


async def test_a_plugin_that_bows_out_is_never_served_and_makes_no_noise(story, said):
    class Bows(Told):
        def init(self) -> None:
            raise PluginDisabled("not today")

    container = Container([Bows("bows", story), A("a", story)])
    await lived(container)
    assert container.states == {"bows": "disabled", "a": "stopped"}
    assert story == ["init a", "serve a", "stop a", "end a"]
    (line,) = said("plugin is disabled")
    assert (line["level"], line["plugin"], line["reason"]) == ("debug", "bows", "not today")


async def test_a_circle_is_printed(story):
    class One(Told):
        def init(self, two: Two) -> None: ...

    class Two(Told):
        def init(self, one: One) -> None: ...

    One.init.__annotations__["two"] = Two
    Two.init.__annotations__["one"] = One
    container = Container([One("one", story), Two("two", story)])
    assert await refused(container) == "plugins need one another in a circle: one -> two -> one"


async def test_two_plugins_of_one_name_are_an_error(story):
    container = Container([A("smtp", story)], optional=[Told("smtp", story)])
    assert (await refused(container)).startswith("two plugins are called smtp; ")


async def test_a_section_of_nobody_is_an_error_before_anything_ran(story):
    with pytest.raises(ConfigError, match=r"^smpt is not a known key in <python>; did you mean smtp\?$"):
        await Container([A("smtp", story)], Config.from_dict({"smpt": {}})).serve()
    with pytest.raises(
        ConfigError, match=r"^endure\.grace_perod is not a known key in <python>; did you mean grace_period\?$"
    ):
        await Container([A("smtp", story)], Config.from_dict({"endure": {"grace_perod": 1}})).serve()
    assert story == []


def test_what_is_no_plugin_is_refused_with_what_it_lacks():
    with pytest.raises(ConfigError, match=r"^object is not a plugin: it has no name, init, serve, stop$"):
        Container([object()])
    nameless = A("", [])
    with pytest.raises(ConfigError, match=r"^A is not a plugin: it has no name$"):
        Container([nameless])


def test_an_async_init_is_refused_by_name(story):
    class Eager(Told):
        async def init(self) -> None: ...

    with pytest.raises(ConfigError, match=r"^plugin eager: its init is async"):
        Container([Eager("eager", story)])


# Collecting.


async def test_a_collector_gets_every_other_of_a_kind_after_all_inits_and_before_the_first_serve(story):
    class Collects(Sends):
        def collects(self) -> list[Collect[Any]]:
            return [Collect(Sender, lambda other: self.story.append(f"collected {other.name}")), Collect(A, self.take)]

        def take(self, other: A) -> None:
            self.story.append(f"took {other.name}")

    plugins = [Collects("c", story), Sends("s2", story), A("a", story), Sends("s1", story), Absent("absent", story)]
    await lived(Container(plugins))
    first_serve = story.index("serve c")
    assert story[first_serve - 3 : first_serve] == ["collected s2", "collected s1", "took a"]
    assert max(story.index(f"init {name}") for name in ("c", "s2", "a", "s1")) < story.index("collected s2")


async def test_what_is_to_outlive_its_collector_starts_before_it_and_stops_after_it(story):
    class Collects(Told):
        def collects(self) -> list[Collect[Any]]:
            return [Collect(Sender, lambda other: None, outlive=True)]

    container = Container([Collects("c", story), A("a", story), Sends("s", story)])
    await lived(container)
    assert story.index("serve s") < story.index("serve c") < story.index("stop c")
    assert story.index("end c") < story.index("stop s")


async def test_two_that_are_to_outlive_each_other_are_a_circle(story):
    class Collects(Sends):
        def collects(self) -> list[Collect[Any]]:
            return [Collect(Sender, lambda other: None, outlive=True)]

    with pytest.raises(DependencyError, match=r"in a circle: c -> d -> c$"):
        await Container([Collects("c", story), Collects("d", story)]).serve()


class Lasts(Told):
    def host_stopping(self) -> None:
        self.tell("stopping")


async def test_a_lasting_plugin_starts_first_hears_of_the_stop_at_once_and_stops_last(story):
    container = Container([A("a", story), Lasts("l", story), B("b", story), Lasts("m", story)])
    await lived(container)
    assert [word for word in story if word.startswith("serve")] == ["serve l", "serve m", "serve a", "serve b"]
    stop = story.index("stopping l")
    assert {story[stop], story[stop + 1]} == {"stopping l", "stopping m"}
    assert story[stop + 2 : stop + 6] == ["stop b", "end b", "stop a", "end a"]
    assert set(story[stop + 6 :]) == {"stop l", "end l", "stop m", "end m"}


async def test_what_a_lasting_plugin_needs_starts_before_it_and_stops_behind_it(story):
    class Needy(Lasts):
        def init(self, a: A) -> None:
            self.tell("init")

    await lived(Container([Told("t", story), A("a", story), Needy("n", story)]))
    assert [word for word in story if word.startswith("serve")] == ["serve a", "serve n", "serve t"]
    assert [word for word in story if word.startswith("end")] == ["end t", "end n", "end a"]


async def test_a_lasting_plugin_that_fails_to_hear_of_the_stop_fails_and_the_others_stop_all_the_same(story):
    class Deaf(Told):
        def host_stopping(self) -> None:
            raise RuntimeError("what?")

    class Ends(A):
        async def serve(self, *, task_status: Any) -> None:
            container.stop()
            await super().serve(task_status=task_status)

    container = Container([Ends("a", story), Deaf("d", story)])
    failure = await failed(container)
    assert str(failure) == "plugin d failed to stop: RuntimeError: what?"
    assert "end a" in story


async def test_collecting_that_fails_is_the_plugins_failure_and_nothing_serves(story):
    class Collects(Told):
        def collects(self) -> list[Collect[Any]]:
            raise RuntimeError("no")

    failure = await failed(Container([A("a", story), Collects("c", story)]))
    assert str(failure) == "plugin c failed to collect: RuntimeError: no"
    assert "serve a" not in story


async def test_a_collector_that_refuses_another_is_heard_as_it_says_it(story):
    class Picky(Told):
        def collects(self) -> list[Collect[Any]]:
            return [Collect(A, self.refuse)]

        def refuse(self, other: A) -> None:
            raise ConfigError(f"{other.name} does not go with {self.name}")

    with pytest.raises(ConfigError, match=r"^a does not go with p$"):
        await Container([Picky("p", story), A("a", story)]).serve()


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
    plugins = [A("a", story), B("b", story), Failing("f", story, "serve", OSError("no port")), Told("d", story)]
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
    with anyio.fail_after(PATIENCE), pytest.raises(BaseException) as caught:
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
    class Forgets(Told):
        async def serve(self, *, task_status: Any) -> None:
            self.tell("serve")

    failure = await failed(Container([A("a", story), Forgets("f", story)]))
    assert str(failure) == (
        "plugin f failed to serve: RuntimeError: serve returned without calling task_status.started()"
    )
    assert story[-2:] == ["stop a", "end a"]


async def test_a_serve_that_returns_early_is_finished_and_the_host_goes_on(story):
    class Short(Told):
        async def serve(self, *, task_status: Any) -> None:
            task_status.started()
            task_status.started()

    container = Container([Short("short", story), A("a", story)])
    await lived(container)
    assert container.states == {"short": "stopped", "a": "stopped"}
    assert "stop short" not in story


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
    container = Container([A("a", story), Silent("silent", story), Told("never", story)])
    with anyio.fail_after(PATIENCE):
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
    with anyio.fail_after(PATIENCE):
        await container.serve()
    assert story == ["init a"]
    assert container.state == "stopped"


async def test_a_plugin_may_stop_the_host_from_within(story):
    class Enough(Told):
        async def serve(self, *, task_status: Any) -> None:
            task_status.started()
            container.stop("enough")
            await self.end.wait()

    container = Container([Enough("e", story), A("a", story)])
    with anyio.fail_after(PATIENCE):
        await container.serve()
    assert container.state == "stopped"


async def test_force_ends_at_once_what_would_not_end(story):
    container = Container([A("a", story), Deaf("deaf", story)], grace("1h"))
    with anyio.fail_after(PATIENCE):
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
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            container.force()
    assert "end a" not in story
    assert container.state == "stopped"


async def test_a_host_whose_task_is_cancelled_stops_its_plugins_in_order(story):
    container = Container([A("a", story), B("b", story)])
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            group.cancel_scope.cancel()
    assert story[-4:] == ["stop b", "end b", "stop a", "end a"]


async def test_what_an_operator_sees_is_ready_stopping_stopped(story, said):
    await lived(Container([A("a", story)]))
    assert said("host is ready")[0]["plugins"] == ["a"]
    assert said("host is stopping")[0]["reason"] == "asked to"
    assert len(said("host stopped")) == 1


# A process of its own.

HOST = """
import sys
import anyio
from rrpy import Config, Container, HostError

class Plugin:
    name = "own"
    def __init__(self, kind):
        self.kind = kind
    def init(self):
        self.end = anyio.Event()
    async def serve(self, *, task_status):
        print("serve", flush=True)
        if self.kind == "slow":
            try:
                await anyio.sleep_forever()
            finally:
                print("rolled back", flush=True)
        if self.kind == "refuses":
            raise OSError("no port")
        task_status.started()
        if self.kind == "fails":
            raise RuntimeError("broken")
        print("ready", flush=True)
        while self.kind == "immortal":
            try:
                await anyio.sleep_forever()
            except BaseException:
                print("shrug", flush=True)
        await self.end.wait()
        print("end", flush=True)
    async def stop(self):
        print("stop", flush=True)
        if self.kind in ("deaf", "immortal"):
            await anyio.sleep_forever()
        self.end.set()

tree = {"logs": {"mode": "production"}}
if len(sys.argv) > 2:
    tree["endure"] = {"grace_period": sys.argv[2]}
try:
    code = Container([Plugin(sys.argv[1])], Config.from_dict(tree)).run()
except HostError as error:
    print("error:", error, flush=True)
    code = error.exit_code
print("left", flush=True)
sys.exit(code)
"""


ENDING = """
import atexit, os, signal

def again(where):
    print(where, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

class Last:
    def __del__(self):  # when the interpreter takes its modules apart
        again("at the very end")

last = Last()
atexit.register(again, "at exit")
"""


def test_a_second_signal_behind_the_hosts_end_leaves_it_its_exit_code(tmp_path):
    """The handlers went back to the default with the loop, and the second SIGTERM ended the host with status -15."""
    told = HOST.replace('print("left", flush=True)', 'again("left")')
    with script(ENDING + told, tmp_path, "good") as host:
        host.until("ready")
        host.send(signal.SIGTERM)
        code, out, _ = host.end()
    assert (code, out) == (0, ["serve", "ready", "stop", "end", "left", "at exit", "at the very end"])


def test_a_third_signal_ends_a_process_that_hangs_behind_the_hosts_end(tmp_path):
    told = HOST.replace(
        'print("left", flush=True)', 'print("left", flush=True); signal.pause(); signal.pause(); stay()'
    )
    with script(ENDING + told, tmp_path, "good") as host:
        host.until("ready")
        host.send(signal.SIGTERM)
        host.until("left")
        host.send(signal.SIGTERM)
        host.send(signal.SIGINT)
        code, out, err = host.end()
    assert (code, out) == (1, ["serve", "ready", "stop", "end", "left"]), err


def test_a_host_that_no_signal_ended_gives_the_former_handlers_back(tmp_path):
    before = "before = signal.signal(signal.SIGTERM, lambda *_: print('mine', flush=True))\n"
    told = HOST.replace('print("left", flush=True)', 'print("left"); signal.raise_signal(signal.SIGTERM)')
    with script("import signal\n" + before + told, tmp_path, "refuses") as host:
        code, out, _ = host.end()
    assert (code, out[-2:]) == (1, ["left", "mine"])


def test_a_signal_that_comes_before_the_loop_runs_is_not_lost(tmp_path):
    text = """
import signal, sys
from rrpy.container import host, signals

class Early(signals.Signals):
    def __enter__(self):
        entered = super().__enter__()
        signal.raise_signal(signal.SIGTERM)
        return entered

host.Signals = Early
"""
    with script(text + HOST, tmp_path, "good") as host:
        code, out, err = host.end()
    assert (code, out) == (0, ["left"]), err
    assert "SIGTERM" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_host_gracefully_with_exit_code_0(tmp_path, number):
    with script(HOST, tmp_path, "good") as host:
        host.until("ready")
        host.send(number)
        code, out, err = host.end()
    assert (code, out) == (0, ["serve", "ready", "stop", "end", "left"])
    messages = [json.loads(line) for line in err.splitlines()]
    assert [line["msg"] for line in messages] == ["host is ready", "host is stopping", "host stopped"]
    assert messages[1]["reason"] == number.name


def test_a_second_signal_forces_the_end_with_exit_code_1(tmp_path):
    with script(HOST, tmp_path, "deaf", "1h") as host:
        host.until("ready")
        host.send(signal.SIGINT)
        host.until("stop")
        host.send(signal.SIGTERM)
        code, out, err = host.end()
    assert (code, out) == (1, ["serve", "ready", "stop", "left"])
    assert "a second signal: stopping at once" in err


def test_a_third_signal_ends_a_host_whose_plugin_swallows_its_cancellation(tmp_path):
    with script(HOST, tmp_path, "immortal", "1h") as host:
        host.until("ready")
        host.send(signal.SIGINT)
        host.until("stop")
        host.send(signal.SIGINT)
        host.until("shrug")
        host.send(signal.SIGINT)
        code, out, _ = host.end()
    assert code == 1
    assert "left" not in out


def test_a_signal_during_the_start_rolls_back_with_exit_code_0(tmp_path):
    with script(HOST, tmp_path, "slow") as host:
        host.until("serve")
        host.send(signal.SIGTERM)
        code, out, _ = host.end()
    assert (code, out) == (0, ["serve", "rolled back", "left"])


@pytest.mark.parametrize(
    ("kind", "grace_period", "code", "sentence"),
    [
        ("refuses", "1s", 1, "error: plugin own failed to serve: no port"),
        ("fails", "1s", 1, "error: plugin own failed to serve: RuntimeError: broken"),
        (
            "good",
            "soon",
            2,
            "error: endure.grace_period: expected a duration such as 10s, 1m30s or 500ms, got 'soon' in <python>",
        ),
    ],
)
def test_the_exit_code_says_whose_fault_it_was(tmp_path, kind, grace_period, code, sentence):
    with script(HOST, tmp_path, kind, grace_period) as host:
        found, out, _ = host.end()
    assert found == code
    assert out[-2:] == [sentence, "left"]
