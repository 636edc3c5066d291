"""What the answers of workers mean, as PHP's job workers and workers of mail send them."""

from __future__ import annotations

import pytest

from rrpy.jobs.answers import Answer, Meaning, read_answer
from rrpy.jobs.job import MAX_DELAY

DONE = Answer(Meaning.DONE)
NO_REASON = "the worker gave no reason"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", DONE),
        (b'{"type":0,"data":[]}', DONE),
        (b'{"type":2,"data":[]}', DONE),
        (b'{"type":0}', DONE),
        (
            b'{"type":1,"data":{"message":"a\\nb","requeue":true,"delay_seconds":5,"headers":{"attempt":["3"],"y":"3"}}}',
            Answer(Meaning.FAILED, "a b", 5, {"y": ["3"]}),
        ),
        (
            b'{"type":1,"data":{"message":"m","requeue":true,"delay_seconds":0,"headers":[]}}',
            Answer(Meaning.FAILED, "m", 0, None),
        ),
        (b'{"type":1,"data":{"message":"m","requeue":false}}', Answer(Meaning.DEAD, "m")),
        (b'{"type":1,"data":[]}', Answer(Meaning.DEAD, NO_REASON)),
        (b'{"type":3,"data":{"message":"m","redelivery":true,"delay_seconds":7}}', Answer(Meaning.FAILED, "m", 7)),
        (
            b'{"type":3,"data":{"message":"m","redelivery":true,"delay_seconds":1e300}}',
            Answer(Meaning.FAILED, "m", MAX_DELAY),
        ),
        (b'{"type":3,"data":{"message":"m","requeue":true}}', Answer(Meaning.FAILED, "m", 0)),
        (b'{"type":3,"data":{"message":"m","redelivery":false}}', Answer(Meaning.DEAD, "m")),
        (
            b'{"type":4,"data":{"message":"m","delay_seconds":-1,"headers":{"a":["b"]}}}',
            Answer(Meaning.AGAIN, "m", 0, {"a": ["b"]}),
        ),
    ],
)
def test_an_answer_in_the_body(body: bytes, expected: Answer) -> None:
    assert read_answer(b"", body) == expected


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"{}", b'{"type":9}', b'{"type":1,"data":"x"}', b"\xff" * 999, b"[" * 9999]
)
def test_an_answer_that_cannot_be_read_is_a_failed_attempt(body: bytes) -> None:
    answer = read_answer(b"", body)
    assert (answer.meaning, answer.delay) == (Meaning.FAILED, None)
    assert answer.reason.startswith("the answer of the worker is not an answer to a job: '")
    assert len(answer.reason) < 1000


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (b"CONTINUE", DONE),
        (b"CLOSE", DONE),
        (b'{"code":250,"message":"queued"}', DONE),
        (b'{"code":451,"message":"later"}', Answer(Meaning.FAILED, "451 later")),
        (b'{"code":550,"message":"no"}', Answer(Meaning.DEAD, "550 no")),
        (
            b'{"replies":[{"code":250},{"code":550,"message":"no"},{"code":450,"message":"full"}]}',
            Answer(Meaning.FAILED, "450 full"),
        ),
        (b'{"replies":[{"code":250},{"code":550,"message":"no"}]}', Answer(Meaning.DEAD, "550 no")),
        (b'{"mine":1}', DONE),
        (b"{", DONE),
    ],
)
def test_a_verdict_about_mail_in_the_context(context: bytes, expected: Answer) -> None:
    assert read_answer(context, b"") == expected
