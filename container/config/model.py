"""What a section of the configuration holds: the keys of its msgspec Struct, and one walk over the parts of a value."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields

EVERY: Final = object()
"""In place of a value: a section with every key that its model has."""


class Setting(NamedTuple):
    """A key of a model. `kind`: its annotation; `default`: NODEFAULT for a key that must be given."""

    key: str
    kind: Any
    default: Any


class Part(NamedTuple):
    """A value in a section, under its full path. `kind`: the annotation there; `default`: as of a Setting."""

    path: str
    kind: Any
    value: Any
    default: Any = NODEFAULT


class Unknown(NamedTuple):
    """The kind of a part whose key its section does not have. `known`: the keys that it has."""

    known: Sequence[str]


def walk(kind: Any, value: Any, path: str, *, parts_first: bool = False) -> Iterator[Part]:
    """Yield a value and all that is in it, each with its kind, in the order of the value.

    `value`: as the file has it; EVERY for what the kind itself names. `path`: the value's full key. `parts_first`: a
    whole comes after its parts, rather than before them.
    """
    yield from _walk(Part(path, kind, value), parts_first, above=())


def _walk(part: Part, parts_first: bool, above: tuple[type[Struct], ...]) -> Iterator[Part]:
    model = section_of(part.kind)
    if not parts_first:
        yield part
    if part.value is not EVERY or model not in above:  # a model may hold itself
        for below in _parts(part, model):
            yield from _walk(below, parts_first, (*above, model) if model else above)
    if parts_first:
        yield part


def _parts(part: Part, model: type[Struct] | None) -> Iterator[Part]:
    if model is not None and part.value is EVERY:
        for setting in settings(model):
            yield Part(f"{part.path}.{setting.key}", setting.kind, EVERY, setting.default)
    elif model is not None and isinstance(part.value, dict):
        known = {setting.key: setting for setting in settings(model)}
        for key, item in part.value.items():
            setting = known.get(key) or Setting(key, Unknown([*known]), NODEFAULT)
            yield Part(f"{part.path}.{key}", setting.kind, item, setting.default)
    elif isinstance(part.value, (dict, list)):
        inner = [typing.get_args(each)[-1] for each in options_of(part.kind) if _holds(each, part.value)]
        items = part.value.items() if isinstance(part.value, dict) else enumerate(part.value)
        for name, item in items:
            yield Part(f"{part.path}.{name}", inner[0] if inner else Any, item)


def _holds(kind: Any, value: Any) -> bool:
    return typing.get_origin(kind) is type(value)


@lru_cache
def settings(model: type[Struct]) -> Sequence[Setting]:
    """Return the keys of a model, in the order in which it has them."""
    return [
        Setting(each.encode_name, each.type, _default(each.default, each.default_factory)) for each in fields(model)
    ]


def _default(default: Any, factory: Any) -> Any:
    return default if factory is NODEFAULT else factory()


def options_of(kind: Any) -> Iterator[Any]:
    """Yield the members of a union, or the type itself, without Annotated around them."""
    if typing.get_origin(kind) is typing.Annotated:
        yield from options_of(typing.get_args(kind)[0])
    elif typing.get_origin(kind) in (typing.Union, types.UnionType):
        for option in typing.get_args(kind):
            yield from options_of(option)
    else:
        yield kind


def section_of(kind: Any) -> type[Struct] | None:
    """Return the model among the options of a kind, None for a kind that is not a section."""
    return next((each for each in options_of(kind) if isinstance(each, type) and issubclass(each, Struct)), None)


def metas_of(kind: Any) -> Sequence[Meta]:
    """Return what the annotation says besides the type: constraints, the description, examples."""
    found = typing.get_args(kind)[1:] if typing.get_origin(kind) is typing.Annotated else ()
    return [each for each in found if isinstance(each, Meta)]


def description_of(kind: Any) -> str:
    """Return what the key means, as its annotation says it; empty when it does not."""
    return next((each.description for each in reversed(metas_of(kind)) if each.description), "")


def summary(model: type[Struct]) -> str:
    """Return what the section is: the first line of the model's docstring."""
    return (model.__doc__ or "").strip().partition("\n")[0]
