"""Programs that pip cannot install."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(name: str) -> None:
    """Skip where a program is absent; fail for it in CI, as `@pytest.mark.program` does."""
    if shutil.which(name) is None:
        reason = f"needs the program {name}, which is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
