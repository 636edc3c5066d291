"""The counts of a pipeline in this host."""

from __future__ import annotations

from typing import Final

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the durations' buckets, in seconds."""


class Counts:
    """Counts since the start.

    `pushed`, `push_failed`: pushes. `ok`: jobs done. `failed`: attempts that failed. `requeued`: jobs that a worker has
    put back itself. `durations`: attempts by bucket, the last for longer ones; `seconds`: of all.
    """

    def __init__(self) -> None:
        self.pushed = self.push_failed = self.ok = self.failed = self.requeued = 0
        self.durations = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def finished(self, seconds: float) -> None:
        """Count the duration of an attempt."""
        self.seconds += seconds
        for at, bound in enumerate(BUCKETS):
            if seconds <= bound:
                self.durations[at] += 1
                return
        self.durations[-1] += 1
