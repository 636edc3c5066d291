"""The two ends of a worker's life: `boot` brings one up, `dismiss` sees it off. Neither leaves a process behind."""

from __future__ import annotations

import signal
from typing import Final

import anyio

from ..container.protocols import Logger
from .errors import WorkerBootError
from .exchange import Terms
from .spawn import Launch
from .worker import Owner, Worker

STOP_GRACE: Final = 10.0
TERM_GRACE: Final = 5.0
"""Seconds that a worker has to leave after the stop frame, and then after SIGTERM, before it is killed."""


async def boot(owner: Owner, launch: Launch, log: Logger, timeout: float, terms: Terms) -> Worker:
    """Start a worker and return it when it has shaken hands; it has been given to `owner.free` by then.

    Raises WorkerBootError, with the process reaped, when it does not come up within `timeout` seconds.
    """
    relay = launch.relay
    worker = Worker(owner, log, terms, dials=relay is not None)
    with anyio.CancelScope(shield=True):  # a process half started could not be ended
        await launch.start(worker)
    try:
        if relay is not None:
            relay.expect(worker)
        with anyio.move_on_after(timeout):
            await worker.up.wait()
    except BaseException:
        await _end(worker, "was not needed any more")
        raise
    finally:
        if relay is not None:
            relay.forget(worker)
    if worker.up_since:
        return worker
    what = "dial in and shake hands" if relay is not None else "answer the handshake"
    await _end(worker, f"did not {what} within {timeout:g} s")
    fault = worker.fault or f"died at boot with {worker.remains.status}"
    raise WorkerBootError(launch.command, fault, worker.remains)


async def dismiss(worker: Worker, patience: float) -> None:
    """Make a worker leave and wait until its process is reaped; it is killed at once when this is cancelled.

    A busy worker has `patience` seconds to finish. Then the stop frame, after STOP_GRACE SIGTERM, after TERM_GRACE
    SIGKILL, the two signals to its whole process group. May be called again, and for one that is dead.
    """
    worker.retire()
    fault = "did not stop when it was told to"
    try:
        if worker.busy:
            with anyio.move_on_after(patience):
                await worker.drained.wait()
        if worker.busy:
            fault = f"was still busy after {patience:g} s"
        else:
            worker.farewell()
            with anyio.move_on_after(STOP_GRACE):
                await worker.gone.wait()
        if not worker.gone.is_set():
            worker.signal(signal.SIGTERM)
            with anyio.move_on_after(TERM_GRACE):
                await worker.gone.wait()
    except BaseException:
        fault = "was not given the time to stop"
        raise
    finally:
        await _end(worker, fault)


async def _end(worker: Worker, fault: str) -> None:
    worker.kill(fault)
    with anyio.CancelScope(shield=True):
        await worker.gone.wait()
