"""The language of a search: what each term means, what is plain text, and which searches are wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inbox.stored import ids, received

from rrpy.inbox.records import Record, Summary, record_of
from rrpy.inbox.store.query import EVERYTHING, OPERATORS, QueryError, parse
from rrpy.inbox.store.store import Store
from rrpy.mime.message import parse as parse_message

HEADERS = (
    "From: Ann Müller <ann@shop.example>\r\nTo: Bob <bob@list.example>\r\nCc: cy@x.y\r\nX-Tag: one\r\nx-tag: Two\r\n"
)


class Stored:
    """A message as a search reads it."""

    def __init__(self, record: Record) -> None:
        self.words = record.words
        self.summary: Summary = record.summary
        self.parsed = parse_message(record.content)


def message(text: str = "hi", headers: str = HEADERS, subject: str = "Your order", **fields: Any) -> Stored:
    content = f"Subject: {subject}\r\n{headers}\r\n{text}".encode()
    return Stored(record_of(received("1", **{"content": content, "sender": "bounce@shop.example"} | fields)))


FITS = [
    "", "ORDER ann", '"your order"', '"your  order', "-invoice", "from:müller", "from:MULLER", "From:bounce@",
    "to:bob@list", "to:x@y.z", "to:cy@", "subject:your", 'subject:"your order"', "body:hi", '-body:"hi there"',
    "header:x-tag:two", "header:X-Tag", "header:x-tag:", 'header:subject:"your order"', "-header:x-other",
    "-has:attachment", "-has:html", "-has:defect", "-is:refused", "is:accepted", "is:unread", "-to:ann",
    "-from:bob", "-subject:hi",
    "before:2023-11-16", "before:2024", "after:2023", "after:2023-11", "after:2023-11-14T22:13Z", "-before:2023-11",
    "before:2023-11-14T23:13:20.3+01:00", "after:1d", "after:3000m", "-before:1w", "after:yesterday", "before:today",
    "larger:0", "-larger:1k", "smaller:1.5kB", 'smaller:"1 MB"',
]  # fmt: skip


@pytest.mark.parametrize("search", FITS)
def test_a_message_that_fits_is_found(search: str) -> None:
    now = datetime.fromisoformat("2023-11-15T12:00:00+00:00")
    assert parse(search, now).fits(message())


@pytest.mark.parametrize(
    "search",
    [
        "invoice", '"order your"', "-order", "from:bob", "to:ann", "subject:hi", "body:order", "body:ann",
        "-is:accepted",
        "header:x-tag:three", "header:x-other", "has:attachment", "has:html", "has:defect", "is:refused", "after:2024",
        "before:2023-11-14T22:13:20Z", "after:1h", "larger:1MB", "smaller:10", "from:ann to:ann", "-from:ann",
        "after:today", "is:read",
    ],
)  # fmt: skip
def test_another_message_is_not(search: str) -> None:
    now = datetime.fromisoformat("2023-11-15T12:00:00+00:00")
    assert not parse(search, now).fits(message())


def test_what_a_message_has_and_is() -> None:
    part = "--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n"
    headers = "Content-Type: multipart/mixed; boundary=b\r\n"
    mail = message(f"--b\r\nContent-Type: text/html\r\n\r\n<p>a<b>b</b>c</p>\r\n{part}", headers=headers, code=550)
    for search in ("has:attachment", "has:html", "has:defect", "is:refused", "body:abc", "-is:accepted"):
        assert parse(search).fits(mail), search
    assert not parse("body:<p>").fits(mail)


@pytest.mark.parametrize(
    "word", ["https://shop.example/a:b", "Re:", "10:30", "x:y", "-", '"', '""', "notfrom:ann", ":", "a-b"]
)
def test_a_word_that_is_no_operator_is_plain(word: str) -> None:
    assert parse(word).fits(message(f"see {word} here"))
    assert not parse(word).fits(message("none", headers=""))


def test_a_phrase_crosses_the_end_of_a_line_and_quotes_make_an_operator_plain() -> None:
    assert parse('"reset your password"').fits(message("Reset your\r\npassword"))
    assert parse('"from:ann"').fits(message("it says from:ann"))
    assert not parse('"from:ann"').fits(message())


@pytest.mark.parametrize(
    ("search", "sentence"),
    [
        ("from:", "from: has no value; an example is from:ann"),
        ("-header:", "header: has no value; an example is header:x-tag:welcome"),
        ("has:cat", "has:cat is unknown; has: takes attachment, html or defect"),
        ("is:new", "is:new is unknown; is: takes refused, accepted, read or unread"),
        ("larger:big", "larger:big is not a size; an example is larger:1MB"),
        *(
            (search, f"{search} is not a time; examples are 2026-11-30, 2026-11-30T10:00, today and 2h")
            for search in ("before:x", "after:2023-13", "after:9999999w", "after:2023-02-30")
        ),
    ],
)
def test_a_wrong_search_has_its_sentence(search: str, sentence: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse(search)
    assert str(raised.value) == sentence


def test_every_operator_has_an_example_that_is_right() -> None:
    for operator, example in OPERATORS.items():
        if operator != "mailbox":
            assert parse(example) != EVERYTHING


TERMS = st.sampled_from(
    [*(f"{each}:" for each in OPERATORS), "-", '"', " ", "x-tag:", "a", "order", "2h", "1", "é", "\n"]
)


@given(st.lists(TERMS, max_size=12).map("".join))
def test_any_text_is_a_search_or_has_a_sentence(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        assert str(error).strip()
        return
    found = query.fits(message())
    assert not found or all(word in message().words for word in query.needed)


def test_the_hits_are_the_texts_that_a_page_marks() -> None:
    assert parse('Grüße from:ann -not is:refused header:x-tag:one "a  b" ann').hits == ("grusse", "ann", "one", "a b")


def test_the_store_finds_by_operators() -> None:
    store = Store()
    for number in range(300):
        text = "needle" if number == 7 else "straw"
        content = f"Subject: mail {number}\r\nX-Number: {number}\r\n\r\n{text}".encode()
        store.add(record_of(received(str(number), content=content)))
    assert ids(store, search="body:needle") == ["7"]
    assert ids(store, search="header:x-number:299") == ["299"]
    store.close()
