"""The tables of a spool. Synchronous, for one thread.

A job is a row in one of three states: it waits, it is delayed, or it is dead. A job that the host holds still waits in
the table: `held`, in memory and in one row of its own, names those. So a pull costs no change of a job's row, and after
the end of a host all jobs are where they were. `place`: the order within a priority, from one counter for pushes and
retries. `file`, `start` and `length`: where a large payload is (bodies.py).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from ....container.sqlite.opening import PAGE, Schema, open_file
from ...job import first_page
from ...protocols import DeadJob, Job
from .bodies import LARGE, Bodies
from .rows import ROWS, Figures, Row, Taken, insertion

WAITING, DELAYED, DEAD = 0, 1, 2

# An older file gets each statement. Before version 2 a large payload had a file of its own, under the job's number.
_SCHEMA: Final = Schema(
    application=0x7272_6A62,  # `rrjb`
    version=2,
    tables="""
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, priority INTEGER NOT NULL,
    place INTEGER NOT NULL, due REAL NOT NULL, since REAL NOT NULL, attempt INTEGER NOT NULL, size INTEGER NOT NULL,
    name TEXT NOT NULL, auto_ack INTEGER NOT NULL, reason TEXT, died REAL, headers BLOB NOT NULL,
    envelope BLOB NOT NULL, payload BLOB
);
CREATE INDEX IF NOT EXISTS waiting ON jobs (priority, place, size) WHERE state = 0;
CREATE INDEX IF NOT EXISTS delayed ON jobs (due, place, size) WHERE state = 1;
CREATE INDEX IF NOT EXISTS dead ON jobs (id, place, size) WHERE state = 2;
CREATE TABLE held (one INTEGER PRIMARY KEY, numbers BLOB NOT NULL);
INSERT OR IGNORE INTO held VALUES (1, '[]');
ALTER TABLE jobs ADD COLUMN file INTEGER;
ALTER TABLE jobs ADD COLUMN start INTEGER;
ALTER TABLE jobs ADD COLUMN length INTEGER;
UPDATE jobs SET file = number, start = 0, length = -1 WHERE payload IS NULL;
CREATE INDEX files ON jobs (file) WHERE file IS NOT NULL
""",
    columns={
        "jobs": "number, id, state, priority, place, due, since, attempt, size, name, auto_ack, reason, died, headers, "
        "envelope, payload",
        "held": "one, numbers",
    },
    # The log stays as large as it becomes between two checkpoints: to give its room back each time costs more.
    pragmas=["wal_autocheckpoint = 2000", "journal_size_limit = 16777216"],
)
_STEP: Final = 1024 * 1024
"""Bytes by which the file grows."""
_MOST_DUE: Final = 1000
"""Delayed jobs that one commit lets wait."""
_PRIORITIES: Final = 64
"""Priorities that the search for the oldest job reads."""
_MISSING_BODY: Final = "its payload cannot be read"


class Spool:
    """The jobs of a pipeline in a file. Changes are made within `transaction`. Raises sqlite3.Error, OSError.

    `path`: as it is written, `folder`: of the file.
    `held`: the numbers of the jobs that the host holds. `orphans`: files that a killed host left, deleted by the start.
    """

    def __init__(self, path: str, name: str, pipeline: str) -> None:
        self.figures = Figures()
        self.next_due: float = float("inf")
        self.held: set[int] = set()
        self._oldest: float | None = None  # read again when it is asked for
        self._pipeline = pipeline
        self._connection, self._file = open_file(path, name, _SCHEMA)
        self.path = path
        self.folder = Path(self._file.path).parent
        try:
            self._bodies = Bodies(self._file.path)
            self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        execute = self._connection.execute
        found = {}
        places = []
        for state in (WAITING, DELAYED, DEAD):
            count, size, place = execute(
                f"SELECT count(*), total(size), max(place) FROM jobs WHERE state = {state}"  # noqa: S608 - a number
            ).fetchone()
            found[state] = count
            self.figures.bytes += int(size)
            places.append(place or 0)
        self.figures.waiting, self.figures.delayed, self.figures.dead = found.values()
        (last,) = execute("SELECT max(number) FROM jobs").fetchone()
        self._last = max(last or 0, *places)
        (numbers,) = execute("SELECT numbers FROM held").fetchone()
        self._before = set(msgspec.json.decode(numbers, type=list[int]))
        self._changed = bool(self._before)
        self._gone: list[int] = []
        self.orphans = self._bodies.delete_orphans(self._has_file)
        self._find_due()

    def _has_file(self, file: int) -> bool:
        return self._connection.execute("SELECT 1 FROM jobs WHERE file = ? LIMIT 1", (file,)).fetchone() is not None

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._connection.close()
        self._file.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes of the block, or none, durable."""
        figures, held, before = copy(self.figures), set(self.held), set(self._before)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._file.is_there():
                raise FileNotFoundError(2, "it was removed or replaced while the host runs; restart the host")
            yield
            if self._changed:
                numbers = msgspec.json.encode(sorted(self.held | self._before))
                self._connection.execute("UPDATE held SET numbers = ?", (numbers,))
            self._bodies.flush()
            self._grow()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.figures, self.held, self._before = figures, held, before
            self._bodies.forget()
            self._gone.clear()
            self._find_due()
            self._oldest = None
            with suppress(sqlite3.Error):  # on a full disk the log cannot grow to its checkpoint
                self._connection.execute("PRAGMA wal_checkpoint").fetchall()
            raise
        self._changed = False
        self._bodies.keep()
        for file in self._gone:
            self._bodies.delete(file)
        self._gone.clear()

    def _grow(self) -> None:
        """Take room for the pages, so that the log can always be written back. A checkpoint gives back what is left."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        if pages * PAGE > self._file.size():
            self._file.grow(pages * PAGE)
            with suppress(OSError):  # without room for a whole step the next commit looks again
                self._file.grow(pages * PAGE + _STEP)

    # Changes

    def insert(self, rows: Sequence[Row]) -> None:
        """Add jobs. One whose id is there is not added."""
        for at in range(0, len(rows), ROWS):
            self._insert(rows[at : at + ROWS])

    def _insert(self, rows: Sequence[Row]) -> None:
        """Add jobs by one statement: each call of SQLite gives the other threads a chance to run first."""
        now = time.time()
        figures = self.figures
        values: list[Row] = []
        for job_id, priority, due, size, name, auto_ack, headers, envelope, payload in rows:
            self._last += 1
            state = DELAYED if due > now else WAITING
            stored: Row = (payload, None, None, None)
            if len(payload) > LARGE:
                if self._has(job_id):
                    continue
                stored = (None, *self._bodies.add(self._last, payload), len(payload))
            order = (self._last, job_id, state, priority, self._last, due, now, 1)
            values.append((*order, size, name, auto_ack, headers, envelope, *stored))
        found = self._connection.execute(insertion(len(values)), tuple(chain.from_iterable(values))) if values else ()
        added = {number for (number,) in found}
        figures.duplicates += len(rows) - len(added)
        for number, _, state, _, _, due, _, _, size, *_ in values:
            if number not in added:
                continue
            figures.bytes += size
            if state == DELAYED:
                figures.delayed += 1
                self.next_due = min(self.next_due, due)
            else:
                figures.waiting += 1
                self._oldest = self._oldest or None

    def _has(self, job_id: str) -> bool:
        return self._connection.execute("SELECT 1 FROM jobs WHERE id = ?", (job_id,)).fetchone() is not None

    def ack(self, number: int) -> None:
        """Delete a job that is held."""
        self._drop(number)
        self._delete(number)
        self.figures.waiting -= 1

    def retry(self, number: int, due: float, headers: bytes | None, more: int) -> None:
        """Put a job that is held into the queue again. `headers`: None to keep them; `more`: bytes that they add."""
        self._drop(number)
        self._last += 1
        now = time.time()
        state = DELAYED if due > now else WAITING
        self._connection.execute(
            "UPDATE jobs SET state = ?, due = ?, place = ?, since = ?, attempt = attempt + 1, "
            "headers = coalesce(?, headers), size = size + ? WHERE number = ?",
            (state, due, self._last, now, headers, more, number),
        )
        self.figures.bytes += more
        if state == DELAYED:
            self.figures.waiting -= 1
            self.figures.delayed += 1
            self.next_due = min(self.next_due, due)

    def give_back(self, number: int) -> None:
        """Let a job that is held wait."""
        self._drop(number)

    def bury(self, number: int, reason: str) -> None:
        """Put a job that is held among the dead."""
        self._drop(number)
        self._bury(number, reason)

    def _bury(self, number: int, reason: str) -> None:
        self._oldest = None
        self._connection.execute(
            f"UPDATE jobs SET state = {DEAD}, reason = ?, died = ? WHERE number = ?",  # noqa: S608 - a number
            (reason.encode("utf-8", "replace").decode(), time.time(), number),
        )
        self.figures.waiting -= 1
        self.figures.dead += 1

    def _drop(self, number: int) -> None:
        self.held.remove(number)
        self._changed = True
        self._oldest = None

    def _delete(self, number: int) -> None:
        (size, file) = self._connection.execute(
            "DELETE FROM jobs WHERE number = ? RETURNING size, file", (number,)
        ).fetchone()
        self.figures.bytes -= size
        if file is not None and not self._has_file(file):
            self._gone.append(file)

    def release_due(self) -> None:
        """Let delayed jobs wait that are due, as many as one commit takes. `next_due` says whether there are more."""
        if self.next_due > time.time():
            return
        found = self._connection.execute(
            f"UPDATE jobs SET state = {WAITING} WHERE number IN (SELECT number FROM jobs "  # noqa: S608 - numbers
            f"WHERE state = {DELAYED} AND due <= ? ORDER BY due LIMIT {_MOST_DUE})",
            (time.time(),),
        ).rowcount
        self.figures.waiting += found
        self.figures.delayed -= found
        self._oldest = None
        self._find_due()

    def move_due(self, seconds: float) -> None:
        """Move the due time of each delayed job: the clock was set by so much."""
        self._connection.execute(f"UPDATE jobs SET due = due + ? WHERE state = {DELAYED}", (seconds,))  # noqa: S608
        self._find_due()

    def _find_due(self) -> None:
        (due,) = self._connection.execute(f"SELECT min(due) FROM jobs WHERE state = {DELAYED}").fetchone()  # noqa: S608
        self.next_due = float("inf") if due is None else due

    @property
    def has_free(self) -> bool:
        """Whether a job waits that is not held."""
        return self.figures.waiting > len(self.held)

    def take(self, jobs: int, size: int) -> list[Taken]:
        """Hold due jobs: at most so many, in about `size` bytes, the first whatever its size."""
        chosen: list[int] = []
        for number, its_size in self._connection.execute(
            f"SELECT number, size FROM jobs WHERE state = {WAITING} ORDER BY priority, place"  # noqa: S608 - a number
        ):
            if number in self.held:
                continue
            size -= its_size
            if (chosen and size < 0) or len(chosen) == jobs:
                break
            chosen.append(number)
        return [taken for number in chosen if (taken := self._take(number)) is not None]

    def _take(self, number: int) -> Taken | None:
        job_id, priority, due, attempt, name, auto_ack, headers, envelope, payload, *place = self._connection.execute(
            "SELECT id, priority, due, attempt, name, auto_ack, headers, envelope, payload, file, start, length "
            "FROM jobs WHERE number = ?",
            (number,),
        ).fetchone()
        if payload is None:
            try:
                payload = self._bodies.read(*place)
            except OSError as error:
                self._bury(number, f"{_MISSING_BODY}: {error.strerror}")
                return None
        redelivered = number in self._before
        self._before.discard(number)
        self.figures.redelivered += redelivered
        self.held.add(number)
        self._changed = True
        self._oldest = None
        texts = msgspec.json.decode(headers, type=dict[str, list[str]])
        job = Job(job_id, name, self._pipeline, payload, envelope, texts, priority, due, bool(auto_ack))
        return Taken(number, attempt, redelivered, job)

    # The dead

    def revive(self, ids: Sequence[str] | None, limit: int) -> int:
        """Let dead jobs wait again, at most `limit`; return their number."""
        found = self._dead_numbers(ids, limit)
        for number in found:
            self._last += 1
            self._connection.execute(
                f"UPDATE jobs SET state = {WAITING}, attempt = 1, due = 0, place = ?, since = ?, reason = NULL, "  # noqa: S608
                "died = NULL WHERE number = ?",
                (self._last, time.time(), number),
            )
        self.figures.dead -= len(found)
        self.figures.waiting += len(found)
        self._oldest = None
        return len(found)

    def purge(self, ids: Sequence[str] | None, limit: int) -> int:
        """Delete dead jobs, at most `limit`; return their number."""
        found = self._dead_numbers(ids, limit)
        for number in found:
            self._delete(number)
        self.figures.dead -= len(found)
        return len(found)

    def _dead_numbers(self, ids: Sequence[str] | None, limit: int) -> list[int]:
        query = f"SELECT number FROM jobs WHERE state = {DEAD}"  # noqa: S608 - a number
        if ids is None:
            return [number for (number,) in self._connection.execute(f"{query} ORDER BY id LIMIT ?", (limit,))]
        rows = (self._connection.execute(f"{query} AND id = ?", (each,)).fetchone() for each in dict.fromkeys(ids))
        return [row[0] for row in rows if row is not None]

    # Reads

    def list_dead(self, limit: int, after: str) -> list[DeadJob]:
        """Return dead jobs in the order of their ids."""
        return first_page(
            DeadJob(job_id, name, reason, attempt, died, size, priority, msgspec.json.decode(headers))
            for job_id, name, reason, attempt, died, size, priority, headers in self._connection.execute(
                "SELECT id, name, reason, attempt, died, size, priority, headers FROM jobs "  # noqa: S608 - a number
                f"WHERE state = {DEAD} AND id > ? ORDER BY id LIMIT ?",
                (after, limit),
            )
        )

    @property
    def oldest(self) -> float:
        """Since when the oldest free job waits, of the lowest priorities; 0 without one. A new job changes no other."""
        if self._oldest is None:
            self._oldest = self._find_oldest() if self.has_free else 0.0
        return self._oldest

    def _find_oldest(self) -> float:
        oldest = float("inf")
        priority = -(1 << 62)
        for _ in range(_PRIORITIES):
            for number, its_priority, since in self._connection.execute(
                f"SELECT number, priority, since FROM jobs WHERE state = {WAITING} AND priority > ? "  # noqa: S608
                "ORDER BY priority, place",
                (priority,),
            ):
                if number not in self.held:
                    oldest = min(oldest, since)
                    priority = its_priority
                    break
            else:
                break
        return oldest

    def is_full(self, more: int, max_bytes: int) -> bool:
        """Return whether `more` bytes exceed the limit; 0 means no limit."""
        return 0 < max_bytes < self.figures.bytes + more
