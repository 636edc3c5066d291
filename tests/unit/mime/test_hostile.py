"""Mails that were made to hurt: they end, in memory that is in proportion, and what is wrong with them is named."""

from __future__ import annotations

import time
import tracemalloc

import msgspec
import pytest
from support.mime.mails import MEGABYTE, corpus, hostile

from rrpy.mime.defects import DEFECTS
from rrpy.mime.message import parse

pytestmark = pytest.mark.usefixtures("untraced")

HOSTILE = hostile()
SECONDS_A_MEGABYTE = 30  # a hundred times the slowest of them


@pytest.fixture(params=sorted(HOSTILE))
def mail(request: pytest.FixtureRequest) -> tuple[bytes, set[str]]:
    return HOSTILE[request.param]


def test_it_ends_its_defects_are_named_and_it_can_be_read(mail: tuple[bytes, set[str]]) -> None:
    data, defects = mail
    began = time.process_time()
    message = parse(data)
    assert time.process_time() - began < SECONDS_A_MEGABYTE * (1 + len(data) / MEGABYTE)
    assert defects <= set(message.defects) <= set(DEFECTS)
    assert message.size == len(data)

    parsed = [message.from_, message.to, message.cc, message.date, message.references, message.in_reply_to]
    parsed += [message.text_from_html, message.headers_list]
    parsed += [(each.parameters, each.description, each.sha256()) for each in message.attachments]
    assert len(msgspec.json.encode(parsed)) < 6 * len(data) + MEGABYTE
    assert time.process_time() - began < SECONDS_A_MEGABYTE * (1 + len(data) / MEGABYTE)


READ = {
    "words as names": b"=?utf-8?q?a=2C?= <a@b.c>, ",
    "lone words": b"a,",
    "angle brackets": b"<a@b>",
    "open comments": b"(",
    "open quotes": b'\\""',
    "groups": b"a:;",
    "routes": b"<@a,",
    "encoded words without an end": b"=?a?q?",
}
"""Name -> bytes of which a header of 250 KiB of addresses is full."""


@pytest.mark.parametrize("name", sorted(READ))
def test_a_header_full_of_addresses_is_read_in_time(name: str) -> None:
    piece = READ[name]
    message = parse(b"To: " + piece * (250 * 1024 // len(piece)) + b"\r\n\r\nhello")
    began = time.process_time()
    written = msgspec.json.encode(message.to)
    assert time.process_time() - began < SECONDS_A_MEGABYTE
    assert len(written) < 5 * message.size


def test_its_memory_is_in_proportion(mail: tuple[bytes, set[str]]) -> None:
    data, _ = mail
    parse(data[:1000])  # an import counts for no mail
    tracemalloc.start()
    try:
        message = parse(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(data) + 2 * MEGABYTE  # what the headers of one part and one slice may take
    del message


def test_every_defect_is_seen_in_some_mail() -> None:
    seen = {defect for _, defects in HOSTILE.values() for defect in defects}
    seen |= {defect for mail in corpus() for defect in mail.expected["defects"]}
    assert seen == set(DEFECTS)
