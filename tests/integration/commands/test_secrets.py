"""Secrets of the configuration: neither the log nor a command shows one."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from support.container.host import hosting

WORKER = (
    "test ! -e broken || { echo 'cannot open redis://app:hunter2@db/0, PGPASSWORD=hunter2' >&2; exit 3; }; "
    f"exec {sys.executable} -m rrpy.worker"
)
COMMAND = ["sh", "-c", WORKER, "worker", "--token=hunter2", "--api-key", "hunter2", "https://db/?token=hunter2"]
ENVIRONMENT = {
    "PGPASSWORD": "hunter2",
    "STRIPE_KEY": "hunter2",
    "ENCRYPTIONKEY": "hunter2",
    "AUTH": "hunter2",
    "GITHUB_PAT": "hunter2",
    "DATABASE": "app:hunter2@tcp(db:3306)/app",
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/hunter2",
    "PATTERN": "visible",
}


def test_no_secret_is_in_the_log_in_a_result_or_in_an_error(tmp_path: Path) -> None:
    with hosting(tmp_path, server={"command": COMMAND, "env": ENVIRONMENT}) as host:
        configuration = base64.b64decode(json.loads(host.rrpy("rpc", "rpc.Config").stdout)).decode()
        workers = host.rrpy("rpc", "informer.Workers", "smtp").stdout
        (tmp_path / "broken").touch()
        reset = host.rrpy("reset")
        (tmp_path / "broken").unlink()
    log = json.dumps(host.lines)
    for shown in (configuration, workers, reset.stderr, log):
        assert "hunter2" not in shown
        assert "***" in shown
    assert json.loads(configuration)["server"]["env"]["PATTERN"] == "visible"
    assert "cannot open redis://app:***@db/0" in reset.stderr
    assert "--token=*** --api-key *** https://db/?token=***" in workers
