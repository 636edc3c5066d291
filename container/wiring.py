"""How plugins fit together: what each depends on, the order of the start, `init`, and what collectors collect.

Everything here happens before a plugin serves, and opens nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from .config import Config
from .errors import FAULTS, ConfigError, DependencyError, HostError, PluginDisabled, PluginFailed, SectionAbsent
from .graph import start_order
from .injection import Dependency, dependencies, satisfies, type_name
from .log import LogChannel, logger
from .net.listening import Addresses, Listening
from .protocols import Collect, Collector, Configurer, Logger, Outermost, Plugin
from .states import PLUGIN, Machine, PluginState


class Node:
    """A plugin, its state, and its place among the others.

    `optional`: without its section the plugin is left out when a dependency of it is absent.
    `providers`: the plugin that each parameter of `init` gets, as far as there is one.
    `needs`: the nodes that start before this one, and stop after it.
    Raises ConfigError for an object that is not a plugin.
    """

    def __init__(self, plugin: Plugin, *, optional: bool) -> None:
        _check_plugin(plugin)
        self.plugin = plugin
        self.name = plugin.name
        self.optional = optional
        self.machine = Machine(f"plugin {plugin.name}", PLUGIN, PluginState.REGISTERED)
        self.dependencies: Sequence[Dependency] = ()
        self.providers: dict[str, Node] = {}
        self.collects: Sequence[Collect[Any]] = ()
        self.needs: list[Node] = []

    @property
    def state(self) -> PluginState:
        """The plugin's state."""
        return self.machine.state

    def is_wanted(self, config: Config) -> bool:
        """Return whether the configuration asks for this plugin: by its section, or in `plugins`."""
        return not self.optional or config.has(self.name)

    def __str__(self) -> str:
        return self.name


class Wiring:
    """The plugins of one host. `nodes`: in the order given; after `connect` in the order of the start.

    `log`: the host's channel.
    """

    def __init__(self, nodes: Iterable[Node], config: Config, log: Logger) -> None:
        self.nodes = list(nodes)
        self._config = config
        self._log = log

    def initialize(self) -> None:
        """Call every plugin's `init`, then let the collectors collect. Raises HostError at the first error."""
        self._config.check_sections([node.name for node in self.nodes])
        self.connect()
        for node in self.nodes:
            self._initialize_one(node)
        for node in self._initialized():
            self._collect_for(node)

    def try_initialize(self, leave_out: Collection[str]) -> list[HostError]:
        """Do the same, and return the errors instead of raising the first. Raises what `connect` raises.

        `leave_out`: plugins that count as failed. A plugin that depends on a failed one is left out too.
        """
        self.connect()
        errors: list[HostError] = []
        for node in self.nodes:
            required = [node.providers.get(each.parameter) for each in node.dependencies if not each.optional]
            if node.name in leave_out or any(each and each.state is PluginState.FAILED for each in required):
                node.machine.on("fail")
                continue
            try:
                self._initialize_one(node)
            except HostError as error:
                errors.append(error)
        for node in self._initialized():
            try:
                self._collect_for(node)
            except HostError as error:
                errors.append(error)
        return errors

    def addresses(self) -> Iterator[Addresses]:
        """Yield the addresses that the initialized plugins will listen on."""
        for node in self._initialized():
            if isinstance(node.plugin, Listening):
                yield from node.plugin.listens()

    def connect(self) -> None:
        """Find every plugin's dependencies and put the nodes into the order of the start.

        Raises DependencyError when the plugins do not fit together, PluginFailed when a `collects()` raises.
        """
        names = [node.name for node in self.nodes]
        for name in names:
            if names.count(name) > 1:
                raise DependencyError(
                    f"two plugins are called {name}; a plugin's name is its section, so it must be its own"
                )
        for node in self.nodes:
            self._find_providers(node)
            self._ask_for_collects(node)
        self._put_the_outermost_first()
        self.nodes = start_order(self.nodes, {node: node.needs for node in self.nodes})

    def _find_providers(self, node: Node) -> None:
        node.dependencies = dependencies(node.plugin)
        for dependency in node.dependencies:
            if _is_config(dependency.kind) or _is_log(dependency.kind):
                continue
            found = self._others_of(node, dependency.kind)
            if len(found) > 1:
                several = ", ".join(map(str, found))
                raise DependencyError(
                    f"plugin {node.name} needs one {type_name(dependency.kind)}, but there are several: {several}"
                )
            if found:
                node.providers[dependency.parameter] = found[0]
                node.needs.append(found[0])

    def _ask_for_collects(self, node: Node) -> None:
        if not isinstance(node.plugin, Collector):
            return
        try:
            node.collects = node.plugin.collects()
            for collect in node.collects:
                if collect.outlive:
                    node.needs += self._others_of(node, collect.protocol)
        except FAULTS as error:
            self._log.exception("plugin failed", plugin=node.name, step="collect")
            raise PluginFailed(node.name, "collect", error) from error

    def _put_the_outermost_first(self) -> None:
        outermost = [node for node in self.nodes if isinstance(node.plugin, Outermost)]
        earlier = list(outermost)  # these, and their own dependencies
        for node in earlier:
            earlier += [need for need in node.needs if need not in earlier]
        for node in self.nodes:
            if node not in earlier:
                node.needs += outermost

    def _initialize_one(self, node: Node) -> None:
        arguments: dict[str, Any] = {}
        for dependency in node.dependencies:
            provider = node.providers.get(dependency.parameter)
            if _is_config(dependency.kind):
                arguments[dependency.parameter] = self._config
            elif _is_log(dependency.kind):
                arguments[dependency.parameter] = logger(node.name)
            elif provider is not None and provider.state is PluginState.INITIALIZED:
                arguments[dependency.parameter] = provider.plugin
            elif dependency.optional:
                arguments[dependency.parameter] = None
            elif node.optional and not self._config.has(node.name):
                self._disable(node, "its section and a plugin that it needs are absent")
                return
            else:
                node.machine.on("fail")
                raise DependencyError(self._missing(node, dependency, provider))
        self._call_init(node, arguments)

    def _call_init(self, node: Node, arguments: dict[str, Any]) -> None:
        try:
            node.plugin.init(**arguments)
        except PluginDisabled as reason:
            self._disable(node, str(reason), forgotten=isinstance(reason, SectionAbsent) and not node.optional)
        except HostError as error:
            node.machine.on("fail")
            self._config.locate(error)
            raise
        except FAULTS as error:  # a plugin does not end the host
            node.machine.on("fail")
            self._log.exception("plugin failed", plugin=node.name, step="init")
            raise PluginFailed(node.name, "init", error) from error
        else:
            node.machine.on("init")

    def _missing(self, node: Node, dependency: Dependency, provider: Node | None) -> str:
        text = f"plugin {node.name} needs {type_name(dependency.kind)}"
        if provider is None:
            return f"{text}, which no plugin provides"
        return f"{text} of plugin {provider}, which is disabled; add the section {provider} to {self._config.source}"

    def _disable(self, node: Node, reason: str, *, forgotten: bool = False) -> None:
        """Leave a plugin out. `forgotten`: `plugins` names it, so its section is most likely missing by mistake."""
        node.machine.on("disable")
        write = self._log.warning if forgotten else self._log.debug
        write("plugin is disabled", plugin=node.name, reason=reason)

    def _collect_for(self, node: Node) -> None:
        try:
            for collect in node.collects:
                for other in self._others_of(node, collect.protocol):
                    if other.state is PluginState.INITIALIZED:
                        collect.add(other.plugin)
        except HostError:
            raise
        except FAULTS as error:
            self._log.exception("plugin failed", plugin=node.name, step="collect")
            raise PluginFailed(node.name, "collect", error) from error

    def _initialized(self) -> Sequence[Node]:
        return [node for node in self.nodes if node.state is PluginState.INITIALIZED]

    def _others_of(self, node: Node, kind: Any) -> Sequence[Node]:
        """Return the other plugins of a kind."""
        return [other for other in self.nodes if other is not node and satisfies(other.plugin, kind)]


def _is_config(kind: Any) -> bool:
    return kind in (Configurer, Config)


def _is_log(kind: Any) -> bool:
    return kind in (Logger, LogChannel)


def _check_plugin(plugin: Any) -> None:
    """Raise ConfigError, naming what is missing, for an object that is not a plugin."""
    missing = [part for part in ("init", "serve", "stop") if not callable(getattr(plugin, part, None))]
    if not isinstance(getattr(plugin, "name", None), str) or not plugin.name:
        missing.insert(0, "name")
    if missing:
        raise ConfigError(f"{type(plugin).__name__} is not a plugin: it has no {', '.join(missing)}")
    for step in ("serve", "stop"):
        if not inspect.iscoroutinefunction(inspect.unwrap(getattr(plugin, step))):
            raise ConfigError(f"plugin {plugin.name}: its {step} is not async; write `async def {step}`")
    if inspect.iscoroutinefunction(plugin.init):
        raise ConfigError(f"plugin {plugin.name}: its init is async; init only reads and checks, and serve may wait")
