"""Everything that is wrong with a configuration, for `rrpy config check`: a host stops at the first one, this goes on.

A section whose plugin says what it holds (`Configured`) is looked at key by key; any other by its plugin's `init`,
which stops at its first error. Nothing is served, and `init` opens nothing, so that a running host is not in the way.
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
    """What was found. `problems`: one sentence each; `plugins`: the names of those that would run, with a section."""

    problems: Sequence[str]
    plugins: Sequence[str]


def models_of(plugins: Iterable[Plugin]) -> dict[str, type[Struct]]:
    """Return the models of the host's own sections and of those plugins that say theirs, by the section's name."""
    said = {each.name: each.config_model for each in plugins if isinstance(each, Configured)}
    return {**HOST_MODELS, **{name: kind for name, kind in said.items() if _is_struct(kind)}}


def check_file(
    path: str | Path, optional: Sequence[Plugin], *, overrides: Sequence[str] = (), dotenv: str | None = None
) -> Report:
    """Check a file as `rrpy serve` reads it. `optional`: the host's own plugins.

    Raises ConfigError for a file that is no configuration at all.
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
    except HostError as error:  # a plugin is none, or they do not fit together
        problems.append(error)
    for problem in problems:
        config.locate(problem, line=True)
    return Report([str(problem) for problem in problems], running)


def _load(config: Config, folder: Path) -> tuple[list[Plugin], list[HostError]]:
    """Return the plugins that can be loaded, and what is wrong with the others."""
    plugins: list[Plugin] = []
    problems: list[HostError] = []
    try:
        specifications = config.plugins
    except ConfigError as error:
        return [], [error]
    for number, specification in enumerate(specifications):
        try:
            plugins.append(load_plugin(specification, folder, f"plugins.{number}"))
        except ConfigError as error:
            problems.append(error)
    return plugins, problems


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
