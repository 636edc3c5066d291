"""Requests that wait for messages: what each gets, in which order, and what its failure reports."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
from support.inbox.stored import kept, received
from support.inbox.watched import Watched
from support.waiting import TIMEOUT, until

from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.store import selection
from rrpy.inbox.store.store import Store
from rrpy.inbox.wait_request import HostStops, WaitFailed, WaitRequest, wait
from rrpy.inbox.waiting import Target, Waited
from rrpy.mime.matching import Filter, FilterError

pytestmark = pytest.mark.anyio

ANY = Filter()
WANTED = Filter.of(subject="wanted")


def names(waited: Waited) -> list[str]:
    return [each.id for each in waited.messages]


async def got(mailbox: Mailbox, **target: Any) -> list[str]:
    """What a request gets of what is there."""
    return names(await mailbox.waits.wait(Target(target.pop("wanted", ANY), **target), 0))


async def filled(*subjects: str) -> Mailbox:
    mailbox = Mailbox(Store())
    for subject in subjects:
        await mailbox.add(received(subject))
    return mailbox


async def test_a_thousand_waiting_requests_read_the_store_once_each() -> None:
    """Each mail made every waiting request read the store, one after the other, before the next mail."""
    store = Watched()
    mailbox = Mailbox(store)
    ended: list[Waited] = []

    async def waits(after: int = 0) -> None:
        ended.append(await mailbox.waits.wait(Target(WANTED, after), TIMEOUT))

    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(waits)
            group.start_soon(waits, 50)
            await anyio.wait_all_tasks_blocked()
            await until(lambda: store.done.count("find") == 1001)
            for number in range(10):
                await mailbox.add(received(str(number)))
            assert ended == []
            await mailbox.add(received("Wanted"))
            assert store.done.count("find") == 1001
            await until(lambda: len(ended) == 1000)
            (first,) = ended[0].messages
            assert first.message == store.read("Wanted")
            assert {names(each)[0] for each in ended} == {"Wanted"}
            for number in range(40):
                await mailbox.add(received(f"wanted {number}"))
    assert [(each.id, each.number) for each in ended[-1].messages] == [("wanted 39", 51)]


async def test_a_waiting_request_sees_a_mail_that_arrives_while_it_reads_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "SLICE", 0)
    store = Watched()
    for number in range(10):
        kept(store, str(number))
    store.begun.clear()
    store.gate.clear()
    mailbox = Mailbox(store)
    ended: dict[str, list[str]] = {}

    async def waits(name: str, target: Target) -> None:
        ended[name] = names(await mailbox.waits.wait(target, 0))

    async with anyio.create_task_group() as group:
        group.start_soon(waits, "newest", Target(Filter.of(sender="new@b.c")))
        group.start_soon(waits, "oldest", Target(Filter.of(subject="~8|9|new"), newest=False, total=3))
        group.start_soon(waits, "later", Target(ANY, after=None))
        await anyio.to_thread.run_sync(store.begun.wait, TIMEOUT)
        group.start_soon(mailbox.add, received("new", sender="New@b.c"))
        await anyio.wait_all_tasks_blocked()
        store.gate.set()
    assert ended == {"newest": ["new"], "oldest": ["8", "9", "new"], "later": ["new"]}


async def test_a_wait_ends_when_the_host_stops() -> None:
    mailbox = Mailbox(Store())
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:

            async def waits(request: WaitRequest) -> None:
                with pytest.raises(HostStops):
                    await wait(mailbox, request)

            group.start_soon(waits, WaitRequest())
            group.start_soon(waits, WaitRequest(none=True, within=300))
            await anyio.wait_all_tasks_blocked()
            await mailbox.aclose()


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({}, True),
        ({"to": "bob@b.c"}, True),
        ({"to": "carol@b.c"}, False),
        ({"sender": "ann@b.c"}, True),
        ({"sender": "=ann"}, False),
        ({"sender": "the shop"}, True),
        ({"subject": "gr\xfcsse"}, True),
        ({"to": "bob@b.c", "subject": "no"}, False),
        ({"body": "code: 123"}, True),
        ({"body": "~code: \\d{4}"}, False),
        ({"header": "X-Tag: one"}, True),
        ({"header": ["X-Tag: one", "X-Tag: =two"]}, False),
    ],
)
@pytest.mark.parametrize("is_there", [True, False])
async def test_a_message_fits_whether_it_is_there_or_comes(conditions: Any, fits: bool, is_there: bool) -> None:
    head = "From: The Shop <shop@x.y>\nX-Tag: one\nSubject: Sch\xf6ne GR\xfc\xdfE"
    content = f"{head}\n\nYour code: 123\n".encode()
    mail = received("x", sender="Ann@b.c", to=["Dan@b.c", "BOB@b.c"], content=content)
    mailbox = Mailbox(Store())
    ended: list[str] = []

    async def waits() -> None:
        ended.extend(names(await mailbox.waits.wait(Target(Filter.of(**conditions)), TIMEOUT if fits else 0.01)))

    if is_there:
        await mailbox.add(mail)
    async with anyio.create_task_group() as group:
        group.start_soon(waits)
        if not is_there:
            await anyio.wait_all_tasks_blocked()
            await mailbox.add(mail)
    assert ended == (["x"] if fits else [])
    await mailbox.aclose()


async def test_the_newest_or_the_oldest_come_first_and_after_leaves_out_the_others() -> None:
    mailbox = await filled("a", "b", "c", "d")
    assert await got(mailbox) == ["d"]
    assert await got(mailbox, newest=False) == ["a"]
    assert await got(mailbox, total=3) == ["d", "c", "b"]
    assert await got(mailbox, total=3, newest=False) == ["a", "b", "c"]
    assert await got(mailbox, after=2, newest=False) == ["c"]
    assert await got(mailbox, after=4) == []
    assert await got(mailbox, after=None) == []
    assert await got(mailbox, after=2, total=3, newest=False) == ["c", "d"], "fewer than it wants"
    await mailbox.aclose()


async def test_a_message_of_a_claim_goes_to_one_request_and_each_gets_its_own() -> None:
    mailbox = await filled("0", "1", "2")
    assert await got(mailbox, claim="a", newest=False) == ["0"]
    assert await got(mailbox, claim="a", newest=False) == ["1"]
    assert await got(mailbox, claim="b", newest=False) == ["0"]
    assert await got(mailbox, newest=False) == ["0"], "a request without a claim sees every message"
    ended: list[str] = []

    async def waits() -> None:
        ended.extend(names(await mailbox.waits.wait(Target(ANY, claim="a"), TIMEOUT)))

    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(waits)
            await anyio.wait_all_tasks_blocked()
            for number in range(3, 22):
                await mailbox.add(received(str(number)))
    assert Counter(ended) == Counter(str(number) for number in range(2, 22))
    await mailbox.aclose()


async def test_a_request_that_gets_too_few_gives_them_to_the_others_of_its_claim() -> None:
    mailbox = await filled("0")
    assert await got(mailbox, total=3, claim="b") == ["0"]
    assert await got(mailbox, claim="b") == ["0"]
    ended: list[Sequence[str]] = []

    async def waits(target: Target) -> None:
        ended.append(names(await mailbox.waits.wait(target, TIMEOUT)))

    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as first:
                    first.start_soon(waits, Target(ANY, total=3, claim="a"))
                    await until(lambda: any(each.got for each in mailbox.waits.interested(1, "default")))
                    await mailbox.add(received("1"))
                    group.start_soon(waits, Target(ANY, newest=False, claim="a"))
                    group.start_soon(waits, Target(ANY, after=1, claim="a"))
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
    assert sorted(ended) == [["0"], ["1"]]
    await mailbox.aclose()


async def test_what_came_instead_is_told_with_the_reasons() -> None:
    mailbox = await filled("old", "one", "two")
    assert await got(mailbox, wanted=Filter.of(subject="two"), claim="a") == ["two"]
    request = WaitRequest(subject="two", after=1, claim="a", timeout=0, count=2)
    with pytest.raises(WaitFailed) as caught:
        await wait(mailbox, request)
    assert caught.value.report().splitlines() == [
        "no 2 mails with subject='two' within 0 s; received:",
        "  <a@b.c> -> x@y.z | one",
        "      subject: 'one' does not fit 'two'",
        "  <a@b.c> -> x@y.z | two",
        "      claim: another request of 'a' has it",
    ]
    with pytest.raises(WaitFailed, match="no mail within 0 s"):
        await wait(mailbox, WaitRequest(after="now", timeout=0))
    await mailbox.aclose()


async def test_a_wait_for_none_fails_with_the_message_that_comes() -> None:
    mailbox = await filled("one")
    assert await wait(mailbox, WaitRequest(none=True, subject="two", within=0.01)) == []
    with pytest.raises(WaitFailed, match="a mail with subject='one' came within 300 s") as caught:
        await wait(mailbox, WaitRequest(none=True, subject="one", within=300))
    assert [each.summary.subject for each in caught.value.misses] == ["one"]
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:

            async def waits() -> None:
                with pytest.raises(WaitFailed):
                    await wait(mailbox, WaitRequest(none=True, after="latest", within=300))

            group.start_soon(waits)
            await anyio.wait_all_tasks_blocked()
            await mailbox.add(received("two"))
    await mailbox.aclose()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"none": True, "count": 2}, "count does not go with none"),
        ({"none": True, "claim": "a"}, "claim does not go with none"),
        ({"within": 1}, "within goes with none"),
        ({"body": "~("}, "body is not a regular expression"),
    ],
)
def test_a_wait_that_makes_no_sense_is_refused_in_one_sentence(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(FilterError, match=reason):
        WaitRequest(**fields).target()


def test_a_request_in_json_has_the_words_of_the_api() -> None:
    found = msgspec.convert({"from": "ann", "after": "now", "header": ["X: 1"], "count": 3}, WaitRequest)
    assert str(found.target().wanted) == "from='ann', header=X: 1"
    for wrong in ({"after": "later"}, {"count": 0}, {"timeout": 301}, {"order": "random"}, {"too": "x"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, WaitRequest)


@pytest.mark.parametrize("conditions", [{"subject": "~wanted"}, {"header": "Subject: ~wanted"}])
async def test_mail_does_not_wait_for_an_expression(
    conditions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expressions of one request held up every mail: 30 s for a few messages with long headers."""
    mailbox = await filled("there")
    wanted, compares, go_on = Filter.of(**conditions), threading.Event(), threading.Event()
    fits, why_not = Filter.fits, Filter.why_not

    def slowly(compare: Any, *args: Any) -> Any:
        compares.set()
        assert go_on.wait(TIMEOUT)
        return compare(*args)

    monkeypatch.setattr(Filter, "fits", lambda *args: slowly(fits, *args))
    monkeypatch.setattr(Filter, "why_not", lambda *args: slowly(why_not, *args))
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            ended: list[list[str]] = []

            async def waits(after: int) -> None:
                ended.append(names(await mailbox.waits.wait(Target(wanted, after), TIMEOUT)))

            async def misses() -> None:
                ended.append([each.summary.id for each in await mailbox.waits.misses(Target(wanted))])

            group.start_soon(waits, 0)
            group.start_soon(waits, 1)
            group.start_soon(misses)
            await until(compares.is_set)
            await mailbox.add(received("other"))
            await mailbox.add(received("wanted"))
            go_on.set()
    assert sorted(ended)[-2:] == [["wanted"], ["wanted"]]
    await mailbox.aclose()


async def test_a_request_with_an_expression_compares_each_message_once(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = await filled("0", "1")
    compared: list[str] = []
    fits = Filter.fits

    def counted(wanted: Filter, mail: Any) -> bool:
        compared.append(mail.subject[0].text)
        return fits(wanted, mail)

    monkeypatch.setattr(Filter, "fits", counted)
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            group.start_soon(mailbox.waits.wait, Target(Filter.of(subject="~wanted")), TIMEOUT)
            await until(lambda: compared == ["1", "0"])
            for subject in ("2", "wanted"):
                await mailbox.add(received(subject))
    assert "wanted" in compared
    assert set(Counter(compared).values()) == {1}
    await mailbox.aclose()
