"""The dependencies of a plugin: the annotated types of its `init`'s parameters."""

from __future__ import annotations

import inspect
import types
import typing
from typing import Any, Final, NamedTuple

from .errors import DependencyError
from .protocols import Plugin

_ABSENT: Final = object()


class Dependency(NamedTuple):
    """One parameter of an `init`. `kind`: its type; `optional`: the parameter also takes None."""

    parameter: str
    kind: Any
    optional: bool


def dependencies(plugin: Plugin) -> list[Dependency]:
    """Return the dependencies of a plugin's `init`, in the order of its parameters.

    A parameter with a default depends on a plugin only when its type admits None.
    Raises DependencyError, naming the plugin, for a parameter without a type or with one that cannot be found.
    """
    try:
        hints = typing.get_type_hints(plugin.init)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise DependencyError(
            f"plugin {plugin.name}: the types of its init cannot be read: {error}; they must be imported at run time"
        ) from None
    found = []
    for name, parameter in inspect.signature(plugin.init).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name not in hints:
            raise DependencyError(
                f"plugin {plugin.name}: the parameter {name} of its init has no type, so nothing fits it"
            )
        kind, optional = _without_none(hints[name])
        if parameter.default is not parameter.empty and not optional:
            continue
        found.append(Dependency(name, kind, optional))
    return found


def satisfies(thing: object, kind: Any) -> bool:
    """Return whether an object has every member of a Protocol, or is an instance of a class."""
    if getattr(kind, "_is_protocol", False):
        members = _members(kind)
        return all(inspect.getattr_static(thing, member, _ABSENT) is not _ABSENT for member in members)
    return isinstance(kind, type) and kind is not Any and isinstance(thing, kind)


def type_name(kind: Any) -> str:
    """Return the name of a type, for an error."""
    return str(getattr(kind, "__name__", kind))


def _members(protocol: type) -> set[str]:
    names: set[str] = set()
    for base in protocol.__mro__:
        if getattr(base, "_is_protocol", False) and base is not typing.Protocol:
            names |= {
                name for name in (*vars(base), *vars(base).get("__annotations__", {})) if not name.startswith("_")
            }
    return names


def _without_none(kind: Any) -> tuple[Any, bool]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        if len(options) == 1 and len(typing.get_args(kind)) == 2:
            return options[0], True
    return kind, False
