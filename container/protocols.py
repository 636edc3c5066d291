"""The contracts between the host and its plugins: small Protocols. A plugin need not inherit from them.

A plugin is an object with a `name` and three steps:

    class Greeter:
        name = "greeter"

        def init(self, config: Configurer, log: Logger) -> None: ...
        async def serve(self, *, task_status: TaskStatus[None]) -> None: ...
        async def stop(self) -> None: ...

The annotated types of `init` name its dependencies. Every other method (`rpc()`, `collects()`, ...) is optional.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from anyio.abc import TaskStatus
from msgspec import Struct

T = TypeVar("T")


@runtime_checkable
class Plugin(Protocol):
    """A part of the host with a life of its own.

    `name` is the plugin's section in rr.yaml, its channel in the log and its service on the RPC bus.
    """

    name: str

    @property
    def init(self) -> Callable[..., None]:
        """Read and check the configuration, and take the dependencies, found by the parameters' annotated types.

        Synchronous, opens nothing. Raises PluginDisabled to be left out, ConfigError for a wrong section.
        """
        ...

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until stopped, in the container's task group.

        Calls `task_status.started()` once it serves (its sockets are bound). An exception stops the host.
        Returns after `stop` was called. When it returns earlier, the plugin has finished and the host goes on.
        """
        ...

    async def stop(self) -> None:
        """End gracefully: after it returns, `serve` returns too. Cancelled when the grace period ends."""
        ...


@runtime_checkable
class Configurer(Protocol):
    """The configuration, for a plugin."""

    @property
    def source(self) -> str:
        """The name of the configuration's file, for messages."""
        ...

    def has(self, name: str) -> bool:
        """Return whether the configuration has this top-level section (an empty one counts)."""
        ...

    def section(self, name: str, model: type[T]) -> T:
        """Return the section decoded as `model`, a msgspec Struct; an empty section gives the model's defaults.

        Raises PluginDisabled when the section is absent, ConfigError (with the key's full path) when it is wrong.
        """
        ...

    def masked(self) -> dict[str, Any]:
        """Return the whole configuration with every secret replaced by `***`."""
        ...


@runtime_checkable
class Logger(Protocol):
    """A channel of the log, under the plugin's name. A line is an event: a constant message, and keys."""

    def debug(self, message: str, /, **keys: object) -> None:
        """Log a detail that helps to find a fault."""
        ...

    def info(self, message: str, /, **keys: object) -> None:
        """Log an event that an operator wants to see."""
        ...

    def warning(self, message: str, /, **keys: object) -> None:
        """Log an event that an operator should look at."""
        ...

    def error(self, message: str, /, **keys: object) -> None:
        """Log a failure."""
        ...

    def exception(self, message: str, /, **keys: object) -> None:
        """Log a failure, with the traceback of the exception being handled."""
        ...

    def enabled(self, level: str) -> bool:
        """Return whether a line of this level (`DEBUG`, `INFO`, ...) would be written, for a caller on a hot path."""
        ...


@runtime_checkable
class Configured(Protocol):
    """A plugin with a model of its section, so that `rrpy config` can check all of it and describe it to an editor.

    `config_model`: the msgspec Struct as which its `init` reads the section. The first line of its docstring says what
    the section is, and `Annotated[..., msgspec.Meta(description=...)]` what a key means.
    """

    config_model: type[Struct]


class Collect(NamedTuple, Generic[T]):
    """One kind of plugin that `collects()` asks for: `add` is called with every other plugin that satisfies `protocol`.

    `outlive`: they start before the plugin that collects them, and stop after it; without it the order is free.
    """

    protocol: type[T]
    add: Callable[[T], None]
    outlive: bool = False


@runtime_checkable
class Collector(Protocol):
    """A plugin that uses the others of a kind (the RPC server: those that serve methods).

    It gets them after every plugin's `init` and before the first `serve`, in the order of the start.
    """

    def collects(self) -> Sequence[Collect[Any]]:
        """Return the kinds to collect. Called once, before `init`."""
        ...


@runtime_checkable
class Outermost(Protocol):
    """A plugin that starts before the others and stops after them, such as one that answers health checks.

    What it depends on itself, by `init` or by an `outlive`, starts before it all the same.
    """

    def host_stopping(self) -> None:
        """Called when the host begins to stop. `stop` is called after the others have ended."""
        ...


@runtime_checkable
class Reloads(Protocol):
    """A plugin that reads its files anew when the host gets SIGHUP: a certificate, say."""

    def host_reloading(self) -> None:
        """Called while the plugin serves. It logs what it has read. What it raises is logged, and changes nothing."""
        ...


@runtime_checkable
class Resets(Protocol):
    """A plugin that replaces workers when the host gets SIGUSR2."""

    async def host_resetting(self) -> None:
        """Called while the plugin serves. What it raises is logged."""
        ...


@runtime_checkable
class JobPipelines(Protocol):
    """A plugin with pipelines of jobs, for `informer.Jobs` and for `/jobs` of the plugin `status`."""

    def job_pipelines(self) -> Sequence[Any]:
        """Return the state of each pipeline, with RoadRunner's keys."""
        ...
