"""What the tests of the log share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import loguru
import pytest
from support.waiting import TIMEOUT

from rrpy.container import log


@pytest.fixture
def restored_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a test makes of the log, which is the process's. On a busy machine an urgent line takes its time."""
    monkeypatch.setattr("rrpy.container.log.output.URGENT_TIMEOUT", TIMEOUT)
    monkeypatch.setattr("rrpy.container.log.output.CLOSE_TIMEOUT", TIMEOUT)
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    log.close()
    loguru.logger.remove()
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level


@pytest.fixture
def path(tmp_path: Path, restored_log: None) -> Path:
    """A log's file."""
    return tmp_path / "rr.log"
