"""The page for users of RoadRunner and the errors about RoadRunner's keys have the same keys."""

from __future__ import annotations

import re

from support.docs.pages import page

from rrpy.container.config.roadrunner import KEYS, PAGE, SECTIONS


def test_the_page_lists_every_key_that_an_error_explains() -> None:
    rows = [line for line in page(PAGE).splitlines() if line.startswith("|")]
    spans = set(re.findall(r"`([^`]+)`", "\n".join(rows)))
    assert not set(SECTIONS) - spans
    assert not {".".join(key) for key in KEYS} - spans
