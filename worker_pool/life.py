"""The two ends of a worker's life: `boot` and `stop_worker`. Neither leaves a process running."""

from __future__ import annotations

import signal
from typing import Final

import anyio

from ..container.deadline import time_limit
from ..container.protocols import Logger
from .errors import WorkerBootError
from .limits import WorkerLimits
from .spawn import Launch
from .worker import Dispatcher, Worker

STOP_TIMEOUT: Final = 10.0
TERM_TIMEOUT: Final = 5.0
"""Seconds that a worker has to exit after the stop frame, and then after SIGTERM, before it is killed."""


async def boot(dispatcher: Dispatcher, launch: Launch, log: Logger, timeout: float, limits: WorkerLimits) -> Worker:
    """Start a worker and return it after its handshake, which has given it to `dispatcher.free` already.

    Raises WorkerBootError, with the process reaped, when it does not come up within `timeout` seconds.
    """
    relay = launch.relay
    worker = Worker(dispatcher, log, limits, connects=relay is not None)
    with anyio.CancelScope(shield=True):  # a process half started could not be ended
        await launch.start(worker)
    try:
        if relay is not None:
            relay.expect(worker)
        with time_limit(timeout):
            await worker.until(lambda: worker.up_since > 0 or worker.gone)
    except BaseException:
        await _kill(worker, "was not needed any more")
        raise
    finally:
        if relay is not None:
            relay.forget(worker)
    if worker.up_since:
        return worker
    step = "dial in and shake hands" if relay is not None else "answer the handshake"
    await _kill(worker, f"did not {step} within {timeout:g} s (allocate_timeout)")
    fault = worker.fault or f"died at boot with {worker.exit_report.status}"
    raise WorkerBootError(launch.command, fault, worker.exit_report)


async def stop_worker(worker: Worker, timeout: float) -> None:
    """Make a worker exit and wait until its process is reaped. A cancelled wait kills it at once.

    A busy worker has `timeout` seconds to finish. It gets the stop frame, after STOP_TIMEOUT SIGTERM, after
    TERM_TIMEOUT SIGKILL; both signals go to its whole process group. May be called again, and for a dead worker.
    """
    worker.retire()
    fault = "did not exit after the stop frame"
    try:
        if worker.busy:
            with time_limit(timeout):
                await worker.until(lambda: worker.drained)
        if worker.busy:
            fault = f"was still busy after {timeout:g} s"
        else:
            worker.send_stop()
            with time_limit(STOP_TIMEOUT):
                await worker.until(lambda: worker.gone)
        if not worker.gone:
            worker.signal(signal.SIGTERM)
            with time_limit(TERM_TIMEOUT):
                await worker.until(lambda: worker.gone)
    except BaseException:
        fault = "had no time to stop"
        raise
    finally:
        await _kill(worker, fault)


async def _kill(worker: Worker, fault: str) -> None:
    worker.kill(fault)
    with anyio.CancelScope(shield=True):
        await worker.until(lambda: worker.gone)
