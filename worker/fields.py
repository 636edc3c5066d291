"""An event's fields, taken with a look at their types: a wrong one is one sentence that names it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Kind = TypeVar("Kind")

_KINDS = {str: "a text", int: "a number", dict: "an object", list: "a list"}


def field(told: dict[str, Any], key: str, kind: type[Kind]) -> Kind:
    """Return a field that has to be there. Raises ValueError when it is not, or is of another type."""
    value = told.get(key)
    if not isinstance(value, kind):
        raise ValueError(f"the event's field {key!r} is missing or not {_KINDS[kind]}")
    return value


def text(told: dict[str, Any], key: str) -> str:
    """Return a text that may be missing, and is empty then. Raises ValueError for another type."""
    return "" if told.get(key) is None else field(told, key, str)


def texts(told: dict[str, Any], key: str) -> list[str]:
    """Return a list of texts that has to be there. Raises ValueError when it is not, or is something else."""
    values = field(told, key, list)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"the event's field {key!r} is not a list of texts")
    return values
