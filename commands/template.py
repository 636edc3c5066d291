"""The commented text of rr.yaml, generated from the models: every key of the host, its default and its meaning."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import NODEFAULT, Struct

from ..container.config.config import File
from ..container.config.model import (
    EVERY,
    Part,
    Setting,
    description_of,
    metas_of,
    options_of,
    section_of,
    settings,
    summary,
    walk,
)
from ..container.protocols import Plugin
from .check import HOST_MODELS, models_of
from .describe import default_of, first_sentence, plain, yaml_text

WIDTH: Final = 120
HEAD: Final = """\
# The configuration of a host: `rrpy serve -c rr.yaml`. A key that is commented out shows its default.
# A section that is absent switches its plugin off. ${VAR}, $VAR and ${VAR:-default} are taken from the environment.
# Durations are written 10s, 1m30s or 500ms; a bare number is seconds.
"""
WRITTEN: Final[Mapping[str, Any]] = {
    "version": "'3'",
    "rpc": None,
    "rpc.listen": None,
    "server": None,
    "smtp": None,
    "smtp.addr": None,
    "smtp.hostname": None,
    "smtp.pool": None,
    "smtp.pool.num_workers": 1,
    "inbox": None,
    "inbox.address": None,
}
"""The keys that are not commented out, with the value that they have in place of the default."""


class _Line(NamedTuple):
    """A line of the file. `text`: the key and its value; `remark`: the comment after it, without the `#`."""

    text: str
    remark: str = ""


def template(plugins: Sequence[Plugin], values: Mapping[str, Any] | None = None) -> str:
    """Return the text for a host with these plugins. `values`: by key, in place of what WRITTEN or the model has."""
    values = {**WRITTEN, **(values or {})}
    lines: list[_Line] = []
    for setting in settings(File):
        lines += _top(setting, values)
    for name, model in _in_order(models_of(plugins)).items():
        lines += [_Line(""), *_comment(summary(model))]
        lines += [_line(part, values) for part in walk(model, EVERY, name)]
    column = max(len(line.text) for line in lines if line.remark) + 2
    return HEAD + "".join(f"{_joined(line, column)}\n" for line in lines)


def _in_order(models: Mapping[str, type[Struct]]) -> Mapping[str, type[Struct]]:
    """Return the sections in the order of the file: those of WRITTEN, the other plugins', the host's own."""
    names = [name for name in WRITTEN if name in models]
    names += [name for name in models if name not in names and name not in HOST_MODELS]
    return {name: models[name] for name in (*names, *HOST_MODELS)}


def _top(setting: Setting, values: Mapping[str, Any]) -> Iterator[_Line]:
    """Yield the lines of a key outside of the sections."""
    line = _line(Part(setting.key, setting.kind, EVERY, setting.default), values)
    if setting.key not in WRITTEN:
        yield _Line("")
        text = plain(description_of(setting.kind))
        yield from _comment(text[:1].upper() + text[1:])
    yield line._replace(remark="")


def _line(part: Part, values: Mapping[str, Any]) -> _Line:
    """Return the line of a key. One that is commented out has indents before and after its `#`."""
    *above, key = part.path.split(".")
    solid = 0  # sections above it that are not commented out
    while solid < len(above) and ".".join(above[: solid + 1]) in WRITTEN:
        solid += 1
    sign = "" if part.path in WRITTEN else "# "
    value = "" if section_of(part.kind) else f" {yaml_text(_value(part, values))}"
    text = f"{'  ' * solid}{sign}{'  ' * (len(above) - solid)}{key}:{value}"
    meaning = plain(first_sentence(description_of(part.kind)))
    if meaning and [*options_of(part.kind)] == [bool]:
        meaning = f"true: {meaning}"
    return _Line(text, meaning + _about_default(part, values))


def _value(part: Part, values: Mapping[str, Any]) -> Any:
    """Return the value that the file shows: the written one, the default, or an example where there is no default."""
    if values.get(part.path) is not None:
        return values[part.path]
    default = default_of(part)
    if default is not NODEFAULT:
        return default
    return next(example for meta in metas_of(part.kind) for example in meta.examples or ())


def _about_default(part: Part, values: Mapping[str, Any]) -> str:
    """Return the end of a remark that names the default; empty where the value is the default."""
    default = default_of(part)
    if not description_of(part.kind) or isinstance(default, Struct):
        return ""
    if default is None:
        return "; default: absent"
    if default is NODEFAULT:
        return "; must be given"
    return f"; default: {yaml_text(default)}" if _value(part, values) != default else ""


def _comment(text: str) -> list[_Line]:
    return [_Line(f"# {line}") for line in textwrap.wrap(text, WIDTH - 2)]


def _joined(line: _Line, column: int) -> str:
    return f"{line.text:{column}}# {line.remark}" if line.remark else line.text
