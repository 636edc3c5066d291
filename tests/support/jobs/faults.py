"""A plugin of a host under test, `faults:Faults`: the host dies at a point of a job's life, or its disk hangs.

`KILL_AT`, a variable of the host, names the point: `push` is before the queue gets a job, `pushed` is after it has the
job and before the client hears of it, `answered` is after the worker has answered and before the queue hears of it.
The disk hangs while the host's folder has a file `hang`. `FLUSH`, a variable too, is
the seconds that a queue has to close.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskStatus

from rrpy.jobs import plugin
from rrpy.jobs.consumer import Consumer
from rrpy.jobs.drivers.sqlite.bodies import Bodies
from rrpy.jobs.pipelines import Pipeline
from rrpy.jobs.protocols import Delivery, Done, Job


class Faults:
    """The plugin."""

    name = "faults"

    def init(self) -> None:
        """Put the faults into the parts of the host."""
        self._stopped = anyio.Event()
        point = os.environ.get("KILL_AT")
        push, flush = Pipeline.push, Bodies.flush

        def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def push_and_die(pipeline: Pipeline, jobs: Sequence[Job], _: Done) -> None:
            push(pipeline, jobs, die)

        def settle(_: Consumer, delivery: Delivery, answer: Any) -> None:
            die()

        def flush_or_hang(bodies: Bodies) -> None:
            while Path("hang").exists():
                time.sleep(0.005)
            flush(bodies)

        if point == "push":
            Pipeline.push = die  # type: ignore[method-assign]
        elif point == "pushed":
            Pipeline.push = push_and_die  # type: ignore[method-assign]
        elif point == "answered":
            Consumer._settle = settle  # type: ignore[method-assign]
        Bodies.flush = flush_or_hang  # type: ignore[method-assign]
        plugin.FLUSH = float(os.environ.get("FLUSH", plugin.FLUSH))  # type: ignore[misc]

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """End `serve`."""
        self._stopped.set()
