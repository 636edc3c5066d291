"""aiosmtpd's own test suite, as its wheel brings it, against our class."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.smtp_plugin.aiosmtpd_deviations import DEVIATIONS

PORT = 8025

TESTS = Path(__file__).parents[1]
PLUGINS = ("support.smtp_plugin.aiosmtpd_suite", "no:cacheprovider", "no:anyio")
OPTIONS = ["-c", os.devnull, "-q", "-W", "ignore", "-ra", "--timeout=60", *(f"-p{name}" for name in PLUGINS)]


def port_is_free() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return False
    return True


@pytest.mark.timeout(400)
def test_the_suite_passes_but_for_the_listed_deviations(tmp_path: Path) -> None:
    """The suite listens on port 8025 and cannot be configured; a host with an inbox may use that port."""
    if os.environ.get("CI") != "true" and not port_is_free():
        pytest.skip(f"needs port {PORT}, which another process has")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, "--rootdir", tmp_path, "--pyargs", "aiosmtpd.tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", run.stdout.splitlines()[-1])}
    assert counts["passed"] >= 490
    assert counts["xfailed"] >= len(DEVIATIONS)
    assert "skipped" not in counts
