"""The values of jobs in a spool, and the statement that adds them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from ...protocols import Job

ROWS: Final = 32
"""Jobs that one statement adds at most."""

Row = tuple[Any, ...]


class Taken(NamedTuple):
    """A job that a pull took."""

    number: int
    attempt: int
    redelivered: bool
    job: Job


class Figures(msgspec.Struct):
    """Counts of rows. `waiting` counts those that are held too. `bytes`: of all jobs."""

    waiting: int = 0
    delayed: int = 0
    dead: int = 0
    bytes: int = 0
    duplicates: int = 0
    redelivered: int = 0


@lru_cache(ROWS)
def insertion(rows: int) -> str:
    """Return the statement that adds so many jobs and returns the numbers of those that were not there."""
    values = ", ".join([f"({', '.join('?' * 17)})"] * rows)
    return (
        "INSERT INTO jobs (number, id, state, priority, place, due, since, attempt, size, name, auto_ack, "  # noqa: S608
        f"headers, envelope, payload, file, start, length) VALUES {values} ON CONFLICT (id) DO NOTHING RETURNING number"
    )


def to_row(job: Job) -> Row:
    """Return the values of a job. Raises ValueError for a text that is not Unicode, or a priority above 64 bits."""
    if not -(1 << 63) <= job.priority < 1 << 63:
        raise ValueError(f"the priority {job.priority} has more than 64 bits")
    for text in (job.id, job.name):
        text.encode()
    headers = msgspec.json.encode(job.headers)
    return job.id, job.priority, job.due, job.size, job.name, job.auto_ack, headers, job.envelope, job.payload
