from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from support.log import Log

from rrpy import Status
from rrpy.container.config.fields import Duration
from rrpy.ops.checks import CheckReport, Checks

pytestmark = pytest.mark.anyio


def checks(log: Log | None = None, timeout: float = 20, code: int = 503, **plugins) -> Checks:
    made = Checks("readiness", log or Log(), timeout=Duration(timeout), code=code)
    for name, check in plugins.items():
        made.add(name, check)
    return made


async def later() -> Status:
    await anyio.lowlevel.checkpoint()
    return Status(201, "soon")


def broken() -> Status:
    raise RuntimeError("the disk is full")


def nameless() -> Status:
    raise KeyError


async def test_every_plugin_is_asked_in_the_order_of_its_name():
    made = checks(b=lambda: Status(200), a=later)
    assert await made.report() == [CheckReport("a", "soon", 201), CheckReport("b", "", 200)]


async def test_those_that_are_named_are_asked_alone_each_once_and_one_that_is_not_there_is_said_so():
    asked = []
    made = checks(a=lambda: asked.append("a") or Status(200), b=lambda: asked.append("b") or Status(200))
    assert await made.report(["x", "a", "a"]) == [
        CheckReport("x", "no such plugin, or it has no such check", 404),
        CheckReport("a", "", 200),
    ]
    assert asked == ["a"]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: Status(503, "no worker is up"), "no worker is up"),
        (lambda: Status(500), "its readiness_check() returned 500"),
        (lambda: Status(404), "its readiness_check() returned 404"),
        (lambda: Status(0), "its readiness_check() returned 0"),
        (broken, "the disk is full"),
        (nameless, "KeyError"),
        (lambda: None, "its readiness_check() returned NoneType, not a Status"),
        (lambda: False, "its readiness_check() returned bool, not a Status"),
    ],
)
async def test_what_is_not_fine_is_unavailable_and_says_why(check, message):
    assert await checks(code=555, a=check).report() == [CheckReport("a", message, 555)]


@pytest.mark.parametrize("code", [100, 200, 399, 400])
async def test_the_codes_that_roadrunner_takes_for_fine_are_fine(code):
    assert await checks(a=lambda: Status(code)).report() == [CheckReport("a", "", code)]


async def test_a_check_that_hangs_is_unavailable_and_holds_up_nobody_else():
    made = checks(timeout=0.05, hangs=anyio.sleep_forever, fine=later)
    with anyio.fail_after(20):
        reports = await made.report()
    assert reports == [
        CheckReport("fine", "soon", 201),
        CheckReport("hangs", "its readiness_check() did not return within 50ms", 503),
    ]


async def test_a_check_that_has_a_time_limit_of_its_own_says_its_own_words():
    async def slow() -> Status:
        raise TimeoutError("the database did not answer")

    assert await checks(a=slow).report() == [CheckReport("a", "the database did not answer", 503)]


async def test_the_log_has_one_line_for_each_change():
    log, says = Log(), Status(503, "tired")
    made = checks(log, a=lambda: says)
    for says in (Status(503, "tired"), Status(503, "asleep"), Status(200), Status(200), Status(503, "tired again")):  # noqa: B007
        await made.report()
    assert log.lines == [
        ("warning", "plugin is unavailable", {"plugin": "a", "check": "readiness", "reason": "tired"}),
        ("info", "plugin is available again", {"plugin": "a", "check": "readiness"}),
        ("warning", "plugin is unavailable", {"plugin": "a", "check": "readiness", "reason": "tired again"}),
    ]


async def test_all_can_be_told_the_same_without_being_asked():
    made = checks(a=broken, b=broken)
    assert made.same_for_all("bye", 200) == [CheckReport("a", "bye", 200), CheckReport("b", "bye", 200)]
    assert made.same_for_all("bye", 503, ["b"]) == [CheckReport("b", "bye", 503)]


async def test_checks_that_come_and_go_are_asked_for_at_each_report_and_a_plugin_s_own_counts_more():
    pools = {"orders": lambda: Status(503, "no worker is up"), "smtp": lambda: Status(503, "not this one")}
    made = checks(smtp=lambda: Status(200))
    made.add_source(lambda: pools)
    assert await made.report() == [CheckReport("orders", "no worker is up", 503), CheckReport("smtp", "", 200)]
    assert "orders" in made
    assert (await made.status("orders")).code == 503
    del pools["orders"]
    assert await made.report() == [CheckReport("smtp", "", 200)]
    assert "orders" not in made


async def test_a_check_that_goes_while_a_report_runs_is_in_that_report():
    pools = {"orders": lambda: pools.clear() or Status(200), "slow": lambda: Status(200)}
    made = checks()
    made.add_source(lambda: pools)
    assert await made.report() == [CheckReport("orders", "", 200), CheckReport("slow", "", 200)]
