"""Health checks of a real host: while it runs, while its workers are dead, while it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from support.container.host import Host, hosting, run, write
from support.ops.host import SECTIONS, probe, url
from support.smtp_plugin.client import BlockingClient
from support.waiting import eventually
from support.worker.delivery import SUPPORT

FINE = [{"plugin_name": "smtp", "error_message": "", "status_code": 200}]


def test_a_host_that_is_well_says_so(tmp_path: Path) -> None:
    with hosting(tmp_path, status=SECTIONS["status"]) as host:
        for path in ("/health", "/ready", "/health?plugin=smtp", "/ready?plugin=smtp"):
            response = probe(host, path)
            assert (response.status_code, response.json()) == (200, FINE)
            assert response.headers["content-type"] == "application/json"
            assert response.headers["cache-control"] == "no-store"
        unknown = probe(host, "/ready?plugin=http&plugin=smtp")
        assert unknown.status_code == 200
        assert [each["status_code"] for each in unknown.json()] == [404, 200]


def test_the_pipelines_of_jobs_are_listed(tmp_path: Path) -> None:
    with hosting(tmp_path, status=SECTIONS["status"], jobs={"pipelines": {"mail": {}, "reports": {}}}) as host:
        found = probe(host, "/jobs").json()
        assert [(each["pipeline"], each["driver"], each["active"]) for each in found] == [
            ("mail", "memory", 0), ("reports", "memory", 0),
        ]  # fmt: skip


def test_a_host_without_jobs_has_an_empty_list(tmp_path: Path) -> None:
    with hosting(tmp_path, status=SECTIONS["status"]) as host:
        response = probe(host, "/jobs")
        assert (response.status_code, response.json()) == (200, [])


def test_head_is_answered_without_a_body_and_other_methods_are_refused(tmp_path: Path) -> None:
    with hosting(tmp_path, status=SECTIONS["status"]) as host:
        head = probe(host, "/ready", "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        for method in ("POST", "PUT", "DELETE"):
            refused = probe(host, "/ready", method)
            assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
        assert probe(host, "/").status_code == 404
        assert probe(host, "/metrics").status_code == 404


def test_rpc_tells_the_same_of_one_plugin(tmp_path: Path) -> None:
    with hosting(tmp_path, status=SECTIONS["status"]) as host:
        for method in ("status.Status", "status.Ready"):
            assert json.loads(host.rrpy("rpc", method, "smtp").stdout) == {"code": 200, "message": ""}
            missing = host.rrpy("rpc", method, "http")
            assert (missing.returncode, missing.stderr) == (1, "rrpy: no such plugin: http\n")


def test_a_host_that_starts_is_not_ready_before_it_listens(tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"until test -e {go}; do sleep 0.02; done; exec {sys.executable} -m rrpy.worker"
    write(tmp_path, server={"command": ["sh", "-c", waits]}, status=SECTIONS["status"])
    host = Host(tmp_path, [])
    try:
        for path in ("/health", "/ready"):
            early = probe(host, path)
            assert early.status_code == 503
            assert early.json()[0]["error_message"] == "the SMTP server does not listen"
        go.touch()
        host.ready()
        assert probe(host, "/ready").status_code == 200
        assert host.stop() == 0
    finally:
        host.close()


def test_a_host_that_drains_is_alive_and_not_ready_until_its_last_message_is_in(tmp_path: Path) -> None:
    with hosting(tmp_path, **SECTIONS) as host, BlockingClient(host.smtp) as client:
        client.begin()
        host.process.send_signal(signal.SIGTERM)
        host.wait_for("host is stopping")
        ready = probe(host, "/ready")
        assert ready.status_code == 503
        assert ready.json() == [
            {"plugin_name": "smtp", "error_message": "service is shutting down", "status_code": 503}
        ]
        health = probe(host, "/health")
        assert (health.status_code, health.json()[0]["error_message"]) == (200, "service is shutting down")
        client.send("Subject: x\r\n\r\nlast\r\n.")
        assert client.line().startswith("250 ")
        assert host.wait() == 0
        (smtp,) = host.named("plugin stopped", plugin="smtp")
        (status,) = host.named("plugin stopped", plugin="status")
        assert host.lines.index(smtp) < host.lines.index(status)


def test_a_host_whose_workers_all_died_is_not_ready_and_comes_back(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    command = ["sh", "-c", f"test -e {dead} && exit 3; exec {sys.executable} -m rrpy.worker mail_handlers:decide"]
    server = {"command": command, "env": {"PYTHONPATH": SUPPORT, "SEEN": str(tmp_path)}}
    with hosting(tmp_path, server=server, status=SECTIONS["status"], smtp={"deliver": "workers"}) as host:
        assert probe(host, "/ready").status_code == 200
        dead.touch()
        os.kill(host.workers()[0], signal.SIGKILL)
        eventually(lambda: probe(host, "/ready").status_code == 503, "it is not ready")
        assert probe(host, "/ready").json()[0]["error_message"] == "no worker is up"
        assert probe(host, "/health").status_code == 200
        host.wait_for("plugin is unavailable", plugin="smtp", check="readiness", reason="no worker is up")
        dead.unlink()
        eventually(lambda: probe(host, "/ready").status_code == 200, "it is ready again")
        host.wait_for("plugin is available again", plugin="smtp")


def test_a_busy_worker_is_no_reason_not_to_be_ready(tmp_path: Path) -> None:
    server = {
        "command": "python -m rrpy.worker mail_handlers:decide",
        "env": {"PYTHONPATH": SUPPORT, "SEEN": str(tmp_path)},
    }
    with (
        hosting(tmp_path, server=server, status=SECTIONS["status"], smtp={"deliver": "workers"}) as host,
        BlockingClient(host.smtp) as client,
    ):
        client.line()
        for line in ("EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<wait@y.z>", "DATA"):
            client.say(line)
        client.send("Subject: x\r\n\r\nbody\r\n.")
        eventually((tmp_path / "waiting").exists, "the worker is busy")
        assert probe(host, "/ready").status_code == 200
        (tmp_path / "gate").touch()
        assert client.line().startswith("250 ")


@pytest.mark.parametrize("name", ["status", "metrics"])
def test_a_port_that_is_taken_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write(tmp_path, logs={"mode": "none"}, **{name: {"address": f"127.0.0.1:{port}"}})
        done = run("serve", cwd=tmp_path)
    said = f"rrpy: cannot listen on tcp://127.0.0.1:{port} ({name}.address): address already in use; "
    assert (done.returncode, done.stderr.startswith(said), done.stderr.count("\n")) == (1, True, 1)


@pytest.mark.parametrize("name", ["status", "metrics"])
def test_an_address_that_is_none_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    write(tmp_path, logs={"mode": "none"}, **{name: {"address": "2114"}})
    done = run("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"rrpy: {name}.address is '2114' in rr.yaml; it is written host:port")
    assert done.stderr.count("\n") == 1


def test_another_code_for_unavailable_plugins(tmp_path: Path) -> None:
    (tmp_path / "tired.py").write_text(TIRED)
    section = {**SECTIONS["status"], "unavailable_status_code": 500, "check_timeout": "50ms"}
    with hosting(tmp_path, status=section, plugins=["tired:Tired"], tired={}) as host:
        everybody = probe(host, "/health")
        assert everybody.status_code == 500
        assert everybody.json() == [
            *FINE,
            {"plugin_name": "tired", "error_message": "out of coffee", "status_code": 500},
        ]
        hanging = probe(host, "/ready?plugin=tired")
        assert hanging.status_code == 500
        assert hanging.json()[0]["error_message"] == "its readiness_check() did not return within 50ms"
        assert probe(host, "/health?plugin=smtp").status_code == 200
        assert json.loads(host.rrpy("rpc", "status.Status", "tired").stdout) == {
            "code": 500,
            "message": "out of coffee",
        }
        assert url(host, "status").startswith("http://127.0.0.1:")


TIRED = """\
import anyio


class Tired:
    name = "tired"

    def init(self) -> None:
        self.end = anyio.Event()

    def health_check(self):
        raise RuntimeError("out of coffee")

    async def readiness_check(self):
        await anyio.sleep_forever()

    async def serve(self, *, task_status) -> None:
        task_status.started()
        await self.end.wait()

    async def stop(self) -> None:
        self.end.set()
"""
