"""The pytest plugin: the fixture `rr_smtp`. Every pytest loads it; only a test with the fixture loads the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .catcher import Catcher


@pytest.fixture
def rr_smtp() -> Iterator[Catcher]:
    """An SMTP server on a free port that catches mail: `rr_smtp.host`, `.port`, `.expect(to=..., subject=...)`."""
    from .catcher import Catcher

    with Catcher() as catcher:
        yield catcher
