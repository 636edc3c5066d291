"""Plugins that record what happens to them, and the life of a container with them."""

from __future__ import annotations

from typing import Any, Protocol

import anyio
import pytest
from support.waiting import TIMEOUT

from rrpy.container.config import Config
from rrpy.container.container import Container
from rrpy.container.errors import DependencyError, PluginFailed
from rrpy.container.protocols import Configurer


class Recorder:
    """A plugin that tells what happens to it, in a story that all share."""

    def __init__(self, name: str, story: list[str]) -> None:
        self.name = name
        self.story = story
        self.end = anyio.Event()

    def record(self, word: str) -> None:
        self.story.append(f"{word} {self.name}")

    def init(self) -> None:
        self.record("init")

    async def serve(self, *, task_status: Any) -> None:
        self.record("serve")
        task_status.started()
        await self.end.wait()
        self.record("end")

    async def stop(self) -> None:
        self.record("stop")
        self.end.set()


class A(Recorder):
    pass


class B(Recorder):
    def init(self, a: A) -> None:
        self.record("init")
        self.a = a


class C(Recorder):
    def init(self, b: B) -> None:
        self.record("init")


class Silent(Recorder):
    """It never gets to serve."""

    async def serve(self, *, task_status: Any) -> None:
        self.record("serve")
        try:
            await anyio.sleep_forever()
        finally:
            self.record("cancelled")


class Deaf(Recorder):
    """Its stop never ends."""

    async def stop(self) -> None:
        self.record("stop")
        try:
            await anyio.sleep_forever()
        finally:
            self.record("cut off")


class Failing(Recorder):
    """It raises `error` in the step `where`: init, serve (before started), run (after it), stop, late (in the stop)."""

    def __init__(self, name: str, story: list[str], where: str, error: BaseException) -> None:
        super().__init__(name, story)
        self.where = where
        self.error = error

    def at(self, where: str) -> None:
        if self.where == where:
            raise self.error

    def init(self) -> None:
        self.record("init")
        self.at("init")

    async def serve(self, *, task_status: Any) -> None:
        self.record("serve")
        self.at("serve")
        task_status.started()
        self.at("run")
        await self.end.wait()
        self.at("late")

    async def stop(self) -> None:
        self.record("stop")
        self.at("stop")
        self.end.set()


class Sender(Protocol):
    def send(self) -> None: ...


class Needs(Recorder):
    def init(self, sender: Sender) -> None:
        self.record("init")


class Maybe(Recorder):
    def init(self, sender: Sender | None) -> None:
        self.record(f"init with {sender}")


class Sends(Recorder):
    def send(self) -> None: ...


class Absent(Sends):
    def init(self, config: Configurer) -> None:
        config.section(self.name, dict)


async def refused(container: Container) -> str:
    with pytest.raises(DependencyError) as caught:
        await container.serve()
    assert caught.value.exit_code == 2
    return str(caught.value)


async def lived(container: Container) -> None:
    """Run a container until every plugin serves, then stop it."""
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            container.stop()


async def failed(container: Container) -> PluginFailed:
    with anyio.fail_after(TIMEOUT), pytest.raises(PluginFailed) as caught:
        await container.serve()
    return caught.value


def grace(period: Any, **more: Any) -> Config:
    return Config.from_dict({"endure": {"grace_period": period}, **more})
