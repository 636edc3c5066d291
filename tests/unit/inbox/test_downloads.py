"""The names of downloads."""

from __future__ import annotations

import pytest

from rrpy.inbox.web.downloads import MAX_NAME, attachment_name, message_name


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("Your order #20417", "Your order #20417.eml"),
        ("Grüße / from\r\n  Köln: now?", "Grüße from Köln now.eml"),
        ("../../etc/passwd", "etc passwd.eml"),
        ("gpj.\u202eexe", "gpj. exe.eml"),
        ("\ud800", "message.eml"),
        ("", "message.eml"),
        (" .. ", "message.eml"),
    ],
)
def test_a_message_is_named_by_its_subject(subject: str, name: str) -> None:
    assert message_name(subject) == name


def test_a_long_subject_gives_a_name_that_file_systems_take() -> None:
    name = message_name("ü" * 1000)
    assert name == "ü" * (MAX_NAME // 2) + ".eml"


def test_an_attachment_without_a_name_has_its_types_extension() -> None:
    assert attachment_name("", 2, "application/pdf") == "attachment-2.pdf"
    assert attachment_name("", 1, "x-strange/unknown") == "attachment-1"
    assert attachment_name("a.txt", 1, "application/pdf") == "a.txt"
