"""The container: it starts plugins in the order of their dependencies, and stops them in the reverse order.

What we want: a plugin that fails stops the others in order, and the host ends with 1; a signal does the same, and the
host ends with 0; nothing outlives the task group; one grace period for all. What makes it hard: a plugin may fail, or a
signal may come, at any moment of the start and of the stop. What we do: every such moment only sets an event (`_stop`,
a plugin's `settled`, a plugin's `ended`), and one task walks through start, run and stop.
What can still fail: a plugin blocks the event loop, waits for a thread, or swallows its cancellation. Then `Process`
ends the process soon after the grace period; a program with an event loop of its own waits for the plugin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Final

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from .config import Config
from .config.fields import Duration
from .deadline import time_limit
from .errors import FAULTS, HostError, PluginFailed, innermost, named
from .host import Process
from .leaving import PLUGIN
from .log import LogConfig, logger
from .log.format import exception_keys
from .net.listening import check_free
from .protocols import Outermost, Plugin, Reloads, Resets
from .secret_names import add_secret_names
from .states import HOST, HostState, Machine, PluginState
from .version import VERSION
from .wiring import Node, Wiring

START_TIME: Final = 5.0
"""Seconds after which the log names a plugin that has not started."""


class EndureConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of the host."""

    grace_period: Annotated[
        Duration,
        msgspec.Meta(description="for the whole host to stop. After it the host cancels every plugin that still runs."),
    ] = Duration(30)


class _PluginTask:
    """A plugin from the call of its `serve` on; the `task_status` that `serve` gets.

    `settled`: it serves, or it will not. `ended`: its `serve` has returned or raised.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.scope = anyio.CancelScope(shield=True)  # a host that is cancelled stops its plugins in order
        self.settled = anyio.Event()
        self.ended = anyio.Event()

    def started(self, value: None = None) -> None:
        """Called by the plugin once it serves."""
        if self.node.machine.can("started"):
            self.node.machine.on("started")
        self.settled.set()


class Container:
    """A host: plugins, a configuration, one life.

    `plugins`: a missing dependency of one is an error. `optional`: the host's own plugins; one whose section is absent
    is left out. The optional ones start first where dependencies do not decide.
    Raises ConfigError for an object that is not a plugin.
    """

    def __init__(
        self, plugins: Sequence[Plugin], config: Config | None = None, *, optional: Sequence[Plugin] = ()
    ) -> None:
        self._config = config if config is not None else Config.from_dict({})
        add_secret_names(self._config.secrets)
        self._log = logger("host")
        nodes = [Node(each, optional=True) for each in optional] + [Node(each, optional=False) for each in plugins]
        self._wiring = Wiring(nodes, self._config, self._log)
        self._process = Process(self._log)
        self._host = Machine("host", HOST, HostState.NEW)
        self._tasks: list[_PluginTask] = []  # in the order of the start
        self._stop = anyio.Event()
        self._stop_reason = ""
        self._stop_scope: anyio.CancelScope | None = None  # around the grace period
        self._forced = False
        self._failure: HostError | None = None

    @property
    def states(self) -> dict[str, str]:
        """Every plugin's state by its name, in the order of start."""
        return {node.name: node.state.value for node in self._wiring.nodes}

    @property
    def state(self) -> str:
        """The host's own state."""
        return self._host.state.value

    @property
    def unended(self) -> Sequence[str]:
        """The names of the plugins that have begun to serve and not ended, in the order of the start."""
        return [task.node.name for task in self._running()]

    @property
    def modules(self) -> Mapping[str, str]:
        """The names of the plugins by the module of their class."""
        return {type(node.plugin).__module__: node.name for node in self._wiring.nodes}

    def run(self, *, debug: bool = False, silent: bool = False, status: Callable[[str], None] | None = None) -> int:
        """Run until a signal, a failure or `stop`, and return the exit code: 0, or 1 when the end was forced.

        `debug`, `silent`: every channel of the log at level debug, or at errors only. `status`: called with a sentence
        about what the stop waits for. Raises ConfigError and DependencyError before a plugin serves, PluginFailed after
        everything was stopped because a plugin failed. When a plugin or its thread still runs soon after the grace
        period, it ends the process with 1.
        """
        logs = self._config.section_or_default("logs", LogConfig)
        grace_period = self._config.section_or_default("endure", EndureConfig).grace_period
        self._process.run(self, logs, grace_period=grace_period, debug=debug, silent=silent, status=status)
        return 1 if self._forced else 0

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run in an event loop of the caller's, without signals; `task_status.started()` once every plugin serves.

        When it is cancelled it stops the plugins in order first, as for `stop`. Raises what `run` raises.
        """
        endure = self._config.section_or_default("endure", EndureConfig)
        self._host.on("init")
        self._wiring.initialize()
        check_free(self._wiring.addresses())
        async with anyio.create_task_group() as group:
            try:
                await self._start(group, task_status)
                await self._stop.wait()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._stop_all(endure.grace_period)
        self._host.on("finish")
        self._log.info("host stopped")
        if self._failure is not None:
            raise self._failure

    def try_init(self, leave_out: Collection[str] = ()) -> Sequence[HostError]:
        """Initialize the plugins, let them collect, and serve none; return the errors in the order of the start.

        `leave_out`: plugins that count as failed. A plugin that depends on a failed one is left out too. Raises
        DependencyError when the plugins do not fit together. The container cannot run after it.
        """
        return self._wiring.try_initialize(leave_out)

    async def reload(self) -> None:
        """Let every plugin that serves read its files anew."""
        for node in self._serving():
            if isinstance(node.plugin, Reloads):
                try:
                    node.plugin.host_reloading()
                except Exception as error:
                    self._refused(node, "reload", error)

    async def reset(self) -> None:
        """Let every plugin that serves replace the workers that it knows."""
        for node in self._serving():
            if isinstance(node.plugin, Resets):
                try:
                    await node.plugin.host_resetting()
                except Exception as error:
                    self._refused(node, "reset", error)

    def stop(self, reason: str = "asked to") -> None:
        """End gracefully. May be called at any time, more than once, from the loop's thread."""
        if not self._stop.is_set():
            self._stop_reason = reason
            self._stop.set()
            for task in self._tasks:
                task.settled.set()

    def force(self) -> None:
        """End at once: cancel every plugin that still runs."""
        self._forced = True
        self._process.leave_within(0)
        self.stop("forced")
        if self._stop_scope is not None:
            self._stop_scope.cancel()
        for task in self._tasks:
            task.scope.cancel()

    def crash(self, error: BaseException) -> None:
        """End because of an error that no plugin has raised, if none has: SystemExit in a task that nothing awaits."""
        if self._failure is None:
            self._log.error("a task failed", **exception_keys(error))
            self._failure = HostError(f"a task that no plugin awaits raised {named(error, str(error))}")
            self.stop("a task failed")

    # Start.

    async def _start(self, group: TaskGroup, task_status: TaskStatus[None]) -> None:
        self._host.on("serve")
        self._log.debug("host is starting", config=self._config.source)
        for node in self._wiring.nodes:
            if self._stop.is_set():
                return
            if node.machine.can("serve"):
                await self._start_one(node, group)
        if not self._stop.is_set():
            self._host.on("ready")
            serving = [task.node.name for task in self._tasks if task.node.state is PluginState.SERVING]
            self._log.info("host is ready", plugins=serving, version=VERSION, pid=os.getpid())
            if not any(task.node.is_wanted(self._config) for task in self._tasks):
                self._log.warning("no plugin serves: a section of the configuration switches a plugin on")
            self._process.ready(serving)
            task_status.started()

    async def _start_one(self, node: Node, group: TaskGroup) -> None:
        task = _PluginTask(node)
        self._tasks.append(task)
        node.machine.on("serve")
        group.start_soon(self._run_plugin, task, name=f"plugin {node.name}")
        with anyio.move_on_after(START_TIME):
            await task.settled.wait()
        if not task.settled.is_set():
            self._log.warning(
                "the host waits for a plugin: its serve has not called task_status.started()",
                plugin=node.name,
                seconds=START_TIME,
            )
            await task.settled.wait()
        if node.state is PluginState.SERVING:
            self._log.debug("plugin serves", plugin=node.name)

    async def _run_plugin(self, task: _PluginTask) -> None:
        node = task.node
        PLUGIN.set(node.name)
        try:
            with task.scope:
                await node.plugin.serve(task_status=task)
            if node.state is PluginState.STARTING and not self._stop.is_set():
                raise RuntimeError("serve returned without calling task_status.started()")
        except (*FAULTS, BaseExceptionGroup) as error:
            self._fail(task, "serve", error)
        else:
            for event in ("stop", "finish") if node.state is PluginState.STARTING else ("finish",):
                if node.machine.can(event):
                    node.machine.on(event)
        finally:
            task.ended.set()
            task.settled.set()

    def _fail(self, task: _PluginTask, step: str, error: BaseException) -> None:
        """Log what a plugin raised and stop the host; the first failure is the host's."""
        node = task.node
        cause = innermost(error)
        self._config.locate(cause)
        failure = PluginFailed(node.name, step, cause)
        failure.__cause__ = cause
        if node.machine.can("fail"):
            node.machine.on("fail")
        if isinstance(cause, (HostError, OSError)):
            self._log.error("plugin failed", plugin=node.name, step=step, error=str(cause))
        else:
            self._log.error("plugin failed", plugin=node.name, step=step, **exception_keys(cause))
        if self._failure is None:
            self._failure = failure
        self.stop(f"plugin {node.name} failed")

    # Stop.

    async def _stop_all(self, grace_period: Duration) -> None:
        self.stop("cancelled")
        self._host.on("stop")
        self._log.info("host is stopping", reason=self._stop_reason)
        self._process.stopping(self._stop_reason, grace_period)
        with time_limit(0 if self._forced else grace_period) as self._stop_scope:
            self._tell_the_outermost()
            self._process.waits_for(self.unended)
            async with anyio.create_task_group() as stops:
                for task in reversed(self._tasks):
                    stops.start_soon(self._stop_one, task)
        for task in self._running():
            self._log.warning("plugin was cut off", plugin=task.node.name, grace_period=str(grace_period))
            task.scope.cancel()
        for task in self._running():
            await task.ended.wait()

    def _tell_the_outermost(self) -> None:
        for task in self._running():
            if isinstance(task.node.plugin, Outermost):
                try:
                    task.node.plugin.host_stopping()
                except FAULTS as error:
                    self._fail(task, "stop", error)
                    task.scope.cancel()

    async def _stop_one(self, task: _PluginTask) -> None:
        """Stop a plugin after every plugin that depends on it."""
        for other in self._tasks:
            if task.node in other.node.needs:
                await other.ended.wait()
        if task.ended.is_set():
            return
        PLUGIN.set(task.node.name)
        if task.node.state is PluginState.STARTING:
            task.scope.cancel()
        elif task.node.state is PluginState.SERVING:
            task.node.machine.on("stop")
            try:
                await task.node.plugin.stop()
            except (*FAULTS, BaseExceptionGroup) as error:
                self._fail(task, "stop", error)
                task.scope.cancel()
        await task.ended.wait()
        self._log.debug("plugin stopped", plugin=task.node.name)
        self._process.waits_for(self.unended)

    def _serving(self) -> Sequence[Node]:
        return [task.node for task in self._tasks if task.node.state is PluginState.SERVING]

    def _refused(self, node: Node, step: str, error: Exception) -> None:
        """Log that a plugin did not do what a signal asked for; it goes on."""
        self._config.locate(error)
        if isinstance(error, (HostError, OSError)):
            self._log.error("plugin goes on as before", plugin=node.name, step=step, error=str(error))
        else:
            self._log.exception("plugin goes on as before", plugin=node.name, step=step)

    def _running(self) -> Sequence[_PluginTask]:
        return [task for task in self._tasks if not task.ended.is_set()]
