"""The states of a queue, against a model: any order of pushes, pulls and settlements, for the drivers that sort."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.jobs.places import Place, ids, job, pull, push
from support.waiting import until

from rrpy.jobs.drivers.memory import MemoryDriver
from rrpy.jobs.drivers.sqlite.driver import SQLiteDriver
from rrpy.jobs.protocols import Delivery

IDS = st.integers(0, 20).map(str)


class QueueMachine(RuleBasedStateMachine):
    """`waiting`: {id: (priority, place)}; the model's place is from one counter for pushes and retries."""

    durable: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.place = self.make(Path(self.folder.name))
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.queue = self.run(self.stack.enter_async_context(self.place.queue()))
        self.waiting: dict[str, tuple[int, int]] = {}
        self.held: dict[str, tuple[Delivery, tuple[int, int]]] = {}
        self.dead: dict[str, int] = {}
        self.attempts: dict[str, int] = {}
        self.counter = self.duplicates = 0

    def make(self, folder: Path) -> Place:
        return Place(MemoryDriver, {}, durable=False)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def next_place(self) -> int:
        self.counter += 1
        return self.counter

    @rule(job_id=IDS, priority=st.integers(0, 3))
    def push(self, job_id: str, priority: int) -> None:
        self.run(push(self.queue, job(job_id, priority=priority)))
        if job_id in self.attempts:
            self.duplicates += 1
        else:
            self.waiting[job_id] = priority, self.next_place()
            self.attempts[job_id] = 1

    @precondition(lambda self: self.waiting)
    @rule(jobs=st.integers(1, 4))
    def pull(self, jobs: int) -> None:
        found = self.run(pull(self.queue, jobs))
        expected = sorted(self.waiting, key=self.waiting.__getitem__)[:jobs]
        assert ids(found) == expected
        for each in found:
            assert each.attempt == self.attempts[each.job.id]
            self.held[each.job.id] = each, self.waiting.pop(each.job.id)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), kind=st.sampled_from(["ack", "retry", "give_back", "dead"]))
    def settle(self, data: st.DataObject, kind: str) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.held)))
        delivery, place = self.held.pop(job_id)
        if kind == "ack":
            delivery.ack()
            del self.attempts[job_id]
        elif kind == "retry":
            delivery.retry(0)
            self.attempts[job_id] += 1
            self.waiting[job_id] = place[0], self.next_place()
        elif kind == "give_back":
            delivery.give_back()
            self.waiting[job_id] = place
        else:
            delivery.dead("it failed")
            self.dead[job_id] = place[0]

    @rule(chosen=st.lists(IDS, max_size=3, unique=True), kind=st.sampled_from(["revive", "purge"]))
    def change_dead(self, chosen: list[str], kind: str) -> None:
        known = [each for each in chosen if each in self.dead]
        assert self.run(getattr(self.queue, kind)(chosen)) == len(known)
        for each in known:
            priority = self.dead.pop(each)
            if kind == "revive":
                self.waiting[each] = priority, self.next_place()
                self.attempts[each] = 1
            else:
                del self.attempts[each]

    @precondition(lambda self: self.durable)
    @rule()
    def restart(self) -> None:
        """The held jobs are where they were."""
        self.run(self.stack.aclose())
        self.stack = AsyncExitStack()
        self.queue = self.run(self.stack.enter_async_context(self.place.queue()))
        self.waiting |= {job_id: place for job_id, (_, place) in self.held.items()}
        self.held.clear()
        self.duplicates = 0

    @invariant()
    def counts_agree(self) -> None:
        expected = len(self.waiting), len(self.held), len(self.dead), self.duplicates

        def agree() -> bool:
            state = self.queue.state()
            return (state.waiting, state.running, state.dead, state.duplicates) == expected

        self.run(until(agree, f"{expected}, but {self.queue.state()}"))
        assert [each.id for each in self.run(self.queue.list_dead(99))] == sorted(self.dead)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


class SpoolMachine(QueueMachine):
    durable = True

    def make(self, folder: Path) -> Place:
        return Place(SQLiteDriver, {"file": str(folder / "smtp.db")}, durable=True)


TestMemory = QueueMachine.TestCase
TestMemory.settings = settings(max_examples=40, stateful_step_count=40)
TestSQLite = SpoolMachine.TestCase
TestSQLite.settings = settings(max_examples=10, stateful_step_count=30)
