"""The contract between the jobs plugin and its drivers. It is all that an author of a driver needs to read.

A driver is a plugin, built in or named in `plugins:`, that satisfies `JobDriver`. For each pipeline of its kind it
makes a `Queue`. Every method is called on the host's event loop, and none blocks it.
Each promise below has a test in tests/conformance/test_jobs.py, which runs against every driver.

Taking jobs
- `push` calls `done` once: with None when the jobs are as safe as the driver can make them, so that `Queue.promise` is
  true of each; else with the error. `done` may be called before `push` returns; it does not raise.
- The error is Full, Away or Rejected. It comes `timeout` seconds after the push at the latest. Until then the driver
  may try again, with the same ids. After Away the jobs may be there all the same: a server's answer may be lost.
  Where `atomic` is true, all jobs of one push are taken, or none.
- A job whose id is in the queue, in whatever state, is not taken twice; its push succeeds, and `duplicates` counts it.
- `refusal` says, without asking anything, which error a push would get now; None where it would be tried.

Giving jobs
- `pull(jobs, size)` waits until a job is due, then returns at least one and at most `jobs`, of at most `size` bytes
  (`Job.size`) together; the first may be larger. The lowest priority comes first, then the order of the pushes, where
  a retry counts as a push. A driver whose place cannot sort says so by `sorts = False`, and keeps to no order.
- The time until a job is due lasts as long when the clock is set while the host runs.
- One pull at a time. A cancelled pull has taken nothing, or gives back what it took. A pipeline that is paused is not
  pulled: a driver has no other pause.
- Trouble with the place does not end a pull: it waits until the place is back. It raises nothing but cancellation.
- A job that was pulled is held until it is settled. A driver whose place takes jobs back after a time extends that
  time itself, for as long as the job is not settled. Nothing but the end of the host gives a held job to another host.
- `Delivery.redelivered` is true for a job that the place gave to a host before, whose settlement it has not seen.

Settling jobs
- Exactly one of `ack`, `retry`, `give_back` and `dead` is called for each delivery, once. They return at once and do
  not raise. `aclose` waits for what they began. When the place does not learn of one, the job comes again, redelivered;
  it is never lost.
- `retry(delay, headers)` puts the job into the queue again, after the jobs of its priority that are there, due after
  `delay` seconds, with `attempt` one higher; `headers` replace its headers, None keeps them.
- `give_back` puts it back as it was, at its old place where the driver sorts, with the same `attempt`: no worker had
  it.
- `dead(reason)` puts it among the dead. There it stays over restarts where the driver is durable, until `revive` puts
  it into the queue again (attempt 1, due at once, its priority, headers and payload as they were), or `purge` deletes
  it.

Life
- `open` is called once, before anything else, and returns when `push` and `pull` may be called. It raises JobsError
  for what trying again does not mend: a file that is not ours, a stream with other settings. A server that is away is
  not such a fault: `open` returns, and `refusal` says it.
- `aclose` is called once, after the last pull has ended and each delivery is settled or the host's grace is over. It
  sends what is settled, fails the pushes that are left with Away, and frees everything. It raises nothing.
- A file, a stream or a subject belongs to one pipeline: `JobDriver.queue` raises ConfigError for two of one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from ..container.protocols import Logger
from .errors import Away, Full, JobsError, NoSuchPipeline, Rejected
from .job import DeadJob, Headers, Job

__all__ = [
    "Away",
    "DeadJob",
    "Delivery",
    "Done",
    "Full",
    "Headers",
    "Job",
    "JobDriver",
    "JobsError",
    "NoSuchPipeline",
    "PipelineSettings",
    "Promise",
    "Queue",
    "QueueState",
    "Rejected",
]

Done = Callable[[JobsError | None], None]
"""Gets the result of a push: None for success."""


class Promise(msgspec.Struct, frozen=True):
    """What a successful push means. `text`: the end of the sentence `250 means: the job is ...`.

    `power_failure`: whether the job survives one; without it the log has the sentence as a warning.
    """

    text: str
    power_failure: bool = False


class QueueState(msgspec.Struct, frozen=True):
    """The figures of a queue, as far as its driver knows them now; a driver that asks a server has them from lately.

    `connected`: whether the place can be used. `reason`: why not. `waiting`: jobs that are due and that no host holds.
    `delayed`: those that are not due yet. `running`: held by this host, or by any, where the place knows. `dead`: dead
    ones. `oldest`: seconds since 1970 of the push, or of the last retry, of the oldest waiting job; 0 without one.
    `bytes`: of all jobs. `duplicates`: pushes of an id that was there. `redelivered`: deliveries for which
    `redelivered` was true.
    """

    connected: bool = True
    reason: str = ""
    waiting: int = 0
    delayed: int = 0
    running: int = 0
    dead: int = 0
    oldest: float = 0
    bytes: int = 0
    duplicates: int = 0
    redelivered: int = 0


class PipelineSettings(msgspec.Struct, frozen=True):
    """What a driver gets for one pipeline.

    `config`: `config:` of the pipeline as the driver's `pipeline_model`. `timeout`: seconds of one push. `attempts`:
    after how many the plugin calls `dead`. `name`: it may stand in a file's name and in an error.
    """

    name: str
    config: Any
    log: Logger
    timeout: float = 60
    attempts: int = 10


class Delivery(Protocol):
    """A job that this host holds. See the module's text, 'Settling jobs'.

    `attempt`: 1, and one more for each `retry` before. `redelivered`: it was held before, without a settlement.
    """

    @property
    def job(self) -> Job: ...  # noqa: D102 - described by the class
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def redelivered(self) -> bool: ...  # noqa: D102

    def ack(self) -> None:
        """Delete the job: it is done."""
        ...

    def retry(self, delay: float, headers: Headers | None = None) -> None:
        """Put the job into the queue again, due after `delay` seconds, with `attempt` one higher."""
        ...

    def give_back(self) -> None:
        """Put the job back as it was: no worker had it."""
        ...

    def dead(self, reason: str) -> None:
        """Put the job among the dead. `reason`: one line, kept with it."""
        ...


class Queue(Protocol):
    """The jobs of one pipeline in one driver. See the module's text for what each member promises.

    `sorts`: by priority. `atomic`: a push of several jobs takes all or none. `place`: a file or a subject, for the log
    and the worker's context (`queue`); empty without one.
    """

    @property
    def sorts(self) -> bool: ...  # noqa: D102 - described by the class
    @property
    def atomic(self) -> bool: ...  # noqa: D102
    @property
    def place(self) -> str: ...  # noqa: D102

    @property
    def promise(self) -> Promise:
        """What a successful push means. Read after `open`."""
        ...

    @property
    def refusal(self) -> JobsError | None:
        """The error that a push would get now, None for none. Read for each MAIL command, so it costs nothing."""
        ...

    def state(self) -> QueueState:
        """Return the figures that are known now, without I/O and without a walk over the jobs."""
        ...

    async def open(self) -> None:
        """Make the queue usable. Raises JobsError for what trying again does not mend."""
        ...

    async def aclose(self) -> None:
        """Send what is settled, and free everything."""
        ...

    def push(self, jobs: Sequence[Job], done: Done) -> None:
        """Take jobs. Calls `done` once."""
        ...

    async def pull(self, jobs: int, size: int) -> Sequence[Delivery]:
        """Wait for due jobs; return at least one, at most `jobs`, of about `size` bytes."""
        ...

    async def list_dead(self, limit: int, after: str = "") -> Sequence[DeadJob]:
        """Return dead jobs in the order of their ids, those after the id `after`, as `job.first_page` bounds them.

        Raises Away.
        """
        ...

    async def revive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead jobs into the queue again, all of them by default; return their number. Raises Away."""
        ...

    async def purge(self, ids: Sequence[str] | None = None) -> int:
        """Delete dead jobs, all of them by default; return their number. Raises Away."""
        ...


@runtime_checkable
class JobDriver(Protocol):
    """A plugin that keeps jobs. It starts before the jobs plugin and stops after it.

    `job_driver`: its name in `driver:`. `pipeline_model`: the msgspec Struct of a pipeline's `config:`, without the
    keys `priority` and `prefetch`, which the jobs plugin reads itself. `ignored_keys`: keys of RoadRunner's that it
    does not honour, each with the reason, as the end of a sentence; the start logs it, and goes on.
    """

    job_driver: ClassVar[str]
    pipeline_model: ClassVar[type[msgspec.Struct]]
    ignored_keys: ClassVar[Mapping[str, str]]

    def queue(self, settings: PipelineSettings) -> Queue:
        """Return the queue of a pipeline; opens nothing. Called after `init`, also while the host serves.

        Raises ConfigError, with a key within `config:`, for settings that do not fit together.
        """
        ...
