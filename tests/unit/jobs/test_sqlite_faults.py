"""The driver sqlite on disks that are full, read-only or hung, and when many jobs are due."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.container.disk import fill, make_read_only, room_for, small_disk
from support.jobs.places import Place, ids, job, pull, pull_all, push
from support.waiting import until

from rrpy.container.sqlite.opening import PAGE
from rrpy.jobs.drivers.sqlite.bodies import LARGE, Bodies
from rrpy.jobs.drivers.sqlite.driver import SQLiteDriver
from rrpy.jobs.drivers.sqlite.rows import to_row
from rrpy.jobs.drivers.sqlite.spool import Spool
from rrpy.jobs.protocols import Away, Full, JobsError, Queue

pytestmark = pytest.mark.anyio


def place_of(folder: Path) -> Place:
    return Place(SQLiteDriver, {"file": str(folder / "smtp.db")}, durable=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    with small_disk(tmp_path, 8 << 20) as disk:
        yield disk


# The disk is full


async def fill_queue(queue: Queue, size: int) -> int:
    """Push jobs until the queue is full; return how many it has."""
    taken = 0
    with pytest.raises(Full):
        while True:
            await push(queue, job(f"{size}-{taken}", bytes(size)))
            taken += 1
    return taken


@pytest.mark.parametrize("others", [False, True], ids=["filled by jobs", "filled by others"])
@pytest.mark.parametrize("size", [10_000, LARGE + 1])
async def test_a_full_disk_keeps_each_job_and_takes_new_ones_when_there_is_room(
    size: int, others: bool, disk: Path
) -> None:
    """Its log could not grow to its checkpoint: no worker's answer was stored until the host started anew.

    Without `min_free` the queue refused every later job too.
    """
    async with place_of(disk).queue(min_free=0) as queue:
        if others:
            await push(queue, *(job(str(number), bytes(size)) for number in range(3)))
            fill(disk)
        count = await fill_queue(queue, size) + 3 * others
        found = await pull_all(queue, count)
        assert all(each.job.payload == bytes(size) for each in found)
        retried, buried, *done = found
        retried.retry(0)
        buried.dead("it is bad")
        for each in done:
            each.ack()
        await until(lambda: (queue.state().running, queue.state().waiting, queue.state().dead) == (0, 1, 1))
        await until(lambda: queue.refusal is None)
        await push(queue, job("more", bytes(size)))
    async with place_of(disk).queue(min_free=0) as queue:
        assert ids(await pull_all(queue, 2)) == [retried.job.id, "more"]


def test_the_log_has_room_in_the_file_after_each_commit(tmp_path: Path) -> None:
    """A checkpoint gave back room that counted as taken: on a disk that filled up then, the log grew to its end."""
    path = tmp_path / "smtp.db"
    with closing(Spool(str(path), "the spool", "smtp")) as spool:
        spool._connection.execute("PRAGMA wal_autocheckpoint = 50")
        for number in range(60):
            with spool.transaction():
                spool.insert([to_row(job(str(number), bytes(10_000)))])
            (pages,) = spool._connection.execute("PRAGMA page_count").fetchone()
            assert path.stat().st_size >= pages * PAGE


async def test_a_body_that_does_not_fit_leaves_no_file_and_stops_no_other_job(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue(min_free=0) as queue:
        await push(queue, job("first", bytes(LARGE + 1)))
        with room_for(4 << 20), pytest.raises(Full, match="file too large"):
            await push(queue, job("large", bytes(5 << 20)))
        assert [each.name for each in (tmp_path / "smtp.db.bodies").iterdir()] == ["1"]
        await until(lambda: queue.refusal is None)
        await push(queue, job("small"))
        assert ids(await pull_all(queue, 2)) == ["first", "small"]


# The disk is read-only


async def test_a_read_only_spool_is_one_sentence_and_untouched(disk: Path) -> None:
    async with place_of(disk).queue() as queue:
        await push(queue, job("a"))
    before = (disk / "smtp.db").read_bytes()
    make_read_only(disk)
    for folder, sentence in ((disk, "cannot open .*read-only"), (disk / "new", "cannot make the folder .*read-only")):
        with pytest.raises(JobsError, match=sentence) as raised:
            async with place_of(folder).queue():
                pass
        assert "\n" not in str(raised.value)
    assert (disk / "smtp.db").read_bytes() == before


# The disk hangs


async def test_a_hung_disk_is_a_state_and_holds_up_no_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only pushes had a time limit. The pipeline was ready meanwhile, and `rrpy jobs dead` waited for the disk."""
    hangs, answers = threading.Event(), threading.Event()
    flush = Bodies.flush

    def hang(bodies: Bodies) -> None:
        hangs.set()
        answers.wait()
        flush(bodies)

    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("a"), job("b"))
    async with place_of(tmp_path).queue(timeout=0.1) as queue:
        (first,) = await pull(queue)
        with monkeypatch.context() as patch:
            patch.setattr(Bodies, "flush", hang)
            first.ack()
            await until(hangs.is_set)
            await until(lambda: not queue.state().connected, "a disk that takes no settlement is a state")
            with pytest.raises(Away, match="did not answer within"):
                await push(queue, job("late"))
            assert isinstance(queue.refusal, Away)
            for question in (queue.list_dead(9), queue.revive(), queue.purge(["a"])):
                with pytest.raises(Away, match="did not answer within"):
                    await question
        answers.set()
        await until(lambda: queue.refusal is None and queue.state().connected)
        assert ids(await pull(queue, 9)) == ["b"], "what was refused is not there"


async def test_a_push_that_waits_for_a_hung_disk_fails_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    async with place_of(tmp_path).queue(timeout=0.1) as queue:
        with monkeypatch.context() as patch:
            patch.setattr(Bodies, "flush", lambda _: answers.wait())
            with pytest.raises(Away, match="did not answer within"):
                await push(queue, job("a"))
        answers.set()
        await until(lambda: queue.refusal is None)


# The clock goes on


def test_many_jobs_that_are_due_at_once_wait_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One commit let all of them wait: a million held up the first pushes after the start."""
    spool = Spool(str(tmp_path / "smtp.db"), "the spool", "smtp")
    with spool.transaction():
        spool.insert([to_row(job(str(number), due=time.time() + 60)) for number in range(2500)])
    now = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: now)
    steps = []
    while spool.next_due <= time.time():
        with spool.transaction():
            spool.release_due()
        steps.append(spool.figures.waiting)
    spool.close()
    assert steps == [1000, 2000, 2500]
