from __future__ import annotations

from datetime import datetime

import pytest

from rrpy.mime.fields import Fields, read_date, read_ids


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Sun, 29 Nov 2026 00:10:06 +0100", "2026-11-29T00:10:06+01:00"),
        (b"29 Nov 2026 00:10 -0330", "2026-11-29T00:10:00-03:30"),
        (b"Sun, 29 Nov 2026 00:10:06 -0000 (UTC)", "2026-11-29T00:10:06+00:00"),
        (b"29 Nov 26 0:10 EST", "2026-11-29T00:10:00-05:00"),
        (b"29 Nov 99 00:10:06 PDT", "1999-11-29T00:10:06-07:00"),
        (b"29 Nov 126 00:10:06 GMT", "2026-11-29T00:10:06+00:00"),
        (b"Sun, 29 Nov 2026 00:10:60 Z", "2026-11-29T00:10:59+00:00"),
        (b"(a) Sun, 29 (b) Nov 2026 00:10:06 (c) +0100", "2026-11-29T00:10:06+01:00"),
        (b"Sun,29 November 2026 00.10.06 +01:00", "2026-11-29T00:10:06+01:00"),
        (b"Sun, 29 Nov 2026 00:10:06 GMT+0200", "2026-11-29T00:10:06+02:00"),
        (b"Sun, 29-Nov-2026 00:10:06", "2026-11-29T00:10:06+00:00"),
        (b"Sun Nov 29 00:10:06 2026 +0100", "2026-11-29T00:10:06+01:00"),
        (b"Sun Nov  9 00:10:06 PST 2026", "2026-11-09T00:10:06-08:00"),
        (b"2026-11-29T00:10:06Z", "2026-11-29T00:10:06+00:00"),
        (b"2026-11-29 00:10:06+01:00", "2026-11-29T00:10:06+01:00"),
    ],
)
def test_a_date_is_read(value: bytes, expected: str) -> None:
    assert read_date(value) == expected
    assert datetime.fromisoformat(expected).tzinfo is not None


@pytest.mark.parametrize(
    "value",
    [
        b"", b"yesterday", b"31 Feb 2026 00:00:00 +0000", b"1 Foo 2026 00:00:00 +0000", b"1 Jan 2026 25:00:00 +0000",
        b"1 Jan 2026 00:00 +9959", b"1 Jan 2026 00:00 +0160", b"1 Jan 0000 00:00:00 +0000", b"2026-11-29", b"\xff\0",
        b"1 Jan 2026 00:00 +0000" + b" " * 1000, "\u0661 Jan 2026 00:00".encode(),
    ],
)  # fmt: skip
def test_a_date_that_cannot_be_read_is_none(value: bytes) -> None:
    assert read_date(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"<a@x.y> <b@x.y>", ["a@x.y", "b@x.y"]),
        (b"<a@x.y><b@x. y>(c)", ["a@x.y", "b@x.y"]),
        (b"Your mail of Monday, <a@x.y>", ["a@x.y"]),
        (b"a@x.y, and more", ["a@x.y,"]),
        (b"<>", []),
        (b"nothing", []),
    ],
)
def test_identifiers_are_read(value: bytes, expected: list[str]) -> None:
    assert read_ids([value]) == expected


def test_fields_are_found_in_any_case() -> None:
    fields = Fields(
        [
            (b"FROM", b"Ann <ann@x.y>"),
            (b"sender", b"bot@x.y"),
            (b"Reply-To", b"r@x.y"),
            (b"To", b"a@x.y"),
            (b"to", b"b@x.y"),
            (b"CC", b"c@x.y"),
            (b"Bcc", b"d@x.y"),
            (b"Date", b"1 Jan 2026 00:00 +0000"),
            (b"In-Reply-To", b"<i@x.y>"),
            (b"References", b"<r@x.y> <s@x.y>"),
            (b"X-Odd", b"=?utf-8?q?a?= \xff\0"),
        ],
        None,
    )
    assert [str(each) for each in fields.from_] == ["Ann <ann@x.y>"]
    assert [[each.address for each in found] for found in (fields.sender, fields.reply_to, fields.to)] == [
        ["bot@x.y"],
        ["r@x.y"],
        ["a@x.y", "b@x.y"],
    ]
    assert [[each.address for each in found] for found in (fields.cc, fields.bcc)] == [["c@x.y"], ["d@x.y"]]
    assert (fields.date, fields.in_reply_to) == ("2026-01-01T00:00:00+00:00", ["i@x.y"])
    assert fields.references == ["r@x.y", "s@x.y"]
    assert fields.headers_list[0] == ("FROM", "Ann <ann@x.y>")
    assert fields.headers_list[-1] == ("X-Odd", "=?utf-8?q?a?= \\xff\\x00")


def test_what_is_absent_is_empty() -> None:
    fields = Fields([(b"X", b"y")], None)
    assert (fields.from_, fields.to, fields.date, fields.references) == ([], [], None, [])
