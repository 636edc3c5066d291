"""A section's value becomes its model, or errors for people: all that are wrong, each with its key's full path."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from ..errors import ConfigError
from ..masking import masked
from ..secret_names import is_secret_name
from .expand import expand
from .fields import Secret, decode_field
from .model import Part, Unknown, options_of, section_of, settings, walk
from .roadrunner import instead_of

_WORDS: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a mapping",
    "str": "a text",
    " | ": " or ",
}
"""What msgspec calls the kinds of values, and what people do."""
_KIND: Final = re.compile(r"\b(?:array|bool|float|int|null|object|str)\b| \| ")
_WHERE: Final = re.compile(r" - at `(?:key in )?\$(?P<path>.*?)`$")


def decode(kind: Any, value: Any, path: str, environ: Mapping[str, str]) -> tuple[Any, list[ConfigError]]:
    """Return what a value is as `kind`, and the errors, in the value's order; with errors the result is None.

    `value`: as the file has it, its variables not expanded. Parts are read first: a whole whose parts are wrong is not
    looked at, but for the keys that it lacks.
    """
    result: Any = None
    errors: list[ConfigError] = []
    for part in walk(kind, value, path, parts_first=True):
        result = None
        if isinstance(part.kind, Unknown):
            errors.append(unknown_key(part.path, part.kind.known))
        elif missing := _missing(part):
            errors += missing
        elif not any(error.key.startswith(f"{part.path}.") for error in errors):
            try:
                result = _converted(part, environ)
            except ConfigError as error:
                errors.append(error)
    return result, errors


def unknown_key(path: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a key that is not among `known`. `path`: the key in full."""
    hint = instead_of(path)
    if not hint:
        near = difflib.get_close_matches(path.rpartition(".")[2], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    return ConfigError("is not a known key", key=path, hint=hint)


def _missing(part: Part) -> list[ConfigError]:
    model = section_of(part.kind)
    if model is None or not isinstance(part.value, dict):
        return []
    absent = [each.key for each in settings(model) if each.default is msgspec.NODEFAULT and each.key not in part.value]
    return [ConfigError(f"the key {name} is missing", key=part.path) for name in absent]


def _converted(part: Part, environ: Mapping[str, str]) -> Any:
    value = expand(part.value, environ, path=part.path)
    try:
        return msgspec.convert(value, part.kind, strict=False, dec_hook=decode_field, str_keys=True)
    except msgspec.ValidationError as error:
        raise _explained(error, part.kind, value, part.path) from None
    except ConfigError as error:  # of the model's own check, which knows its keys and not where it stands
        error.key = f"{part.path}.{error.key}" if error.key else part.path
        raise


def _explained(error: msgspec.ValidationError, kind: Any, value: Any, path: str) -> ConfigError:
    """Turn msgspec's words into ours: what was expected, and what was found."""
    text = str(error)
    where = _WHERE.search(text)
    if where is not None:  # in a type that `walk` does not know
        text = text[: where.start()]
        for step in re.findall(r"[^.\[\]]+", where["path"]):
            path += f".{step}"
            value = _step(value, step)
    elif words := _words(kind):
        text = f"expected one of {', '.join(words)}"
    text = text[:1].lower() + text[1:].replace("`", "")
    if text.startswith("expected"):
        expected = _KIND.sub(lambda kind: _WORDS[kind[0]], text.partition(", got ")[0])
        text = f"{expected}, got {_shown(value, path, secret=_has_secret(kind))}"
    return ConfigError(text, key=path)


def _words(kind: Any) -> list[str]:
    """Return the words that a value may be, with the switches beside them; none where it need not be a word."""
    options = [*options_of(kind)]
    words = [
        str(word) for each in options if typing.get_origin(each) is typing.Literal for word in typing.get_args(each)
    ]
    return ["true", "false", *words] if words and bool in options else words


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return value


def _has_secret(kind: Any) -> bool:
    """Return whether a type is `Secret`, or a list or a mapping of it: names do not say so there."""
    return kind is Secret or any(map(_has_secret, typing.get_args(kind)))


def _shown(value: Any, path: str, *, secret: bool) -> str:
    value = masked(value, secret=secret or any(is_secret_name(name) for name in path.split(".")))
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)
