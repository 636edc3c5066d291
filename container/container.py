"""The container: it brings plugins up in the order of their needs, and down in the reverse of it.

What we want: a plugin that fails brings the others down in order and the host ends with 1; a signal does the same and
it ends with 0; nothing outlives the task group; one grace period for all. What makes it hard: a plugin may fail, or a
signal may come, at any moment of the start and of the stop. What we do: everything that happens only sets an event
(`stop`, a plugin's `settled`, a plugin's `ended`), and one task walks through start, run and stop.
What can still fail: a plugin that blocks the event loop, or swallows its cancellation, holds the host until a third
signal.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Collection, Sequence
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from ..container import log
from .config import Config
from .config.fields import Duration
from .errors import ConfigError, DependencyError, HostError, PluginDisabled, PluginFailed
from .graph import start_order
from .injection import Wish, satisfies, type_name, wishes
from .log import Channel, LogConfig, logger
from .net.activation import PASSED
from .notify import Notifier
from .protocols import Collect, Collector, Configurer, Lasting, Logger, Plugin
from .signals import LAST, Signals
from .states import HOST, PLUGIN, HostState, Machine, PluginState
from .version import VERSION


class EndureConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of the host. `grace_period`: for the whole host to stop."""

    grace_period: Duration = Duration(30)


class _Node:
    """A plugin and where it is."""

    def __init__(self, plugin: Plugin, *, optional: bool) -> None:
        self.plugin = plugin
        self.name = plugin.name
        self.optional = optional
        self.machine = Machine(f"plugin {plugin.name}", PLUGIN, PluginState.REGISTERED)
        self.wishes: list[Wish] = []
        self.providers: dict[str, _Node] = {}
        self.collects: Sequence[Collect[Any]] = ()
        self.needs: list[_Node] = []  # that start before it, and stop after it
        self.scope: anyio.CancelScope  # made in `serve`: a scope needs a running loop
        self.settled = anyio.Event()
        self.ended = anyio.Event()

    @property
    def state(self) -> PluginState:
        return self.machine.state

    def __str__(self) -> str:
        return self.name

    def started(self, value: None = None) -> None:
        """Be told by the plugin that it really serves: this is its `task_status`."""
        if self.machine.can("started"):
            self.machine.on("started")
        self.settled.set()


class Container:
    """A host: plugins, a configuration, one life.

    `plugins` are asked for: one whose dependency is missing is an error. `optional` ones, the host's own set, are left
    out when their section is absent. Among those that need nothing of each other, the optional ones start first.
    """

    def __init__(
        self, plugins: Sequence[Plugin], config: Config | None = None, *, optional: Sequence[Plugin] = ()
    ) -> None:
        self._config = config if config is not None else Config.from_dict({})
        self._nodes = [_Node(_checked(each), optional=True) for each in optional]
        self._nodes += [_Node(_checked(each), optional=False) for each in plugins]
        self._host = Machine("host", HOST, HostState.NEW)
        self._log = logger("host")
        self._order: list[_Node] = []
        self._failure: PluginFailed | None = None
        self._stop = anyio.Event()
        self._reason = ""
        self._stopping: anyio.CancelScope  # made in `serve`, like the plugins'
        self._forced = False
        self._unclean = False
        self._systemd = Notifier("")

    @property
    def states(self) -> dict[str, str]:
        """Every plugin's state by its name, in the order of start."""
        return {node.name: node.state.value for node in self._order or self._nodes}

    @property
    def state(self) -> str:
        """The host's own state."""
        return self._host.state.value

    def run(self, *, debug: bool = False, silent: bool = False) -> int:
        """Run until a signal, a failure or `stop`, and return the exit code.

        0: stopped; 1: it was forced to an end, or something went wrong at the stop.
        `debug`, `silent`: every channel of the log at level debug, or at errors only. Raises ConfigError and
        DependencyError before anything ran, PluginFailed after everything was stopped because a plugin failed.
        """
        section = self._config.section_or_default("logs", LogConfig)
        try:
            log.configure(section, debug=debug, silent=silent)
            PASSED.receive(os.environ)
            self._systemd = Notifier.take(os.environ)
            self._systemd.warn_on(self._log)
            with Signals(self._heed) as signals:
                anyio.run(self._main, signals, backend_options={"use_uvloop": _has_uvloop()})
        finally:
            log.close()
        return 1 if self._unclean or self._forced else 0

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run inside a loop that runs already, without signals; `task_status.started()` when every plugin serves.

        When it is cancelled it stops the plugins in order first, as for `stop`. Raises what `run` raises.
        """
        endure = self._config.section_or_default("endure", EndureConfig)
        self._initialize()
        self._stopping = anyio.CancelScope()
        for node in self._order:
            node.scope = anyio.CancelScope(shield=True)  # a host that is cancelled stops its plugins, in order
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
        """Initialise the plugins, let them collect, and serve none; return the errors, in the order of the start.

        `leave_out`: plugins that count as failed. What needs one that failed is left out too. Raises
        DependencyError when the plugins do not fit together. The container cannot be run after it.
        """
        failed: list[HostError] = []
        for node in self._in_order():
            needed = [node.providers.get(wish.parameter) for wish in node.wishes if not wish.optional]
            if node.name in leave_out or any(each and each.state is PluginState.FAILED for each in needed):
                node.machine.on("fail")
                continue
            try:
                self._initialize_one(node)
            except HostError as error:
                failed.append(error)
        for node in self._alive():
            try:
                self._collect_for(node)
            except HostError as error:
                failed.append(error)
        return failed

    def stop(self, reason: str = "asked to") -> None:
        """Ask for a graceful end. May be called at any time, more than once, from the loop's thread."""
        if not self._stop.is_set():
            self._reason = reason
            self._stop.set()
            for node in self._order:
                node.settled.set()

    def force(self) -> None:
        """End at once: whatever still runs is cancelled."""
        self._forced = True
        self.stop("forced")
        if self._host.state not in (HostState.NEW, HostState.INITIALIZING):
            self._stopping.cancel()
            for node in self._order:
                node.scope.cancel()

    # Signals.

    async def _main(self, signals: Signals) -> None:
        signals.deliver()
        async with anyio.create_task_group() as group:
            group.start_soon(self._systemd.watch, name="systemd's watchdog")
            try:
                await self.serve()
            except HostError as error:
                failure: HostError | None = error
            else:
                failure = None
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def _heed(self, number: signal.Signals, count: int) -> None:
        if count == 1:
            self.stop(number.name)
        elif count < LAST:
            self._log.warning("a second signal: stopping at once", signal=number.name)
            self.force()
        else:
            log.close()
            os._exit(1)

    # Init.

    def _initialize(self) -> None:
        self._host.on("init")
        self._config.check_sections([node.name for node in self._nodes])
        for node in self._in_order():
            self._initialize_one(node)
        for node in self._alive():
            self._collect_for(node)

    def _in_order(self) -> Sequence[_Node]:
        names = [node.name for node in self._nodes]
        for name in names:
            if names.count(name) > 1:
                raise DependencyError(
                    f"two plugins are called {name}; a plugin's name is its section, so it must be its own"
                )
        for node in self._nodes:
            node.wishes = wishes(node.plugin)
            self._find_providers(node)
            self._ask_for_collects(node)
        self._put_the_lasting_around_the_others()
        self._order = start_order(self._nodes, {node: node.needs for node in self._nodes})
        return self._order

    def _find_providers(self, node: _Node) -> None:
        for wish in node.wishes:
            if _injected(wish.kind) is not None:
                continue
            found = [other for other in self._nodes if other is not node and satisfies(other.plugin, wish.kind)]
            if len(found) > 1:
                several = ", ".join(map(str, found))
                raise DependencyError(
                    f"plugin {node.name} needs one {type_name(wish.kind)}, but there are several: {several}"
                )
            if found:
                node.providers[wish.parameter] = found[0]
                node.needs.append(found[0])

    def _ask_for_collects(self, node: _Node) -> None:
        if not isinstance(node.plugin, Collector):
            return
        try:
            node.collects = node.plugin.collects()
            for wish in node.collects:
                if wish.outlive:
                    node.needs += [
                        each for each in self._nodes if each is not node and satisfies(each.plugin, wish.protocol)
                    ]
        except (Exception, SystemExit) as error:
            self._log.exception("plugin failed", plugin=node.name, step="collect")
            raise PluginFailed(node.name, "collect", error) from error

    def _put_the_lasting_around_the_others(self) -> None:
        lasting = [node for node in self._nodes if isinstance(node.plugin, Lasting)]
        earlier = list(lasting)  # these, and what they need themselves
        for node in earlier:
            earlier += [need for need in node.needs if need not in earlier]
        for node in self._nodes:
            if node not in earlier:
                node.needs += lasting

    def _initialize_one(self, node: _Node) -> None:
        arguments: dict[str, Any] = {}
        for wish in node.wishes:
            provider = node.providers.get(wish.parameter)
            if _injected(wish.kind) is not None:
                arguments[wish.parameter] = self._config if _injected(wish.kind) == "config" else logger(node.name)
            elif provider is not None and provider.state is PluginState.INITIALIZED:
                arguments[wish.parameter] = provider.plugin
            elif wish.optional:
                arguments[wish.parameter] = None
            elif node.optional and not self._config.has(node.name):
                self._disable(node, "its section and a plugin that it needs are absent")
                return
            else:
                node.machine.on("fail")
                raise DependencyError(self._missing(node, wish, provider))
        try:
            node.plugin.init(**arguments)
        except PluginDisabled as reason:
            self._disable(node, str(reason))
        except HostError as error:
            node.machine.on("fail")
            raise self._config.blamed(error) from error.__cause__
        except (Exception, SystemExit) as error:  # a plugin does not end the host
            node.machine.on("fail")
            self._log.exception("plugin failed", plugin=node.name, step="init")
            raise PluginFailed(node.name, "init", error) from error
        else:
            node.machine.on("init")

    def _missing(self, node: _Node, wish: Wish, provider: _Node | None) -> str:
        text = f"plugin {node.name} needs {type_name(wish.kind)}"
        if provider is None:
            return f"{text}, which no plugin provides"
        return f"{text} of plugin {provider}, which is disabled; add the section {provider} to {self._config.source}"

    def _disable(self, node: _Node, reason: str) -> None:
        node.machine.on("disable")
        self._log.debug("plugin is disabled", plugin=node.name, reason=reason)

    def _alive(self) -> Sequence[_Node]:
        return [node for node in self._order if node.state is PluginState.INITIALIZED]

    def _collect_for(self, node: _Node) -> None:
        try:
            for wish in node.collects:
                for other in self._alive():
                    if other is not node and satisfies(other.plugin, wish.protocol):
                        wish.add(other.plugin)
        except HostError:
            raise
        except (Exception, SystemExit) as error:
            self._log.exception("plugin failed", plugin=node.name, step="collect")
            raise PluginFailed(node.name, "collect", error) from error

    # Serve.

    async def _start(self, group: TaskGroup, task_status: TaskStatus[None]) -> None:
        self._host.on("serve")
        self._log.debug("host is starting", config=self._config.source)
        for node in self._order:
            if self._stop.is_set():
                return
            if node.machine.can("serve"):
                node.machine.on("serve")
                group.start_soon(self._run_plugin, node, name=f"plugin {node.name}")
                await node.settled.wait()
                if node.state is PluginState.SERVING:
                    self._log.debug("plugin serves", plugin=node.name)
        if not self._stop.is_set():
            self._host.on("ready")
            serving = [node.name for node in self._order if node.state is PluginState.SERVING]
            self._log.info("host is ready", plugins=serving, version=VERSION, pid=os.getpid())
            for name in PASSED.unused:
                self._log.warning("a socket of systemd's is not used", name=name, address=f"systemd:{name}")
            self._systemd.send(READY=1, STATUS=f"serving: {', '.join(serving)}")
            task_status.started()

    async def _run_plugin(self, node: _Node) -> None:
        try:
            with node.scope:
                await node.plugin.serve(task_status=node)
            if node.state is PluginState.STARTING and not self._stop.is_set():
                raise RuntimeError("serve returned without calling task_status.started()")
        except Exception as error:
            self._fail(node, "serve", error)
        else:
            for event in ("stop", "finish") if node.state is PluginState.STARTING else ("finish",):
                if node.machine.can(event):
                    node.machine.on(event)
        finally:
            node.ended.set()
            node.settled.set()

    def _fail(self, node: _Node, step: str, error: Exception) -> None:
        """Take down what a plugin raised: it is logged, the first of them is the host's, and everything stops."""
        cause = _cause(error)
        failure = PluginFailed(node.name, step, cause)
        failure.__cause__ = cause
        if node.machine.can("fail"):
            node.machine.on("fail")
        if isinstance(cause, (HostError, OSError)):
            self._log.error("plugin failed", plugin=node.name, step=step, error=str(cause))
        else:
            # The cause is being handled by our caller, so the log finds its traceback.
            self._log.exception("plugin failed", plugin=node.name, step=step)
        self._unclean = True
        if self._failure is None:
            self._failure = failure
        self.stop(f"plugin {node.name} failed")

    # Stop.

    async def _stop_all(self, grace: float) -> None:
        self.stop("cancelled")
        self._host.on("stop")
        self._log.info("host is stopping", reason=self._reason)
        self._systemd.send(STOPPING=1, STATUS=f"stopping: {self._reason}")
        with self._stopping, anyio.move_on_after(grace):
            self._tell_of_the_stop()
            async with anyio.create_task_group() as stops:
                for node in reversed(self._order):
                    stops.start_soon(self._stop_one, node)
        for node in self._running():
            self._log.warning("plugin was cut off", plugin=node.name, grace_period=str(grace))
            node.scope.cancel()
        for node in self._running():
            await node.ended.wait()

    def _tell_of_the_stop(self) -> None:
        for node in self._running():
            if isinstance(node.plugin, Lasting):
                try:
                    node.plugin.stopping()
                except Exception as error:
                    self._fail(node, "stop", error)
                    node.scope.cancel()

    async def _stop_one(self, node: _Node) -> None:
        """Stop a plugin when everything that depends on it has stopped."""
        for other in self._order:
            if node in other.needs and other in self._running():
                await other.ended.wait()
        if node not in self._running():
            return
        if node.state is PluginState.STARTING:
            node.scope.cancel()
        elif node.state is PluginState.SERVING:
            node.machine.on("stop")
            try:
                await node.plugin.stop()
            except Exception as error:
                self._fail(node, "stop", error)
                node.scope.cancel()
        await node.ended.wait()
        self._log.debug("plugin stopped", plugin=node.name)

    def _running(self) -> list[_Node]:
        idle = (PluginState.REGISTERED, PluginState.DISABLED, PluginState.INITIALIZED)
        return [node for node in self._order if node.state not in idle and not node.ended.is_set()]


def _injected(kind: Any) -> str | None:
    """Say what the container itself gives for a type."""
    if kind in (Configurer, Config):
        return "config"
    return "log" if kind in (Logger, Channel) else None


def _checked(plugin: Any) -> Plugin:
    """Return a plugin that has every part of one. Raises ConfigError naming what is missing."""
    missing = [part for part in ("init", "serve", "stop") if not callable(getattr(plugin, part, None))]
    if not isinstance(getattr(plugin, "name", None), str) or not plugin.name:
        missing.insert(0, "name")
    if missing:
        raise ConfigError(f"{type(plugin).__name__} is no plugin: it has no {', '.join(missing)}")
    if inspect.iscoroutinefunction(plugin.init):
        raise ConfigError(f"plugin {plugin.name}: its init is async; init only reads and checks, and serve may wait")
    checked: Plugin = plugin
    return checked


def _cause(error: Exception) -> Exception:
    """Return the one exception inside groups of one."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401 - looked for, not used
    except ImportError:
        return False
    return True
