"""Environment variables in the configuration's strings: `${VAR}`, `$VAR`, `${VAR:-default}`, and `$$` for a `$`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..errors import ConfigError

_REFERENCE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:-(?P<default>[^}]*))?\}"
    r"|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|(?P<bad>\{))"
)


def expand(value: object, environ: Mapping[str, str], *, path: str) -> object:
    """Return a copy of a tree of dicts and lists with the variables in its strings replaced.

    An empty variable counts as unset (docs/reference/configuration.md, 'How the file is read'). A `$` before anything
    else, such as `$5` or a last `$`, stays. The value of a variable is text and is not expanded again. `path`: the
    dotted key of `value`, empty at the top. Raises ConfigError for an unset variable without default, and for an
    ill-formed `${`.
    """
    if isinstance(value, dict):
        return {key: expand(item, environ, path=f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, environ, path=f"{path}.{number}") for number, item in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if match["bad"]:
            reason = "a ${ is neither ${NAME} nor ${NAME:-default}"
            raise ConfigError(reason, key=path, hint="write $$ for a literal $")
        name = match["braced"] or match["bare"]
        found = environ.get(name, "")
        if not found and match["or"]:
            return match["default"]
        if not found:
            hint = f"set it, or write ${{{name}:-default}}, or $$ for a literal $"
            raise ConfigError(f"the environment variable {name} is not set", key=path, hint=hint)
        if not found.isascii() and any("\ud800" <= char <= "\udfff" for char in found):
            raise ConfigError(f"the environment variable {name} is not valid UTF-8", key=path)
        return found

    return _REFERENCE.sub(replace, value)
