"""What a configuration's keys mean, read off the docstrings of their models: `key`: text."""

from __future__ import annotations

import inspect
import re
from itertools import zip_longest
from typing import Final

from msgspec import Struct

_KEYS: Final = re.compile(r"(?P<keys>`\w+`(?: \([^)]*\))?(?:, `\w+`(?: \([^)]*\))?)*): ")
_SOURCE: Final = re.compile(r" \(\w+\.md[^)]*\)")
_KEY: Final = re.compile(r"`(?P<name>\w+)`(?: \((?P<unit>[^)]*)\))?")


def summary(model: type[Struct]) -> str:
    """Return what the section is: the first line of the model's docstring, without its source."""
    line = (inspect.getdoc(model) or "").partition("\n")[0]
    return _SOURCE.sub("", _KEYS.split(line)[0]).strip()


def descriptions(model: type[Struct]) -> dict[str, str]:
    """Return what each key means, as far as the docstrings of the model and of its bases say it.

    Several keys may share a text: `ttl`, `idle_ttl`, `max_memory` (MB): soft. What stands in parentheses behind a key
    is its own.
    """
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, Struct) and kind is not Struct:
            found |= _read(" ".join((kind.__doc__ or "").split()))
    names = model.__struct_encode_fields__
    return {name: text for name, text in found.items() if name in names}


def _read(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    places = list(_KEYS.finditer(text))
    for place, following in zip_longest(places, places[1:]):
        said = text[place.end() : following.start() if following else None].strip().rstrip(".;")
        for key in _KEY.finditer(place["keys"]):
            found[key["name"]] = f"{said} ({key['unit']})" if key["unit"] else said
    return found
