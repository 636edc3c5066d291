"""rrpy: a RoadRunner-style plugin host for Python with a worker pool; its first plugin is an SMTP server.

The public names are loaded when they are first used, so that `import rrpy.worker` stays within the standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .container.version import VERSION as __version__

_HOMES: dict[str, tuple[str, str]] = {
    "__version__": (".container.version", "VERSION"),
}

__all__ = ["__version__"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = home
    value: object = getattr(import_module(module, __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
