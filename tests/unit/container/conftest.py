"""What the tests of the log share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import loguru
import pytest

from rrpy.container import log


@pytest.fixture
def restored_log() -> Iterator[None]:
    """Undo what a test makes of the log, which is the process's."""
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
