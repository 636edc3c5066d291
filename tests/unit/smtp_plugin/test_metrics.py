from __future__ import annotations

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from support.log import Log
from support.smtp_plugin.dialog import Driver

from rrpy.smtp_plugin.delivery.outcome import Outcome, Pending, Running
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.metrics import Statistics
from rrpy.smtp_plugin.session import Envelope, Session

pytestmark = pytest.mark.anyio


class Backend:
    """Answers every message with a given outcome, and notes each call."""

    def __init__(self) -> None:
        self.result: object = None
        self.calls: list[str] = []

    def connected(self, connection):
        self.calls.append("connected")

    def disconnected(self, connection):
        self.calls.append("disconnected")

    def deliver(self, session, envelope):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def statistics(backend) -> Statistics:
    return Statistics(backend)


def number(statistics: Statistics, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry(auto_describe=True)
    for collector in statistics.collectors():
        registry.register(collector)
    return registry.get_sample_value(f"rr_smtp_{name}", labels)


def message(content: bytes = b"12345") -> tuple[Session, Envelope]:
    envelope = Envelope()
    envelope.content = content
    return Session(None), envelope


def results(statistics: Statistics) -> dict[str, float]:
    counted = {result: number(statistics, "messages_total", result=result) for result in RESULTS}
    return {result: count for result, count in counted.items() if count}


RESULTS = ("accepted", "deferred", "rejected")


def test_a_connection_is_open_from_its_begin_to_its_end(statistics, backend):
    first, second = (SimpleNamespace(session=Session(None)) for _ in range(2))
    statistics.connected(first)
    statistics.connected(second)
    assert (number(statistics, "connections_open"), number(statistics, "connections_total")) == (2, 2)
    statistics.disconnected(first)
    assert (number(statistics, "connections_open"), number(statistics, "connections_total")) == (1, 2)
    assert number(statistics, "session_duration_seconds_count") == 1
    assert backend.calls == ["connected", "connected", "disconnected"]


def test_the_end_of_a_connection_that_was_turned_away_is_not_counted(statistics, backend):
    statistics.disconnected(SimpleNamespace(session=Session(None)))
    assert number(statistics, "session_duration_seconds_count") == 0
    assert backend.calls == ["disconnected"]


@pytest.mark.parametrize(
    ("reply", "result"),
    [(replies.ACCEPTED, "accepted"), (replies.TEMPORARY_FAILURE, "deferred"), (replies.BARE_NEWLINE, "rejected")],
)
def test_a_message_is_counted_by_its_reply_whether_that_is_there_or_comes(statistics, backend, reply, result):
    outcome = Outcome((reply, replies.ACCEPTED))
    backend.result = settled = Pending.settled(outcome)
    assert statistics.deliver(*message()) is settled
    assert results(statistics) == {result: 1}
    backend.result = pending = Pending()
    assert statistics.deliver(*message()) is pending
    assert results(statistics) == {result: 1}
    pending.settle(outcome)
    assert results(statistics) == {result: 2}
    assert number(statistics, "message_bytes_total") == 10
    assert number(statistics, "delivery_duration_seconds_count") == 2


async def test_a_delivery_that_fails_counts_as_the_server_s_answer_to_it(statistics, backend):
    async def failing():
        raise RuntimeError("no")

    backend.result = Running(failing(), Log(), "uuid")
    await statistics.deliver(*message()).wait()
    backend.result = RuntimeError("no")
    with pytest.raises(RuntimeError):
        statistics.deliver(*message())
    assert results(statistics) == {"deferred": 2}


def test_the_dialog_tells_its_refusals_its_own_ends_and_what_auth_captured(statistics):
    driver = Driver(Rules(tally=statistics, max_message_size=100))
    driver.send(
        b"NOPE\r\nEHLO x\r\nAUTH PLAIN AHUAcA==\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
    )
    driver.send(b"x" * 200 + b"\r\n.\r\n")
    assert number(statistics, "refusals_total", code="500") == 1
    assert number(statistics, "refusals_total", code="503") == 1
    assert number(statistics, "refusals_total", code="552") == 1
    assert number(statistics, "auth_captures_total", mechanism="PLAIN") == 1
    assert results(statistics) == {"rejected": 1}


def test_the_rules_inside_tls_count_on(statistics):
    assert Rules(tally=statistics).inside_tls().tally is statistics
