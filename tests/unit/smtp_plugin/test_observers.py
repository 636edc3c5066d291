"""A message as observers get it."""

from __future__ import annotations

import threading

import pytest
from support.inbox.stored import received
from support.waiting import TIMEOUT

from rrpy.mime.message import Message
from rrpy.smtp_plugin.delivery import observers


def test_a_message_is_parsed_once() -> None:
    mail = received("hi")
    assert mail.message.subject == "hi"
    assert mail.message is mail.message


def test_a_message_that_takes_long_to_parse_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """All messages shared a lock: one of 25 MB held up the mail of all others for 50 s."""
    begun, go_on = threading.Event(), threading.Event()
    parse = observers.parse

    def slow(content: bytes) -> Message:
        if b"slow" in content:
            begun.set()
            assert go_on.wait(TIMEOUT)
        return parse(content)

    monkeypatch.setattr(observers, "parse", slow)
    first, second = received("slow"), received("quick")
    subjects: list[str] = []
    threads = [
        threading.Thread(target=lambda mail=mail: subjects.append(mail.message.subject)) for mail in (first, second)
    ]  # type: ignore[misc]
    threads[0].start()
    assert begun.wait(TIMEOUT)
    threads[1].start()
    threads[1].join(TIMEOUT / 2)
    held_up = not subjects
    go_on.set()
    for each in threads:
        each.join()
    assert not held_up
    assert subjects == ["quick", "slow"]
