"""Everything that is wrong with a configuration, for `rrpy config check`: a host stops at the first one, this goes on.

A section whose plugin says what it holds (`Configured`) is looked at key by key; any other by its plugin's `init`,
which stops at its first error. Nothing is served, and `init` opens nothing, so that a running host is not in the way.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import fields

from ..container.config import Config
from ..container.config.blame import with_line
from ..container.config.config import options_of, unknown_key
from ..container.container import Container, EndureConfig
from ..container.errors import ConfigError, HostError
from ..container.loader import load_plugins
from ..container.log import LogConfig
from ..container.protocols import Configured, Plugin

HOST_MODELS: Final[Mapping[str, type[Struct]]] = {"logs": LogConfig, "endure": EndureConfig}
"""The host's own sections that are mappings."""

_UNKNOWN: Final = object()


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
    """Check a file as `rrpy serve` reads it; each problem says its line, where the file has the key.

    `optional`: the host's own plugins. Raises ConfigError for a file that is no configuration at all.
    """
    config = Config.load(path, overrides=overrides, dotenv=dotenv)
    problems, plugins = check(config, Path(path).parent, optional)
    lines = config.lines()
    return Report([with_line(problem, str(path), lines) for problem in problems], plugins)


def check(config: Config, folder: Path, optional: Sequence[Plugin]) -> Report:
    """Check every section, then initialise every plugin whose section is right.

    `folder`: the configuration file's; `optional`: the host's own plugins.
    """
    plugins, problems = _load(config, folder)
    if not problems:  # a section may be that of a plugin which cannot be loaded
        problems += config.unknown_sections([each.name for each in (*plugins, *optional)])
    wrong: set[str] = set()
    for name, model in models_of((*optional, *plugins)).items():
        if config.has(name) and (found := section_problems(config, name, model)):
            problems += found
            wrong.add(name)
    running: list[str] = []
    try:
        container = Container(plugins, config, optional=optional)
        problems += [str(error) for error in container.try_init(leave_out=wrong)]
        running += [name for name, state in container.states.items() if state == "initialized" and config.has(name)]
    except HostError as error:  # a plugin is none, or they do not fit together
        problems.append(str(error))
    return Report(problems, running)


def section_problems(config: Config, name: str, model: type[Struct]) -> list[str]:
    """Return an error's text for every key of the section that is wrong."""
    value = config.written(name)
    return _problems(config, {} if value is None else value, model, name)


def _load(config: Config, folder: Path) -> tuple[list[Plugin], list[str]]:
    """Return the plugins that can be loaded, and what is wrong with the others."""
    plugins: list[Plugin] = []
    problems: list[str] = []
    try:
        specifications = config.plugins
    except ConfigError as error:
        return [], [str(error)]
    for specification in specifications:
        try:
            plugins += load_plugins([specification], folder)
        except ConfigError as error:
            problems.append(str(error))
    return plugins, problems


def _problems(config: Config, value: Any, kind: Any, path: str) -> list[str]:
    """Look at the parts first; what is wrong with the whole is told when they are right."""
    options = list(options_of(kind))
    struct: type[Struct] | None = next((each for each in options if _is_struct(each)), None)
    found: list[str] = []
    for key, item in _items(value):
        below = f"{path}.{key}"
        member = _member(options, struct, value, key)
        if member is _UNKNOWN:
            known = [field.encode_name for field in fields(struct)] if struct else []
            found.append(_told(config, ConfigError(unknown_key(below, key, known, config.source))))
        else:
            found += _problems(config, item, member, below)
    if found:
        return found + _missing(config, struct, value, path)
    try:
        config.convert(value, kind, path)
    except ConfigError as error:
        return [_told(config, error)]
    return []


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return value.items()
    return [(str(index), item) for index, item in enumerate(value)] if isinstance(value, list) else ()


def _member(options: Sequence[Any], struct: Any, value: Any, key: str) -> Any:
    """Return the type of one part of a value; anything where the type has no parts, which the whole is told for."""
    if isinstance(value, dict) and struct is not None:
        return next((field.type for field in fields(struct) if field.encode_name == key), _UNKNOWN)
    origin = dict if isinstance(value, dict) else list
    return next((typing.get_args(each)[-1] for each in options if typing.get_origin(each) is origin), Any)


def _missing(config: Config, struct: Any, value: Any, path: str) -> list[str]:
    if struct is None or not isinstance(value, dict):
        return []
    absent = [each.encode_name for each in fields(struct) if each.required and each.encode_name not in value]
    text = "{}: the key {} is missing in {}"
    return [_told(config, ConfigError(text.format(path, name, config.source))) for name in absent]


def _told(config: Config, error: ConfigError) -> str:
    return str(config.blamed(error))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
