from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.smtp_plugin.delivery.outcome import ACCEPTED
from rrpy.smtp_plugin.delivery.verdict import CLOSE, read_verdict
from rrpy.smtp_plugin.protocol import replies


def test_the_two_words_accept_and_accept_with_an_end():
    assert read_verdict(b"CONTINUE") is ACCEPTED
    assert read_verdict(b"CLOSE") is CLOSE
    assert (ACCEPTED.replies, ACCEPTED.close) == ((replies.ACCEPTED,), None)
    assert (CLOSE.reply, CLOSE.close) == (replies.ACCEPTED, replies.CLOSED_BY_WORKER)


@pytest.mark.parametrize(
    ("answer", "wire"),
    [
        ({"code": 550, "message": "no such user"}, b"550 5.0.0 no such user\r\n"),
        ({"code": 550, "message": "5.1.1 no such user"}, b"550 5.1.1 no such user\r\n"),
        ({"code": 550, "message": "5.1.1"}, b"550 5.1.1 Message refused\r\n"),
        ({"code": 451, "message": "later"}, b"451 4.0.0 later\r\n"),
        ({"code": 250, "message": "queued as 7"}, b"250 queued as 7\r\n"),
        ({"code": 250}, b"250 OK: message accepted\r\n"),
        ({"code": 550}, b"550 5.0.0 Message refused\r\n"),
        ({"code": 452, "message": " "}, b"452 4.0.0 Temporary failure\r\n"),
        ({"code": "550", "message": "as a text"}, b"550 5.0.0 as a text\r\n"),
        ({"code": 550, "message": "two\r\n250 lines\0"}, b"550 5.0.0 two??250 lines?\r\n"),
        ({"code": 550, "message": "caf\u00e9", "more": [1]}, b"550 5.0.0 caf?\r\n"),
        ({"code": 550, "message": "half an emoji \ud83d"}, b"550 5.0.0 half an emoji ?\r\n"),
        ({"code": 550, "message": None}, b"550 5.0.0 Message refused\r\n"),
    ],
)
def test_a_reply_of_the_worker_s_is_the_client_s_cleaned(answer, wire):
    verdict = read_verdict(json.dumps(answer).encode())
    assert (verdict.reply.plain, verdict.close, verdict.reason) == (wire, None, "")


@pytest.mark.parametrize("code", [-1, 0, 200, 249, 300, 354, 399, 600, 10**30])
def test_a_code_out_of_range_is_a_temporary_failure_with_a_reason(code):
    verdict = read_verdict(b'{"code": %d, "message": "x"}' % code)
    assert verdict.reply is replies.TEMPORARY_FAILURE
    assert verdict.reason


@pytest.mark.parametrize(
    "answer",
    [
        b"{",
        b"{}",
        b'{"code":null}',
        b'{"code":550.5}',
        b'{"code":"no"}',
        b' {"message":"x"}',
        b'{"code":550,"message":[]}',
    ],
)
def test_what_was_to_be_a_reply_and_cannot_be_read_is_a_temporary_failure_with_a_reason(answer):
    verdict = read_verdict(answer)
    assert verdict.reply is replies.TEMPORARY_FAILURE
    assert "neither CONTINUE, CLOSE nor a reply" in verdict.reason


@pytest.mark.parametrize("answer", [b'\xef\xbb\xbf{"code":550,"message":"x"}', b'{"code":550,"message":"x\xff"}'])
def test_a_byte_order_mark_and_a_byte_that_is_no_utf8_do_not_make_a_refusal_an_acceptance(answer):
    assert read_verdict(answer).reply.code == 550


@pytest.mark.parametrize("answer", [b"OK", b"REJECT", b"continue", b'"CONTINUE"', b"[]", b"\xff", b"550 no"])
def test_any_other_text_is_a_temporary_failure_with_a_reason(answer):
    """`REJECT` accepted the message."""
    verdict = read_verdict(answer)
    assert (verdict.reply, verdict.close) == (replies.TEMPORARY_FAILURE, None)
    assert repr(answer.decode("utf-8", "replace")) in verdict.reason


def said(*codes, **options):
    answer = json.dumps({"replies": [{"code": code} for code in codes]}).encode()
    outcome = read_verdict(answer, **options)
    return [each.code for each in outcome.replies], outcome.reason


def test_each_recipient_of_lmtp_has_its_reply():
    assert said(250, 550, 421, recipients=3, lmtp=True) == ([250, 550, 421], "")
    codes, reason = said(250, 550, recipients=3, lmtp=True)
    assert (codes, reason) == ([451], "the answer has 2 replies for 3 recipients")
    assert said(recipients=1, lmtp=True)[0] == [451]
    assert said(250, 354, recipients=2, lmtp=True) == ([451], "the code 354 is not in 250 to 299 or 400 to 599")


def test_a_message_of_smtp_has_one_reply():
    assert said(550, 550, recipients=2) == ([550], "")
    codes, reason = said(250, 550, recipients=2)
    assert (codes, reason[-16:]) == ([451], "they need smtp.lmtp"[-16:])


@pytest.mark.parametrize(
    "answer", [b'{"replies": 5}', b'{"replies": [5]}', b'{"replies": [{}]}', b"{}", b'{"replies": null}']
)
def test_replies_of_another_form_are_a_temporary_failure(answer):
    verdict = read_verdict(answer, lmtp=True)
    assert verdict.reply is replies.TEMPORARY_FAILURE
    assert verdict.reason.startswith("the answer is neither ")


def test_blanks_around_a_word_do_not_count():
    assert read_verdict(b"CONTINUE\r\n") is ACCEPTED
    assert read_verdict(b" CLOSE ") is CLOSE


def test_a_verdict_in_the_body_does_not_count_and_is_named():
    verdict = read_verdict(b"", b"CONTINUE")
    assert verdict.reply is replies.TEMPORARY_FAILURE
    assert verdict.reason.endswith("its context is empty, and its body is 'CONTINUE'")
    empty = read_verdict(b"")
    assert (empty.reply, empty.reason[-11:]) == (replies.TEMPORARY_FAILURE, "it is empty")


def test_what_a_worker_says_is_quoted_cut_and_escaped():
    assert read_verdict(b"\n\x1b[2J" + b"x" * 5000).reason.endswith(r": '\n\x1b[2J" + "x" * 195 + "'")


@given(st.binary(max_size=60))
def test_no_answer_does_harm(answer):
    verdict = read_verdict(answer)
    assert verdict.reply.plain.endswith(b"\r\n")
    assert verdict.reply.plain.count(b"\n") == 1
