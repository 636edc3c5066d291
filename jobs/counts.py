"""The counts of a pipeline in this host."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the durations' buckets, in seconds."""


class Durations:
    """How often something took how long.

    `buckets`: by the upper bounds of BUCKETS, the last for longer ones. `seconds`: of all together.
    """

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a duration as often as `times` says."""
        self.seconds += seconds * times
        self.buckets[bisect_left(BUCKETS, seconds)] += times


class Pushes:
    """Jobs that were to be pushed. `requested`: all of them. `latency`: from the request to the success."""

    def __init__(self) -> None:
        self.requested = 0
        self.latency = Durations()


class Counts:
    """Counts since the start.

    `pushed`, `push_failed`: jobs. `single`, `batch`: how they came, one by one or several at once. `ok`: jobs done.
    `failed`: attempts that failed. `requeued`: jobs that a worker has put back itself. `attempts`: their durations.
    """

    def __init__(self) -> None:
        self.pushed = self.push_failed = self.ok = self.failed = self.requeued = 0
        self.single, self.batch = Pushes(), Pushes()
        self.attempts = Durations()
