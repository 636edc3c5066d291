"""`rrpy config check`: every error of a configuration. A host stops at the first one; this continues.

It checks a section whose plugin has a model (`Configured`) key by key. It checks any other section by its plugin's
`init`, which stops at its first error. Nothing serves, and `init` opens nothing, so that a check works beside a running
host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import Struct

from ..container.config import Config
from ..container.container import Container, EndureConfig
from ..container.errors import ConfigError, HostError
from ..container.loader import load_plugin
from ..container.log import LogConfig
from ..container.protocols import Configured, Plugin

HOST_MODELS: Final[Mapping[str, type[Struct]]] = {"logs": LogConfig, "endure": EndureConfig}
"""The host's own sections that are mappings."""


class Report(NamedTuple):
    """The result of a check. `problems`: one sentence each; `plugins`: the names of those that would run."""

    problems: Sequence[str]
    plugins: Sequence[str]


def models_of(plugins: Iterable[Plugin]) -> dict[str, type[Struct]]:
    """Return the models of the host's own sections and of the plugins that have one, by the section's name."""
    models = {each.name: each.config_model for each in plugins if isinstance(each, Configured)}
    return {**HOST_MODELS, **{name: kind for name, kind in models.items() if _is_struct(kind)}}


def check_file(
    path: str | Path, optional: Sequence[Plugin], *, overrides: Sequence[str] = (), dotenv: str | None = None
) -> Report:
    """Check a file as `rrpy serve` reads it. `optional`: the host's own plugins.

    Raises ConfigError for a file that cannot be read as a configuration.
    """
    return check(Config.load(path, overrides=overrides, dotenv=dotenv), Path(path).parent, optional)


def check(config: Config, folder: Path, optional: Sequence[Plugin]) -> Report:
    """Check every section, then initialise every plugin whose section is right.

    `folder`: the configuration file's; `optional`: the host's own plugins. Each problem says the line of its key, where
    the file has it.
    """
    plugins, problems = _load(config, folder)
    if not problems:  # a section may be that of a plugin which cannot be loaded
        problems += config.unknown_sections([each.name for each in (*plugins, *optional)])
    wrong: set[str] = set()
    for name, model in models_of((*optional, *plugins)).items():
        if config.has(name) and (found := config.problems(name, model)):
            problems += found
            wrong.add(name)
    running: list[str] = []
    try:
        container = Container(plugins, config, optional=optional)
        problems += container.try_init(leave_out=wrong)
        running += [name for name, state in container.states.items() if state == "initialized" and config.has(name)]
    except HostError as error:  # an object is not a plugin, or the plugins do not fit together
        problems.append(error)
    for problem in problems:
        config.locate(problem, line=True)
    return Report([str(problem) for problem in problems], running)


def _load(config: Config, folder: Path) -> tuple[list[Plugin], list[HostError]]:
    """Return the plugins that can be loaded, and the errors of the others."""
    plugins: list[Plugin] = []
    problems: list[HostError] = []
    try:
        _ = config.secrets
    except ConfigError as error:
        problems.append(error)
    try:
        specifications = config.plugins
    except ConfigError as error:
        return [], [*problems, error]
    for number, specification in enumerate(specifications):
        try:
            plugins.append(load_plugin(specification, folder, f"plugins.{number}"))
        except ConfigError as error:
            problems.append(error)
    return plugins, problems


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
