"""The worker SDK: write a function, run it with `python -m rrpy.worker module:function`. Standard library only.

    from rrpy.worker import Request, SoftError, log

    def handle(request: Request) -> str:
        event = request.json()
        if event["message"]["size"] > 1_000_000:
            raise SoftError("too big for me")
        log.info("got a mail", uuid=event["uuid"])
        return "CONTINUE"

`async def`, generators (a stream of answers) and asynchronous generators will do as well; `rrpy.worker.testing` calls
them in a test. docs/worker.md tells the whole of it.
"""

from .messages import Request, Response, SoftError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import log

__all__ = ["Request", "Response", "SoftError", "log"]


def __getattr__(name: str) -> object:
    """Import `log` when it is first used."""
    if name != "log":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(".log", __name__)
