"""What the tests of a container share: the story that its plugins write, and its log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loguru
import pytest

from rrpy.container import log
from rrpy.container.log import LogConfig


@pytest.fixture
def story() -> list[str]:
    return []


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Any]:
    """The log of a host, to a file; the function returns its lines."""
    path = tmp_path / "host.log"
    log.configure(LogConfig(mode="production", level="debug", output=str(path)))

    def lines(message: str) -> list[dict[str, Any]]:
        log.flush()
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in found if line["msg"] == message]

    yield lines
    log.close()
    loguru.logger.remove()
