"""The mail of a request to Mailpit's `/api/v1/send`: what it becomes, and what is refused before it costs much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rrpy.inbox.web.mailpit_send import sent_mail
from rrpy.inbox.web.problems import Problem

BODY: dict[str, Any] = {"From": {"Email": "a@b.c", "Name": "Ann"}, "To": [{"Email": "d@e.f"}], "Subject": "s"}


def sent(**values: Any) -> Any:
    return sent_mail(json.dumps(BODY | values).encode())


def test_a_body_becomes_a_mail() -> None:
    mail = sent(Text="hi", Bcc=["g@h.i"], Headers={"X-A": "b"}, Subject="é" * 2000)
    assert (mail.sender, mail.to) == ("a@b.c", ["d@e.f", "g@h.i"])
    assert mail.message.subject == "é" * 2000
    assert b"X-A: b" in mail.content


@pytest.mark.parametrize(
    "values",
    [
        {"Subject": "=?utf-8?q?a?= " * 20_000},  # it took 2.7 GB of memory
        {"From": {"Email": "a@b.c", "Name": 'é"' * 150_000}},  # and this more than half a minute
        {"From": {"Email": "(" * 100_000 + "a@b.c"}},
        {"From": {"Email": "(" * 300}},
        {"To": [{"Email": "d@e.f"}] * 501},
        {"Bcc": ["d@e.f"] * 501},
        {"Headers": {f"X-{number}": "" for number in range(101)}},
        {"Headers": {"X-A": "é" * 2001}},
        {"Headers": {"Content-Type": "multipart/mixed; boundary=x"}},
        {"Attachments": [{"Content": "", "Filename": "x"}] * 101},
    ],
)
def test_what_the_library_would_take_long_for_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Problem) as raised:
        sent(**values)
    assert raised.value.status == 400
