"""Where a wrong key was written. An error begins with its key; this says which `-o`, or which line of the file, has it.

A plugin's own errors name the file, as it is all that they know. So the text is looked at where they come together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_KEY = re.compile(r"[^\s:.]+(?:\.[^\s:.]+)*")


def key_of(text: str, source: str) -> str:
    """Return the key that an error's text begins with, in full; empty when it begins with none."""
    found = _KEY.match(text.removeprefix(f"{source}: "))
    return found[0] if found else ""


def blamed(text: str, source: str, overridden: Iterable[str]) -> str:
    """Return the text with the `-o` in place of the file, where an override gave the key or what is above it.

    What is below the key came from both. `overridden`: the keys of the overrides; the last that fits counts.
    """
    key = key_of(text, source)
    for path in reversed(list(overridden)):
        if f"{key}.".startswith(f"{path}."):
            return _at(text, source, f"-o {path}")
        if path.startswith(f"{key}."):
            return _at(text, source, f"{source} with -o {path}")
    return text


def with_line(text: str, source: str, lines: Mapping[str, int]) -> str:
    """Return the text with `file:line` in place of the file. `lines`: the line of each key, counted from 1.

    A key that is missing is looked for in the nearest section above it; without one the text stays as it is.
    """
    key = key_of(text, source)
    while key and key not in lines:
        key = key.rpartition(".")[0]
    if not key or f"{source} with -o " in text or "in -o " in text:
        return text
    place = f"{source}:{lines[key]}"
    return text if place in text else _at(text, source, place, missing=f"{text} ({place})")


def _at(text: str, source: str, place: str, missing: str | None = None) -> str:
    if text.startswith(f"{source}: "):
        return place + text.removeprefix(source)
    head, found, tail = text.partition(f"in {source}")
    if found:
        return f"{head}in {place}{tail}"
    return text if missing is None else missing
