"""`rrpy mcp`: the mail of an inbox for an agent, on stdin and stdout."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from .console import fail

MISSING: Final = "this command needs one more package; install it with: pip install 'rrpy[mcp]'"


def serve(url: str, token: str) -> None:
    """Serve until stdin ends. Ends with a sentence without the package, and for a wrong URL."""
    try:
        from ..agents.server import serve_stdio
    except ModuleNotFoundError:
        fail(MISSING, 1)
    from ..agents.protocols import ToolFailed

    try:
        with suppress(KeyboardInterrupt):
            serve_stdio(url, token)
    except ToolFailed as error:
        fail(str(error), 2)
