"""The pure parts of the driver nats: messages, answers, deliveries and settings, without a server."""

from __future__ import annotations

import json
import sys

import msgspec
import pytest

from rrpy.container.config.fields import decode_field
from rrpy.container.errors import ConfigError
from rrpy.container.log import logger
from rrpy.jobs.drivers.nats.config import NatsConfig, NatsPipeline, NatsTLS
from rrpy.jobs.drivers.nats.dead import seconds
from rrpy.jobs.drivers.nats.delivery import Delivery
from rrpy.jobs.drivers.nats.driver import NatsDriver
from rrpy.jobs.drivers.nats.message import (
    Message,
    body_of,
    from_message,
    from_token,
    message_of,
    parse_headers,
    to_headers,
    to_token,
)
from rrpy.jobs.drivers.nats.requests import read_answer
from rrpy.jobs.protocols import Full, Job, PipelineSettings, Rejected

pytestmark = pytest.mark.anyio

JOB = Job("id", "smtp.email", "smtp", b"body", b"envelope", {"a": ["ü\r\nNats-Rollup: all"]}, 1, 1.5, True)
HOSTILE = "\r\nNats-Rollup: all\0 % ü\ud800 "


def test_a_job_comes_back_as_it_was() -> None:
    sent = msgspec.structs.replace(message_of(JOB), attempt=3, reason="a\nreason")
    assert from_message(parse_headers(to_headers(sent, "id#3")), body_of(sent)) == sent


def test_a_job_whose_body_is_an_object_gets_it_later() -> None:
    sent = message_of(JOB)
    stored = msgspec.structs.replace(
        sent, job=msgspec.structs.replace(JOB, payload=b"", envelope=b""), object="id", length=12
    )
    assert body_of(stored) == b""
    found = from_message(parse_headers(to_headers(stored, "id")), b"")
    assert found == stored
    assert found.whole(b"envelopebody").job == JOB


@pytest.mark.parametrize("field", ["id", "name", "pipeline"])
def test_no_text_of_a_job_ends_a_header_line(field: str) -> None:
    job = Job(**{"id": "i", "name": "n", "pipeline": "p", field: HOSTILE})
    raw = to_headers(Message(job, reason=HOSTILE), HOSTILE)
    assert [line.partition(b":")[0] for line in raw.split(b"\r\n")] == [
        *(b"NATS/1.0", b"Nats-Msg-Id", b"rr_id", b"rr_job", b"rr_pipeline", b"rr_priority", b"rr_reason", b"", b"")
    ]
    headers = parse_headers(raw)
    assert all(value.isascii() and value.isprintable() and value == value.strip() for value in headers.values())
    assert getattr(from_message(headers, b"").job, field) == HOSTILE.replace("\ud800", "?")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"rr_id": "a", "rr_priority": "high"},
        {"rr_id": "a", "rr_headers": '{"a": "b"}'},
        {"rr_id": "a", "rr_headers": "[" * 100_000},
        {"rr_id": "a", "rr_headers": '{"a": ["\\ud800"]}'},
        {"rr_id": "a", "rr_due": "x"},
        {"rr_id": "a", "rr_due": "inf"},
        {"rr_id": "a", "rr_due": "nan"},
        {"rr_id": "a", "rr_priority": "9" * 30},
        {"rr_id": "a", "rr_attempt": "9" * 30},
        {"rr_id": "a", "rr_split": "-1"},
        {"rr_id": "a", "rr_object": "a", "rr_size": "-1"},
        {"rr_id": "%ff"},
        {"rr_id": ""},
        {"rr_id": "a" * 256},
    ],
)
def test_headers_that_are_not_a_jobs_are_said(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not a job"):
        from_message(headers, b"")


@pytest.mark.parametrize("text", ["a", "a.b", "*", ">", "a b", "ü", "0192-ab", ""])
def test_an_id_is_one_token_of_a_subject(text: str) -> None:
    token = to_token(text)
    assert not set(token) & set(" .*>\r\n")
    assert from_token(token) == text


def error(code: int, number: int, text: str = "text") -> bytes:
    return json.dumps({"error": {"code": code, "err_code": number, "description": text}}).encode()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"stream": "s", "seq": 1}', dict),
        (b"+ACK", dict),
        (b"", dict),
        (error(404, 10059, "stream not found"), dict),
        (error(503, 10077, "maximum bytes exceeded"), Full),
        (error(503, 10077, "no space left on device"), Full),
        (error(503, 10023, "insufficient resources"), Full),
        (error(503, 10077, "store is closed"), None),
        (error(503, 10008, "JetStream system temporarily unavailable"), None),
        (error(500, 10009, "JetStream cluster can not handle request"), None),
        (error(409, 10158, "duplicate message id is in process"), None),
        (error(429, 10167, "too many requests"), None),
        (error(400, 10060, "expected stream does not match"), Rejected),
        (error(500, 10074, "replicas > 1 not supported in non-clustered mode"), Rejected),
        (error(503, 10076, "JetStream not enabled"), Rejected),
        (b"\xff", Rejected),
    ],
)
def test_an_answer_is_a_success_a_refusal_or_asked_again(data: bytes, kind: type | None) -> None:
    answer = read_answer(None, data)
    assert answer is None if kind is None else isinstance(answer, kind)


def test_a_stream_without_a_leader_is_asked_again() -> None:
    assert read_answer({"Status": "503"}, b"") is None


@pytest.mark.parametrize(
    ("delivered", "attempt", "redelivered"), [(1, 2, False), (2, 2, True), (3, 2, True), (4, 3, True), (9, 8, True)]
)
@pytest.mark.parametrize("start", ["$JS.ACK.s.c", "$JS.ACK.domain.account.s.c"])
def test_a_host_that_dies_again_and_again_with_a_job_raises_its_attempt(
    start: str, delivered: int, attempt: int, redelivered: bool
) -> None:
    delivery = Delivery(None, f"{start}.{delivered}.77.5.1700000000.0" + ".token" * ("domain" in start), message_of_2())  # type: ignore[arg-type]
    assert (delivery.attempt, delivery.redelivered, delivery.sequence) == (attempt, redelivered, 77)


def message_of_2() -> Message:
    return Message(Job("a", "b", "c"), attempt=2)


def test_the_times_of_the_server_have_nine_decimals() -> None:
    assert seconds("2026-11-29T08:00:00.123456789Z") == pytest.approx(1795939200.123456789)
    assert seconds("2026-11-29T08:00:00Z") == 1795939200


@pytest.mark.parametrize("addr", ["", " , ", "http://a", "nats://"])
def test_an_address_that_is_none_is_named(addr: str) -> None:
    with pytest.raises(ConfigError, match=r"nats\.addr"):
        NatsConfig(addr=addr)


def test_addresses_have_a_scheme() -> None:
    assert NatsConfig(addr="a:4222, tls://b").addresses == ["nats://a:4222", "tls://b"]


def test_a_missing_file_of_tls_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nats\.tls"):
        NatsConfig(tls=NatsTLS(ca="/nowhere")).context()


def settings(name: str, **config: str) -> PipelineSettings:
    return PipelineSettings(name, NatsPipeline(**config), logger("jobs"))


async def test_a_stream_belongs_to_one_pipeline() -> None:
    driver = NatsDriver()
    queue = driver.queue(settings("smtp"))
    assert queue.place == "smtp"
    with pytest.raises(ConfigError, match="stream is 'smtp', the stream of the pipeline smtp"):
        driver.queue(settings("other", stream="smtp", subject="x"))
    with pytest.raises(ConfigError, match="subject is 'smtp', the subject of the pipeline smtp"):
        driver.queue(settings("other", subject="smtp"))
    await queue.aclose()
    driver.queue(settings("other", stream="smtp"))


def test_without_nats_py_a_pipeline_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    with pytest.raises(ConfigError, match=r"pip install 'rrpy\[nats\]'"):
        NatsDriver().queue(settings("smtp"))


def test_a_file_of_credentials_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nats\.credentials is '/nowhere'"):
        NatsDriver(NatsConfig(credentials="/nowhere")).queue(settings("smtp"))


@pytest.mark.parametrize("config", [{"stream": "a.b"}, {"stream": "a*"}, {"subject": "a b"}, {"subject": "a.>"}])
def test_a_name_that_nats_cannot_have_is_refused(config: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(config, NatsPipeline, dec_hook=decode_field)
