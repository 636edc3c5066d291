"""Plugins from modules: `package.module:ClassName` becomes a plugin."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import ConfigError
from .protocols import Plugin


def load_plugins(specifications: Sequence[str], folder: Path) -> list[Plugin]:
    """Return the plugins that `plugins:` names, each made without arguments; a name may also stand for an instance.

    `folder`: the configuration file's. It goes to the end of `sys.path`, so that modules beside the file are found
    and never hide installed ones. Raises ConfigError for an entry that gives no plugin.
    """
    return [load_plugin(each, folder, f"plugins.{number}") for number, each in enumerate(specifications)]


def load_plugin(specification: str, folder: Path, key: str) -> Plugin:
    """Return the plugin that one entry of `plugins:` names, as `load_plugins`. `key`: the entry's, for errors."""

    def wrong(hint: str) -> ConfigError:
        return ConfigError(f"is {specification!r}", key=key, hint=hint)

    place = str(folder.absolute())
    if place not in sys.path:
        sys.path.append(place)
    module_name, colon, name = specification.partition(":")
    if not colon or not module_name or not name:
        raise wrong("it is written package.module:ClassName")
    try:
        found: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise wrong(f"{module_name} cannot be imported: {_text(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise wrong(f"{module_name} has no {name}")
        found = getattr(found, part)
    if isinstance(found, type):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise wrong(f"{name}() failed: {_text(error)}") from error
    missing = [part for part in ("name", "init", "serve", "stop") if not hasattr(found, part)]
    if missing:
        raise wrong(f"it is not a plugin: it has no {', '.join(missing)}")
    return found  # type: ignore[return-value]  # it has every part of a plugin


def _text(error: BaseException) -> str:
    text = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
