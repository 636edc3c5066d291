"""A model of a queue, for hypothesis: any order of pushes, pulls, settlements and restarts."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.jobs.places import Place, ids, job, pull, pull_all, push
from support.waiting import until

from rrpy.jobs.protocols import Delivery

IDS = st.integers(0, 20).map(str)


async def call(method: Callable[..., None], *arguments: Any) -> None:
    """Call a method on the event loop, as the host does."""
    method(*arguments)


class QueueMachine(RuleBasedStateMachine):
    """`waiting`: {id: (priority, place)}; the model's place is from one counter for pushes and retries.

    `remembers`: the queue knows the ids of jobs that are gone, and drops a later push of one. `counts`: its figures
    are those of this moment.
    """

    durable: ClassVar[bool] = False
    remembers: ClassVar[bool] = False
    counts: ClassVar[bool] = True

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
        self.known: set[str] = set()
        self.counter = self.duplicates = 0

    def make(self, folder: Path) -> Place:
        raise NotImplementedError

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def next_place(self) -> int:
        self.counter += 1
        return self.counter

    @rule(job_id=IDS, priority=st.integers(0, 3))
    def push(self, job_id: str, priority: int) -> None:
        self.run(push(self.queue, job(job_id, priority=priority)))
        if job_id in (self.known if self.remembers else self.attempts):
            self.duplicates += 1
        else:
            self.waiting[job_id] = priority, self.next_place()
            self.attempts[job_id] = 1
            self.known.add(job_id)

    @precondition(lambda self: self.waiting)
    @rule(jobs=st.integers(1, 4))
    def pull(self, jobs: int) -> None:
        if self.queue.sorts:
            found = self.run(pull(self.queue, jobs))
            assert ids(found) == sorted(self.waiting, key=self.waiting.__getitem__)[:jobs]
        else:  # all of them, because an example must not depend on the order
            found = self.run(pull_all(self.queue, len(self.waiting)))
            assert sorted(ids(found)) == sorted(self.waiting)
        for each in found:
            assert each.attempt == self.attempts[each.job.id]
            self.held[each.job.id] = each, self.waiting.pop(each.job.id)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), kind=st.sampled_from(["ack", "retry", "give_back", "dead"]))
    def settle(self, data: st.DataObject, kind: str) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.held)))
        delivery, place = self.held.pop(job_id)
        arguments = {"retry": (0,), "dead": ("it failed",)}.get(kind, ())
        self.run(call(getattr(delivery, kind), *arguments))
        if kind == "ack":
            del self.attempts[job_id]
        elif kind == "retry":
            self.attempts[job_id] += 1
            self.waiting[job_id] = place[0], self.next_place()
        elif kind == "give_back":
            self.waiting[job_id] = place
        else:
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
    def figures_agree(self) -> None:
        expected = len(self.waiting), len(self.held), len(self.dead), self.duplicates

        def agree() -> bool:
            state = self.queue.state()
            found = state.waiting, state.running, state.dead, state.duplicates
            return found == expected if self.counts else found[-1] == self.duplicates

        self.run(until(agree, f"{expected}, but {self.queue.state()}"))
        assert [each.id for each in self.run(self.queue.list_dead(99))] == sorted(self.dead)

    def teardown(self) -> None:
        """Take the rest: the queue has each job that waits, and no other."""
        try:
            found = self.run(pull_all(self.queue, len(self.waiting)))
            assert {each.job.id: each.attempt for each in found} == {each: self.attempts[each] for each in self.waiting}
        finally:
            self.run(self.stack.aclose())
            self.runner.close()
            self.folder.cleanup()
