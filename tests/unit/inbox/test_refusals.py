"""The refusals of the inbox: their bounds, and that they are never messages."""

from __future__ import annotations

import msgspec
import pytest
from support.inbox.stored import received

from rrpy.inbox.feed import Feed, room_of_feed
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.refusals import MAX_BYTES, MAX_REFUSALS, Refusal, Refusals, room_of_refusals
from rrpy.inbox.store.store import Store
from rrpy.inbox.waiting import Target
from rrpy.mime.matching import Filter
from rrpy.smtp_plugin.delivery.refusals import RefusalReport

pytestmark = pytest.mark.anyio


def report(command: str = "MAIL FROM:<a b>", number: int = 1) -> RefusalReport:
    return RefusalReport(
        number=number,
        at="2026-11-29T00:00:00.000000+00:00",
        uuid="u",
        remote_addr="192.0.2.1:1",
        helo="h",
        sender="a@b.c",
        to=["x@y.z"],
        recipients=1,
        command=command,
        code=501,
        reply="5.1.7 Bad sender address syntax",
        setting="smtp.max_recipients: 1",
        reason="",
        ended=False,
        left_out=0,
    )


def commands(refusals: Refusals) -> list[str]:
    return [msgspec.json.decode(each, type=Refusal).command for each in refusals.newest_first().refusals]


def test_the_newest_stay_within_both_bounds() -> None:
    few = Refusals(most=3)
    for number in range(5):
        few.add(report(str(number)))
    assert commands(few) == ["4", "3", "2"]
    small = Refusals(max_bytes=2000)
    for number in range(100):
        small.add(report(str(number)))
        assert small.bytes <= 2000
    assert commands(small)[0] == "99"
    small.add(report("x" * 2000))
    assert commands(small) == []
    assert small.bytes == 0


@pytest.mark.parametrize(("max_bytes", "room"), [(0, MAX_BYTES), (3200, 100), (1 << 30, MAX_BYTES)])
def test_their_room_is_a_part_of_that_of_the_feed_so_that_mail_has_as_much_as_before(max_bytes: int, room: int) -> None:
    assert room_of_refusals(room_of_feed(max_bytes)) == room


async def test_a_refusal_is_no_message_and_pushes_none_out() -> None:
    mailbox = await Mailbox.open("", max_messages=2, max_bytes=0)
    for name in ("one", "two"):
        await mailbox.add(received(name))
    for number in range(MAX_REFUSALS + 1):
        mailbox.refuse(report(number=number))
    found = await mailbox.list_messages(limit=10, before=None)
    assert (found.total, len(found.messages), mailbox.refusals.newest_first().total) == (2, 2, 2)
    assert not (await mailbox.waits.wait(Target(Filter.of(sender="a@b.c", to="x@y.z"), after=2), timeout=0)).messages
    assert await mailbox.clear() == 2
    assert mailbox.refusals.newest_first().total == 2
    assert mailbox.clear_refusals() == 2
    await mailbox.aclose()


async def test_a_message_that_a_worker_refused_is_both() -> None:
    mailbox = Mailbox(Store())
    await mailbox.add(received("refused", code=550, reply="5.0.0 no", reason="why"))
    await mailbox.add(received("accepted"))
    (entry,) = mailbox.refusals.newest_first().refusals
    refusal = msgspec.json.decode(entry, type=Refusal)
    assert (refusal.message, refusal.code, refusal.reply, refusal.reason) == ("refused", 550, "5.0.0 no", "why")
    await mailbox.aclose()


async def test_a_cleared_refusal_leaves_the_feed_too() -> None:
    feed = Feed()
    mailbox = Mailbox(Store(), feed)
    mailbox.refuse(report("secret place"))
    mailbox.clear_refusals()
    assert [(event.name, event.data) for event in feed._ring] == [("refusals_cleared", b"{}")] * 2
    assert feed.bytes == sum(event.bytes for event in feed._ring)
    await mailbox.aclose()
