"""The life of a worker, from its handler and its relay to its exit status.

It begins without an event loop, in `loop`. It moves to `aio` for good when the handler is `async def`, or else when a
call of the handler returns something to await. No other worker pays for asyncio.
"""

from __future__ import annotations

import os
import sys

from ..goridge.frame import FrameError
from ..goridge.relay import Relay
from .handlers import as_handler, is_async
from .loop import Loop
from .process import WorkerProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .handlers import AnyHandler


def serve(handler: AnyHandler, relay: Relay) -> int:
    """Serve until the worker has to leave; return its exit status.

    A SystemExit or KeyboardInterrupt of the handler passes through.
    """
    process = WorkerProcess(as_handler(handler, for_mail=os.environ.get("RR_MODE") in ("smtp", "jobs")), relay)
    process.set_up_logging()
    try:
        _run(process)
    except FrameError as error:
        sys.stderr.write(f"rrpy.worker: the host sent a wrong frame: {error}\n")
        return 1
    except ConnectionError:  # the host is gone
        pass
    return 0


def _run(process: WorkerProcess) -> None:
    begun = None
    if not is_async(process.handler):
        begun = Loop(process).run()
        if begun is None:
            return
    from . import aio

    aio.run(process, begun)
