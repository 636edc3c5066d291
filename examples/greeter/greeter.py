"""A complete small plugin: it keeps a list of greetings and serves it on the RPC bus.

Run it from this folder:  rrpy serve -c rr.yaml
Then, in a second terminal:  rrpy rpc greeter.Greet Ann
"""

from __future__ import annotations

from typing import Annotated

import anyio
import msgspec
from anyio.abc import TaskStatus

from rrpy import Configurer, Logger


class GreeterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `greeter` of rr.yaml."""

    greeting: Annotated[str, msgspec.Meta(description="the word before the name")] = "Hello"


class GreeterRPC:
    """The methods `greeter.Greet` and `greeter.History`."""

    def __init__(self, greeting: str, log: Logger) -> None:
        self._greeting = greeting
        self._log = log
        self._history: list[str] = []

    def greet(self, name: str) -> str:
        """Return a greeting for a name."""
        text = f"{self._greeting}, {name}!"
        self._history.append(text)
        self._log.info("greeted", name=name)
        return text

    def history(self) -> list[str]:
        """Return every greeting so far."""
        return self._history


class Greeter:
    """The plugin. Its name is its section, its channel in the log and its service on the RPC bus."""

    name = "greeter"
    config_model = GreeterConfig

    def init(self, config: Configurer, log: Logger) -> None:
        """Read the section. Raises PluginDisabled without one: the host runs without this plugin then."""
        section = config.section(self.name, GreeterConfig)
        self._rpc = GreeterRPC(section.greeting, log)
        self._stopped = anyio.Event()

    def rpc(self) -> GreeterRPC:
        """Return the object whose public methods the RPC bus serves."""
        return self._rpc

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """End `serve`."""
        self._stopped.set()
