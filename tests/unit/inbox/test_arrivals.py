"""Mail on its way into the store: batches, what one mail's fault costs the others, and callers that go away."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.lowlevel
import pytest
from support.inbox.stored import received
from support.waiting import TIMEOUT, until

from rrpy.inbox.protocols import IncomingMail
from rrpy.inbox.records import record_of
from rrpy.inbox.store import arrivals as module
from rrpy.inbox.store.arrivals import Arrivals, Arriving
from rrpy.inbox.store.store import Store, StoreError

pytestmark = pytest.mark.anyio


class Batches:
    """A store of the ids of each batch. `open`: lets the batch under way end; `bad`: an id that makes a batch fail with
    `fault`."""

    def __init__(self) -> None:
        self.stored: list[list[str]] = []
        self.open = anyio.Event()
        self.bad = ""
        self.fault: type[Exception] = StoreError

    async def store(self, mails: Sequence[Arriving]) -> None:
        names = [each.mail.id for each in mails]
        await self.open.wait()
        if self.bad in names:
            raise self.fault(f"{self.bad} cannot be stored")
        self.stored.append(names)


async def nothing() -> bool:
    """Have no rest of the work."""
    return False


async def add_all(arrivals: Arrivals, *mails: IncomingMail) -> dict[str, str]:
    """Add mails at the same time; return "stored" or the error of each."""
    outcome: dict[str, str] = {}

    async def add(mail: IncomingMail) -> None:
        try:
            await arrivals.add(mail)
            outcome[mail.id] = "stored"
        except (StoreError, ValueError) as error:
            outcome[mail.id] = str(error)

    async with anyio.create_task_group() as group:
        for mail in mails:
            group.start_soon(add, mail)
    await arrivals.finish()
    return outcome


async def test_what_waits_is_one_batch_in_the_order_of_arrival() -> None:
    batches = Batches()
    arrivals = Arrivals(batches.store, nothing)
    async with anyio.create_task_group() as group:
        group.start_soon(arrivals.add, received("first"))
        await anyio.wait_all_tasks_blocked()
        for number in range(5):
            group.start_soon(arrivals.add, received(str(number)))
        await anyio.wait_all_tasks_blocked()
        batches.open.set()
    await arrivals.finish()
    assert batches.stored == [["first"], ["0", "1", "2", "3", "4"]]


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_batch_waits_a_moment_for_the_clients_of_the_last_one(
    leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 20 connections a batch had three mails, and each mail a part of a commit and of a turn in the thread."""
    if not leaves:
        monkeypatch.setattr(module, "PAUSE", TIMEOUT)
    batches = Batches()
    arrivals = Arrivals(batches.store, nothing)

    async def client(number: int) -> None:
        await arrivals.add(received(str(number)))
        for _ in range(10 * number):
            await anyio.lowlevel.checkpoint()
        if not (leaves and number == 2):
            await arrivals.add(received(f"{number} again"))

    async with anyio.create_task_group() as group:
        group.start_soon(arrivals.add, received("first"))
        await anyio.wait_all_tasks_blocked()
        for number in range(3):
            group.start_soon(client, number)
        await anyio.wait_all_tasks_blocked()
        batches.open.set()
    await arrivals.finish()
    assert batches.stored[:2] == [["first"], ["0", "1", "2"]]
    again = [each for batch in batches.stored[2:] for each in batch]
    assert again == [f"{number} again" for number in range(2 if leaves else 3)]
    assert leaves or len(batches.stored) == 3


@pytest.mark.parametrize("fault", [StoreError, ValueError])
async def test_one_mail_that_cannot_be_stored_fails_alone(fault: type[Exception]) -> None:
    """A fault of ours with one mail refused those that arrived at the same time too."""
    batches = Batches()
    batches.bad, batches.fault = "1", fault
    batches.open.set()
    outcome = await add_all(Arrivals(batches.store, nothing), *(received(str(number)) for number in range(3)))
    assert outcome == {"0": "stored", "1": "1 cannot be stored", "2": "stored"}
    assert batches.stored == [["0"], ["2"]]


async def test_a_caller_that_goes_away_takes_its_own_mail_alone() -> None:
    batches = Batches()
    arrivals = Arrivals(batches.store, nothing)
    scopes = {}

    async def add(name: str) -> None:
        with anyio.CancelScope() as scopes[name]:
            await arrivals.add(received(name))

    async with anyio.create_task_group() as group:
        for name in ("under way", "waits", "goes away", "stays"):
            group.start_soon(add, name)
            await anyio.wait_all_tasks_blocked()
        scopes["under way"].cancel()
        scopes["goes away"].cancel()
        await anyio.wait_all_tasks_blocked()
        batches.open.set()
    await arrivals.finish()
    assert batches.stored == [["under way"], ["waits", "stays"]], "one that was being stored is stored"


async def test_a_batch_is_bounded_in_mails_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MAILS", 3)
    monkeypatch.setattr(module, "MAX_BYTES", 2000)
    batches = Batches()
    arrivals = Arrivals(batches.store, nothing)
    async with anyio.create_task_group() as group:
        for name, size in (("a", 1), ("b", 1), ("c", 1), ("d", 1500), ("e", 1500), ("f", 5000), ("g", 1)):
            group.start_soon(arrivals.add, received(name, "x" * size))
        await anyio.wait_all_tasks_blocked()
        batches.open.set()
    assert batches.stored == [["a", "b", "c"], ["d"], ["e"], ["f"], ["g"]]


async def test_a_fault_of_ours_reaches_each_caller_and_stops_nothing() -> None:
    async def broken(mails: Sequence[Arriving]) -> None:
        raise RuntimeError("a defect")

    arrivals = Arrivals(broken, nothing)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="a defect"):
            await arrivals.add(received("x"))


async def test_the_rest_of_the_work_is_done_when_no_mail_waits() -> None:
    batches = Batches()
    batches.open.set()
    order: list[str] = []
    pieces = anyio.Semaphore(0)

    async def rest() -> bool:
        await pieces.acquire()
        order.append(f"rest after {len(batches.stored)}")
        return len(order) < 4

    arrivals = Arrivals(batches.store, rest)
    await arrivals.add(received("first"))
    pieces.release()
    await anyio.wait_all_tasks_blocked()
    assert order == ["rest after 1"]
    async with anyio.create_task_group() as group:
        for name in ("second", "third"):
            group.start_soon(arrivals.add, received(name))
        await anyio.wait_all_tasks_blocked()
        assert batches.stored == [["first"]], "one piece goes before mail at most"
        pieces.release()
    assert batches.stored == [["first"], ["second", "third"]]
    pieces.release()
    await until(lambda: len(order) == 3)
    pieces.release()
    await arrivals.finish()
    assert order == [f"rest after {count}" for count in (1, 1, 2, 2)], "the end waits for one piece at most"


async def test_a_failing_rest_ends_and_mail_is_stored() -> None:
    async def rest() -> bool:
        raise StoreError("the disk is gone")

    batches = Batches()
    batches.open.set()
    arrivals = Arrivals(batches.store, rest)
    arrivals.start()
    for number in range(2):
        await arrivals.add(received(str(number)))
    await arrivals.finish()
    assert batches.stored == [["0"], ["1"]]


async def test_the_rest_of_the_work_does_not_hold_up_the_end() -> None:
    async def rest() -> bool:
        await anyio.lowlevel.checkpoint()
        return True

    arrivals = Arrivals(Batches().store, rest)
    arrivals.start()
    await anyio.lowlevel.checkpoint()
    await arrivals.finish()


def test_a_batch_larger_than_the_limits_keeps_its_newest() -> None:
    store = Store(max_messages=2)
    store.add(record_of(received("old")))
    batch = store.add(*(record_of(received(str(number))) for number in range(5)))
    assert [each.number for each in batch.added] == [2, 3, 4, 5, 6]
    assert batch.evicted == ["old", "0", "1", "2"]
    assert store.total == 2
    small = Store(max_bytes=1)
    assert small.add(*(record_of(received(str(number))) for number in range(3))).evicted == ["0", "1"]
    assert (small.total, small.bytes > 0) == (1, True)
