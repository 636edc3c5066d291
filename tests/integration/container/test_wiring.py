"""Dependencies, what `init` gets, and what collectors collect."""

from __future__ import annotations

from typing import Any

import pytest
from support.container.recorders import A, Absent, B, Maybe, Needs, Recorder, Sender, Sends, failed, lived, refused

from rrpy.container import log
from rrpy.container.config import Config
from rrpy.container.container import Container
from rrpy.container.errors import ConfigError, DependencyError, PluginDisabled
from rrpy.container.log import LogChannel
from rrpy.container.protocols import Collect, Configurer, Logger

pytestmark = pytest.mark.anyio

# What is given to init.


async def test_init_gets_the_configuration_its_channel_and_its_dependencies(story):
    class Asks(Recorder):
        def init(
            self, a: A, config: Configurer, log: Logger, own: Config, channel: LogChannel, b: B | None, n: int = 5
        ) -> None:
            self.got = (a, config, own, log, channel, b, n)

    plugin, a = Asks("asks", story), A("a", story)
    config = Config.from_dict({})
    await lived(Container([plugin, a], config))
    assert plugin.got == (a, config, config, log.logger("asks"), log.logger("asks"), None, 5)


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
    class Bows(Recorder):
        def init(self) -> None:
            raise PluginDisabled("not today")

    container = Container([Bows("bows", story), A("a", story)])
    await lived(container)
    assert container.states == {"bows": "disabled", "a": "stopped"}
    assert story == ["init a", "serve a", "stop a", "end a"]
    (line,) = said("plugin is disabled")
    assert (line["level"], line["plugin"], line["reason"]) == ("debug", "bows", "not today")


async def test_a_circle_is_printed(story):
    class One(Recorder):
        def init(self, two: Two) -> None: ...

    class Two(Recorder):
        def init(self, one: One) -> None: ...

    One.init.__annotations__["two"] = Two
    Two.init.__annotations__["one"] = One
    container = Container([One("one", story), Two("two", story)])
    assert await refused(container) == "plugins need one another in a circle: one -> two -> one"


async def test_two_plugins_of_one_name_are_an_error(story):
    container = Container([A("smtp", story)], optional=[Recorder("smtp", story)])
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
    class Eager(Recorder):
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
    class Collects(Recorder):
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


class Lasts(Recorder):
    def host_stopping(self) -> None:
        self.record("stopping")


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
            self.record("init")

    await lived(Container([Recorder("t", story), A("a", story), Needy("n", story)]))
    assert [word for word in story if word.startswith("serve")] == ["serve a", "serve n", "serve t"]
    assert [word for word in story if word.startswith("end")] == ["end t", "end n", "end a"]


async def test_a_lasting_plugin_that_fails_to_hear_of_the_stop_fails_and_the_others_stop_all_the_same(story):
    class Deaf(Recorder):
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
    class Collects(Recorder):
        def collects(self) -> list[Collect[Any]]:
            raise RuntimeError("no")

    failure = await failed(Container([A("a", story), Collects("c", story)]))
    assert str(failure) == "plugin c failed to collect: RuntimeError: no"
    assert "serve a" not in story


async def test_a_collector_that_refuses_another_is_heard_as_it_says_it(story):
    class Picky(Recorder):
        def collects(self) -> list[Collect[Any]]:
            return [Collect(A, self.refuse)]

        def refuse(self, other: A) -> None:
            raise ConfigError(f"{other.name} does not go with {self.name}")

    with pytest.raises(ConfigError, match=r"^a does not go with p$"):
        await Container([Picky("p", story), A("a", story)]).serve()
