"""The examples of jobs: each worker does mail and pushed jobs under a real host, and each producer pushes."""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest
from support.container.host import Host
from support.docs.pages import ROOT
from support.docs.ways_named import AUTOLOAD
from support.waiting import TIMEOUT, eventually

PRODUCERS = {"python": [sys.executable, "push.py"], "php": ["php", "push.php"]}


def folder_of(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "examples" / f"{name}-jobs", tmp_path / name))


def push(producer: str, host: Host, subject: str) -> str:
    """Push a ticket, and return its id."""
    env = {**os.environ, "RR_RPC": f"unix://{host.folder}/rpc.sock"}
    done = subprocess.run(
        [*PRODUCERS[producer], subject], cwd=host.folder, env=env, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("python", "app:handle"),
        pytest.param("php", "worker.php", marks=pytest.mark.program("php")),
        pytest.param("php", "consumer.php", marks=pytest.mark.program("php")),
    ],
)
def test_a_worker_does_mail_and_pushed_jobs_and_fails_as_its_page_says(name: str, program: str, tmp_path: Path) -> None:
    folder = folder_of(name, tmp_path)
    if program == "consumer.php":  # with a stand-in for the package, which tests cannot download
        (folder / "vendor").mkdir()
        (folder / "vendor/autoload.php").write_text(AUTOLOAD)
    overrides = [
        "smtp.addr=127.0.0.1:0",
        f"rpc.listen=unix://{folder}/rpc.sock",
        "logs.encoding=json",
        "logs.level=info",
        "jobs.pool.num_workers=1",
        "jobs.pipelines.tickets.retry={attempts: 1000, backoff: [20ms]}",
    ]
    if program == "consumer.php":
        overrides.append("server.command=php consumer.php")
    tickets = folder / "tickets"
    tickets.touch()  # not a folder, so that the first attempts fail
    host = Host(folder, [part for override in overrides for part in ("-o", override)])
    try:
        host.wait_for("host is ready")
        with smtplib.SMTP(*host.smtp, timeout=TIMEOUT) as client:
            client.sendmail("ann@example.com", ["help@example.com"], "Subject: It hurts\r\n\r\nmuch\r\n")
        (line, *_) = host.wait_for("job failed, tried again", job="smtp.email")
        assert "tickets" in line["reason"]
        tickets.unlink()
        pushed = push(name, host, "The printer is broken")
        eventually(lambda: len(list(tickets.glob("*.json"))) == 2, "both tickets")
        found = {json.loads(path.read_text())["subject"]: path.stem for path in tickets.iterdir()}
        assert (set(found), found["The printer is broken"]) == ({"It hurts", "The printer is broken"}, pushed)
        mail = json.loads((tickets / f"{found['It hurts']}.json").read_text())
        assert (mail["from"], mail["text"].strip()) == ("ann@example.com", "much")
        dead = push(name, host, "")
        (line,) = host.wait_for("job is dead")
        assert (line["id"], "a ticket needs a subject" in line["reason"], line["attempt"]) == (dead, True, 1)
        assert host.stop() == 0
    finally:
        host.close()
