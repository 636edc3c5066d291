"""`python -m rrpy.worker [module:handler]`: run a worker, by default the one of the package, `default`.

Before it imports the user's code it protects the channel: no child inherits the descriptors of the frames, printed text
goes to stderr, which is the log, and stdin reads as empty. Modules of the working folder can be imported where the
handler is the user's, and never hide Python's own.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper

from ..goridge.relay import Relay
from .messages import Handler
from .serve import serve


def main(arguments: list[str]) -> int:
    """Run the worker and return its exit status: 1, with the reason on stderr, when it cannot start."""
    if len(arguments) > 1:
        return _complain("usage: python -m rrpy.worker [module:handler]")
    relay = _open(os.environ.get("RR_RELAY") or "pipes")
    if relay is None:
        return 1
    _protect()
    if arguments:
        _import_from(os.getcwd())  # noqa: PTH109 - pathlib would cost a worker's start a third of its time
    handler = _load(arguments[0] if arguments else "rrpy.worker.default:handle")
    return 1 if handler is None else serve(handler, relay)


def _open(address: str) -> Relay | None:
    if address == "pipes":
        if os.isatty(0):
            _complain("a worker speaks frames on stdin and stdout: `rrpy serve` runs it, not a person")
            return None
        return Relay(os.dup(0), os.dup(1), split=True)
    from .dial import dial

    try:
        descriptor = dial(address)
    except (OSError, ValueError) as error:
        _complain(f"cannot reach the host at RR_RELAY={address}: {getattr(error, 'strerror', None) or error}")
        return None
    return Relay(descriptor, descriptor, split=True)


def _protect() -> None:
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # printed text is a log line: show it at once


def _import_from(folder: str) -> None:
    """Let modules of a folder be imported: after Python's own modules, before installed ones."""
    if folder not in sys.path:
        own = os.path.dirname(os.__file__)  # noqa: PTH120
        last = max((at for at, place in enumerate(sys.path) if place in (own, f"{own}/lib-dynload")), default=-1)
        sys.path.insert(last + 1, folder)


def _load(name: str) -> Handler | None:
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        _complain(f"{name!r} does not say module:handler")
        return None
    try:
        handler: object = import_module(module_name)
    except Exception as error:
        if not (isinstance(error, ModuleNotFoundError) and error.name == module_name):
            from traceback import print_exc

            print_exc()
        _complain(f"cannot load {name}: {type(error).__name__}: {error}")
        return None
    for part in attribute.split("."):
        handler = getattr(handler, part, None)
    if not callable(handler):
        own = module_name.partition(".")[0] in sys.stdlib_module_names
        why = f": {module_name} is a module of Python itself, so yours needs another name" if own else ""
        _complain(f"{name} is not there, or not callable{why}")
        return None
    return handler


def _complain(text: str) -> int:
    sys.stderr.write(f"rrpy.worker: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
