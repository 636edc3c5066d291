"""An event's fields, with their types checked: the error for a wrong one names it, in one sentence."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Kind = TypeVar("Kind")

_KINDS = {str: "a text", int: "a number", dict: "an object", list: "a list"}


def field(event: dict[str, Any], key: str, kind: type[Kind]) -> Kind:
    """Return a required field. Raises ValueError when it is missing or has another type."""
    value = event.get(key)
    if not isinstance(value, kind):
        raise ValueError(f"the event's field {key!r} is missing or not {_KINDS[kind]}")
    return value


def text(event: dict[str, Any], key: str) -> str:
    """Return an optional text, empty when it is missing. Raises ValueError for another type."""
    return "" if event.get(key) is None else field(event, key, str)


def texts(event: dict[str, Any], key: str) -> list[str]:
    """Return a required list of texts. Raises ValueError when it is missing or has another type."""
    values = field(event, key, list)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"the event's field {key!r} is not a list of texts")
    return values
