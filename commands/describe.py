"""A configuration's keys in words: type, limits, default, meaning. For rr.yaml and the docs."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import NODEFAULT, Meta, Struct

from ..container.config.fields import Duration, PositiveDuration, Secret
from ..container.config.model import (
    EVERY,
    Part,
    Setting,
    description_of,
    metas_of,
    options_of,
    section_of,
    settings,
    walk,
)

_NAMES: Final = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    PositiveDuration: "duration, at least 1ms",
    Duration: "duration",
    Secret: "text",
}
_MANY: Final = {
    str: "texts",
    Secret: "texts",
    float: "numbers",
    Duration: "durations",
    dict: "mappings",
    Any: "values",
    typing.Literal: "them",
}
_MANY_SECTIONS: Final[Mapping[Any, str]] = {dict: "NAME", list: "NUMBER"}


def first_sentence(text: str) -> str:
    """Return the first sentence of a description, without its full stop."""
    return text.partition(". ")[0].rstrip(".")


def plain(text: str) -> str:
    """Return a text without Markdown's backticks."""
    return text.replace("`", "")


def type_text(kind: Any) -> str:
    """Return a type with its limits: `integer, 1 to 500`, `text or list of texts`, `guard or strict`."""
    options = " or ".join(_name(each) for each in options_of(kind) if each is not type(None))
    limits = _limits(metas_of(kind))
    return f"{options}, {limits}" if limits else options


def _name(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        *most, last = (f"`{word}`" for word in arguments)
        return f"{', '.join(most)} or {last}" if most else last
    if origin in (list, dict):
        inner = [typing.get_origin(each) or each for each in options_of(arguments[-1])]
        if str in inner:  # a number beside it becomes a text
            inner = [each for each in inner if each in (str, dict) or section_of(each)]
        many = " or ".join(_MANY.get(each, "sections") for each in inner)
        return f"{'list' if origin is list else 'mapping'} of {many}"
    return "section" if section_of(kind) else _NAMES[kind]


def _limits(metas: Sequence[Meta]) -> str:
    """Return the limits of a number or of a text's length. Nothing for `at least 0`, which every integer here is."""
    unit = ""
    low = high = None
    for meta in metas:
        low = meta.ge if meta.ge is not None else low
        high = meta.le if meta.le is not None else high
        if meta.max_length is not None:
            low, high, unit = meta.min_length, meta.max_length, " characters"
    if high is not None:
        return f"{low or 0} to {high}{unit}"
    return f"at least {low}{unit}" if low else ""


def default_of(of: Setting | Part) -> Any:
    """Return a key's default as people see it: where None stands for another one, that one."""
    shown = [meta.extra["default"] for meta in metas_of(of.kind) if meta.extra and "default" in meta.extra]
    return shown[0] if shown else of.default


def yaml_text(value: Any) -> str:
    """Return a default as YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(yaml_text, value))}]"
    return str(value) if value or not isinstance(value, (str, Secret)) else "''"


def sections(models: Mapping[str, type[Struct]]) -> dict[str, type[Struct]]:
    """Return every section by its path, also those below another one.

    NAME stands for a name that the user gives, NUMBER for a place in a list.
    """
    found: dict[str, type[Struct]] = {}
    for name, model in models.items():
        for part in walk(model, EVERY, name):
            for option in options_of(part.kind):
                many = _MANY_SECTIONS.get(typing.get_origin(option))
                below = section_of(typing.get_args(option)[-1]) if many else section_of(option)
                if below is not None and many:
                    found |= sections({f"{part.path}.{many}": below})
                elif below is not None:
                    found[part.path] = below
    return found


def table(model: type[Struct]) -> str:
    """Return the keys of a section as a table in Markdown."""
    rows = [
        f"| `{each.key}` | {type_text(each.kind)} | {_default_cell(each)} | {description_of(each.kind).rstrip('.')} |"
        for each in settings(model)
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _default_cell(setting: Setting) -> str:
    default = default_of(setting)
    if default is NODEFAULT:
        return "must be given"
    if default is None:
        return "absent"
    return "all defaults" if isinstance(default, Struct) else f"`{yaml_text(default)}`"
