"""Mails that were made to hurt: they end, in memory that is in proportion, and what is wrong with them is named."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from support.mime.mails import MEGABYTE, corpus, hostile

from rrpy.mime.defects import DEFECTS
from rrpy.mime.message import parse

HOSTILE = hostile()
SECONDS_A_MEGABYTE = 30  # a hundred times the slowest of them


@pytest.fixture(params=sorted(HOSTILE))
def mail(request: pytest.FixtureRequest) -> tuple[bytes, set[str]]:
    return HOSTILE[request.param]


def test_it_ends_and_its_defects_are_named(mail: tuple[bytes, set[str]]) -> None:
    data, defects = mail
    began = time.monotonic()
    message = parse(data)
    assert time.monotonic() - began < SECONDS_A_MEGABYTE * (1 + len(data) / MEGABYTE)
    assert defects <= set(message.defects) <= set(DEFECTS)
    assert message.size == len(data)


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
    seen = {defect for data, _ in HOSTILE.values() for defect in parse(data).defects}
    seen |= {defect for mail in corpus() for defect in mail.expected["defects"]}
    assert seen == set(DEFECTS)
