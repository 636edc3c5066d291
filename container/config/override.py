"""Overrides of the command line, `-o key.path=value`, in the tree of the configuration."""

from __future__ import annotations

from typing import Any, Final

from ..errors import ConfigError
from .yamlfile import parse

_MAX_DEPTH: Final = 32
"""The most parts of a key; no section is that deep."""


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Change one key of a tree: `override` is `key.path=value`, the value in YAML. Absent sections are made.

    A list takes the number of an item that it has. Raises ConfigError. The value may be a secret: no error shows it.
    """
    path, equals, text = override.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"-o {path}: write -o key.path=value, for example -o smtp.addr=127.0.0.1:2525")
    if len(keys) > _MAX_DEPTH:
        raise ConfigError(f"-o {path[:40]}...: a key has at most {_MAX_DEPTH} parts")
    value = parse(text, f"-o {path}")
    place: Any = tree
    for index, key in enumerate(keys):
        last = index == len(keys) - 1
        if isinstance(place, list):
            if not key.isdecimal() or int(key) >= len(place):
                raise ConfigError(f"-o {path}: {'.'.join(keys[:index])} is a list of {len(place)} and has no {key}")
            if last:
                place[int(key)] = value
            place = place[int(key)]
        elif isinstance(place, dict):
            if last:
                place[key] = value
            elif place.get(key) is None:
                place[key] = {}
            place = place[key]
        else:
            raise ConfigError(f"-o {path}: {'.'.join(keys[:index])} is a value and has no key {key}")
