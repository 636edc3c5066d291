"""The driver sqlite, beyond what every driver promises."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import time
from pathlib import Path

import msgspec
import pytest
from support.container.users import NOBODY, as_root, public_folder
from support.jobs.places import Place, ids, job, pull, pull_all, push
from support.waiting import until

from rrpy.container.errors import ConfigError
from rrpy.container.log import logger
from rrpy.jobs.drivers.sqlite import writer
from rrpy.jobs.drivers.sqlite.bodies import LARGE, SHARED, Bodies
from rrpy.jobs.drivers.sqlite.driver import SQLiteDriver, SQLitePipeline
from rrpy.jobs.drivers.sqlite.spool import Spool
from rrpy.jobs.job import TEXT
from rrpy.jobs.protocols import Away, Full, JobsError, PipelineSettings, QueueState, Rejected

pytestmark = pytest.mark.anyio


def place_of(folder: Path) -> Place:
    return Place(SQLiteDriver, {"file": str(folder / "smtp.db")}, durable=True)


async def test_a_large_payload_is_a_file_until_its_job_is_done(tmp_path: Path) -> None:
    payload = os.urandom(LARGE + 1)
    bodies = tmp_path / "smtp.db.bodies"
    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("large", payload), job("small", bytes(LARGE)))
        assert [each.stat().st_size for each in bodies.iterdir()] == [LARGE + 1]
        assert bodies.stat().st_mode & 0o777 == 0o700
    async with place_of(tmp_path).queue() as queue:
        large, small = await pull_all(queue, 2)
        assert (large.job.payload, small.job.payload) == (payload, bytes(LARGE))
        large.ack()
        await until(lambda: queue.state().running == 1)
        assert list(bodies.iterdir()) == []


async def test_jobs_of_a_commit_share_a_file_which_goes_with_the_last_of_them(tmp_path: Path) -> None:
    """A file for each cost a flush of the disk for each."""
    bodies = tmp_path / "smtp.db.bodies"
    payloads = {str(number): os.urandom(LARGE + number) for number in range(1, 4)}
    async with place_of(tmp_path).queue() as queue:
        await push(queue, *(job(name, payload) for name, payload in payloads.items()))
        (file,) = bodies.iterdir()
    async with place_of(tmp_path).queue() as queue:
        held = await pull_all(queue, 3)
        assert {each.job.id: each.job.payload for each in held} == payloads
        held[0].ack()
        held[2].dead("for later")
        await until(lambda: queue.state().running == 1)
        assert list(bodies.iterdir()) == [file]
        held[1].ack()
        await queue.purge()
        assert list(bodies.iterdir()) == []


async def test_a_large_job_that_a_worker_waits_for_is_whole(tmp_path: Path) -> None:
    """It was read in the commit that stores it, before its last bytes were in its file: it was a dead letter."""
    payloads = [os.urandom(size) for size in (LARGE + 1, SHARED + 1, SHARED)]
    async with place_of(tmp_path).queue() as queue:
        for number, payload in enumerate(payloads):
            pulling = asyncio.ensure_future(pull_all(queue, 2))
            await asyncio.sleep(0)  # it asks the spool's thread
            await push(queue, job(f"{number}a", payload), job(f"{number}b", payload[::-1]))
            first, second = await asyncio.wait_for(pulling, 20)
            assert [first.job.payload, second.job.payload] == [payload, payload[::-1]]
        assert queue.state().dead == 0


async def test_a_job_whose_file_is_cut_is_dead(tmp_path: Path) -> None:
    """A worker got the part that was left."""
    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("large", bytes(LARGE + 1)), job("small"))
        os.truncate(tmp_path / "smtp.db.bodies" / "1", LARGE)
        assert ids(await pull(queue, 2)) == ["small"]
        (dead,) = await queue.list_dead(9)
        assert dead.reason == f"its payload cannot be read: its file has {LARGE} of its {LARGE + 1} bytes"


async def test_a_repeated_large_job_leaves_no_second_file(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        for _ in range(2):
            await push(queue, job("large", bytes(LARGE + 1)))
        assert len(list((tmp_path / "smtp.db.bodies").iterdir())) == 1


@pytest.mark.parametrize("block", [4096, 1000], ids=["past the cache", "refused by the file system"])
def test_a_payload_is_whole_whether_or_not_the_file_system_lets_it_pass_the_cache(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rrpy.jobs.drivers.sqlite.bodies._BLOCK", block)
    files = Bodies(str(tmp_path / "smtp.db"))
    payloads = [os.urandom(size) for size in (1, LARGE, 5000, SHARED - LARGE, SHARED, 3 * SHARED + 17, 4096, LARGE)]
    places = [files.add(number, payload) for number, payload in enumerate(payloads)]
    files.flush()
    assert [file for file, _ in places] == [0, 0, 0, 3, 4, 5, 6, 6], "each file has a payload, or some within SHARED"
    assert [files.read(*place, len(each)) for place, each in zip(places, payloads, strict=True)] == payloads


async def test_files_without_a_job_go_at_the_start_and_foreign_files_stay(tmp_path: Path) -> None:
    bodies = tmp_path / "smtp.db.bodies"
    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("large", bytes(LARGE + 1)))
    (bodies / "4711").write_bytes(b"left by a killed host")
    (bodies / "notes.txt").write_text("mine")
    async with place_of(tmp_path).queue() as queue:
        assert sorted(each.name for each in bodies.iterdir()) == ["1", "notes.txt"]
        assert ids(await pull(queue)) == ["large"]


async def test_a_job_whose_file_is_gone_is_dead(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("large", bytes(LARGE + 1)), job("small"))
        (tmp_path / "smtp.db.bodies" / "1").unlink()
        assert ids(await pull(queue, 2)) == ["small"]
        assert [(each.id, each.reason) for each in await queue.list_dead(9)] == [
            ("large", "its payload cannot be read: No such file or directory")
        ]


async def test_one_host_has_the_file(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue():
        with pytest.raises(JobsError, match="in use by another process"):
            async with place_of(tmp_path).queue():
                pass


def test_one_pipeline_has_the_file(tmp_path: Path) -> None:
    driver = SQLiteDriver()
    settings = PipelineSettings("one", SQLitePipeline(file=str(tmp_path / "a.db")), logger("jobs"))
    driver.queue(settings)
    with pytest.raises(ConfigError, match="the file of the pipeline one"):
        driver.queue(settings)


async def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()


async def newer(path: Path) -> None:
    async with place_of(path.parent).queue() as queue:
        await push(queue, job("a"))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


async def corrupt(path: Path) -> None:
    path.write_bytes(b"not a database, but of some length" * 40)  # noqa: ASYNC240


async def damaged(path: Path) -> None:
    """Overwrite the page of the first index: the tables are known, and their rows cannot be counted."""
    async with place_of(path.parent).queue() as queue:
        await push(queue, job("a"))
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(bytes(4096))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (foreign, "is a database of something else; name another file"),
        (newer, r"was written by a newer rrpy \(version 99"),
        (corrupt, "is not a SQLite database"),
        (damaged, "smtp.db: database disk image is malformed"),
    ],
)
async def test_a_file_that_is_not_ours_is_one_sentence_and_untouched(make, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "smtp.db"
    await make(path)
    before = path.read_bytes()
    with pytest.raises(JobsError, match=sentence) as raised:
        async with place_of(tmp_path).queue():
            pass
    assert str(raised.value).removeprefix("cannot use ").startswith("jobs.pipelines.smtp.config.file ")
    assert path.read_bytes() == before


async def test_a_path_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JobsError, match="cannot make the folder of"):
        async with place_of(tmp_path / "file").queue():
            pass


async def test_a_nearly_full_disk_refuses_jobs_and_lets_them_be_worked_off(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("a"))
    async with place_of(tmp_path).queue(min_free=100) as queue:
        await until(lambda: isinstance(queue.refusal, Full))
        with pytest.raises(Full, match=r"less than 100 % of the disk .* is free \(min_free\)"):
            await push(queue, job("b"))
        (delivery,) = await pull(queue)
        delivery.ack()
        await until(lambda: queue.state().running == 0)
        assert queue.state().connected


async def test_a_removed_file_refuses_jobs(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        (tmp_path / "smtp.db").unlink()
        with pytest.raises(Away, match="removed or replaced while the host runs"):
            await push(queue, job("a"))
        assert isinstance(queue.refusal, Away)
        assert not queue.state().connected


async def test_a_job_that_a_killed_host_held_comes_again_as_redelivered(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("a"), job("b"), job("c"))
        first, _ = await pull_all(queue, 2)
        first.ack()
        await until(lambda: queue.state().running == 1)
    async with place_of(tmp_path).queue() as queue:
        found = await pull_all(queue, 2)
        assert {each.job.id: each.redelivered for each in found} == {"b": True, "c": False}
        assert queue.state().redelivered == 1
        for each in found:
            each.give_back()
    async with place_of(tmp_path).queue() as queue:
        assert [each.redelivered for each in await pull_all(queue, 2)] == [False, False]


async def test_a_text_that_is_not_unicode_is_rejected(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        for bad in (job("\ud800"), job("a", headers={"x": ["\ud800"]})):
            with pytest.raises(Rejected):
                await push(queue, bad)
        await push(queue, job("a"))


async def test_a_delayed_job_is_due_after_a_restart(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        await push(queue, job("a", due=time.time() + 0.1))
    async with place_of(tmp_path).queue() as queue:
        assert ids(await pull(queue)) == ["a"]


async def test_many_pushes_share_a_commit(tmp_path: Path) -> None:
    async with place_of(tmp_path).queue() as queue:
        async with asyncio.TaskGroup() as group:
            for number in range(500):
                group.create_task(push(queue, job(str(number))))
        assert queue.state().waiting == 500
        assert len(await pull_all(queue, 500)) == 500


async def test_a_job_that_no_row_can_hold_is_refused_and_stops_no_other(tmp_path: Path) -> None:
    """It ended the thread of the spool: no job was stored any more until the host started anew."""
    async with place_of(tmp_path).queue() as queue:
        with pytest.raises(Rejected, match="the priority 9223372036854775808 has more than 64 bits"):
            await push(queue, msgspec.structs.replace(job("high"), priority=1 << 63))
        await push(queue, msgspec.structs.replace(job("low"), priority=-(1 << 63)))
        assert ids(await pull(queue)) == ["low"]


async def test_clients_that_push_again_and_again_share_each_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them had a commit of their own while the others were on the way: it cost each mail 30 us more."""
    names = map(str, itertools.count())
    states: list[QueueState] = []  # of the commits; each brings a new one

    async def share_a_commit() -> bool:
        states.clear()
        for _ in range(2):
            queue.push((job(next(names)),), lambda _: states.append(queue.state()))
        await until(lambda: len(states) == 2)
        return states[0] is states[1]

    async with place_of(tmp_path).queue() as queue:
        while not await share_a_commit():
            pass
        monkeypatch.setattr(writer, "_GATHER", 60.0)
        first = asyncio.create_task(push(queue, job("first")))
        _, pending = await asyncio.wait([first], timeout=0.05)
        assert pending, "it had a commit of its own"
        await asyncio.gather(first, push(queue, job("second")))
        monkeypatch.undo()
        await push(queue, job("alone"))
        monkeypatch.setattr(writer, "_GATHER", 60.0)
        await push(queue, job("alone again"))  # the last commit had one push, so this one waits for none


async def test_a_fault_of_ours_in_a_commit_stops_no_later_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place_of(tmp_path).queue() as queue:
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "insert", lambda *_: {}["a defect"])
            with pytest.raises(Away, match="failed: 'a defect'"):
                await push(queue, job("lost"))
        await until(lambda: queue.refusal is None)
        await push(queue, job("kept"))
        assert ids(await pull(queue)) == ["kept"]


def test_every_text_of_a_job_counts_for_its_size_as_it_takes_memory() -> None:
    """The bound of a pipeline's memory did not hold for them: ids of 10 MB, and empty values, cost nothing."""
    one = job("one", b"12345")
    assert msgspec.structs.replace(one, headers={"ab": ["c", "de"]}).size == one.size + 5 + 3 * TEXT
    assert msgspec.structs.replace(one, headers={"\U0001f600": []}).size == one.size + 4 + TEXT
    assert msgspec.structs.replace(one, id="i" * 1003, name=one.name + "n" * 10).size == one.size + 1010


@as_root
def test_root_s_host_keeps_no_payload_in_a_folder_or_a_link_of_another_user() -> None:
    """A worker's user put a link there, and root wrote the worker's bytes into any folder, and deleted files in it."""
    with public_folder() as folder:
        (folder / "target").mkdir()
        (folder / "target" / "5").write_text("root's")
        theirs = folder / "smtp.db.bodies"
        bodies = Bodies(str(folder / "smtp.db"))
        for make in (lambda: theirs.symlink_to(folder / "target"), theirs.mkdir):
            make()
            os.chown(theirs, NOBODY, -1, follow_symlinks=False)
            for act in (lambda: bodies.add(1, b"x"), lambda: bodies.read(5, 0, 1), lambda: bodies.delete_orphans(bool)):
                with pytest.raises(PermissionError, match="of another user"):
                    act()
            bodies.delete(5)
            assert [each.name for each in (folder / "target").iterdir()] == ["5"]
            if theirs.is_symlink():
                theirs.unlink()


FIRST = """
PRAGMA application_id = 0x72726A62; PRAGMA user_version = 1;
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, priority INTEGER NOT NULL,
    place INTEGER NOT NULL, due REAL NOT NULL, since REAL NOT NULL, attempt INTEGER NOT NULL, size INTEGER NOT NULL,
    name TEXT NOT NULL, auto_ack INTEGER NOT NULL, reason TEXT, died REAL, headers BLOB NOT NULL,
    envelope BLOB NOT NULL, payload BLOB
);
CREATE INDEX waiting ON jobs (priority, place, size) WHERE state = 0;
CREATE INDEX delayed ON jobs (due, place, size) WHERE state = 1;
CREATE INDEX dead ON jobs (id, place, size) WHERE state = 2;
CREATE TABLE held (one INTEGER PRIMARY KEY, numbers BLOB NOT NULL);
INSERT INTO held VALUES (1, '[]');
INSERT INTO jobs VALUES (1, 'large', 0, 10, 1, 0, 0, 1, 5, 'smtp.email', 0, NULL, NULL, X'7B7D', X'', NULL);
INSERT INTO jobs VALUES (2, 'small', 0, 10, 2, 0, 0, 1, 5, 'smtp.email', 0, NULL, NULL, X'7B7D', X'', X'6869');
"""


async def test_a_spool_of_the_first_version_is_worked_off(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "smtp.db")
    connection.executescript(FIRST)
    connection.close()
    bodies = tmp_path / "smtp.db.bodies"
    bodies.mkdir(mode=0o700)
    (bodies / "1").write_bytes(b"a large one")
    async with place_of(tmp_path).queue() as queue:
        large, small = await pull_all(queue, 2)
        assert [bytes(each.job.payload) for each in (large, small)] == [b"a large one", b"hi"]
        large.ack()
        await until(lambda: queue.state().running == 1)
        assert list(bodies.iterdir()) == []
