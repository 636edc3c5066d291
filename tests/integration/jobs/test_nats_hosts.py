"""Mail through NATS: real hosts, a real server, workers, and hosts and a server that die."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from integration.jobs.test_mail_jobs import rpc, seen, send
from support.container.host import Host, hosting
from support.jobs.host import call, stat
from support.jobs.nats_server import NatsServer, nats_server
from support.waiting import eventually
from support.worker.delivery import SUPPORT

from rrpy.rpc.errors import RPCError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as running:
        yield running


@contextmanager
def sharing(folder: Path, server: NatsServer, handler: str = "") -> Iterator[Host]:
    """A host that queues mail on NATS; without a handler it has no workers."""
    (folder / "seen").mkdir(exist_ok=True)
    command = {
        "command": f"python -m rrpy.worker job_handlers:{handler or 'email'}",
        "env": {"PYTHONPATH": SUPPORT, "SEEN": str(folder / "seen")},
    }
    jobs = {
        "consume": ["mail"] if handler else [],
        "pool": {"num_workers": 1},
        "pipelines": {"mail": {"driver": "nats", "config": {"ack_wait": "1s"}}},
    }
    smtp = {"deliver": "jobs", "jobs": {"pipeline": "mail"}, "pool": {}}
    own = folder / f"host{len(list(folder.glob('host*')))}"
    own.mkdir()
    with hosting(own, server=command, smtp=smtp, jobs=jobs, nats={"addr": server.address}) as host:
        yield host


def test_hosts_share_the_mail_and_one_that_is_killed_loses_none(tmp_path: Path, server: NatsServer) -> None:
    with sharing(tmp_path, server) as first:
        promise = "is in the stream mail of one server of NATS, whose loss loses it; a power failure may too"
        assert first.named(f"a push means: the job {promise} without sync_interval: always")
        with sharing(tmp_path, server, "slow") as second:
            send(first, *range(10))
            send(second, *range(10, 20))
            eventually(lambda: len(seen(tmp_path)) >= 3, "some mails")
            second.process.kill()
            second.process.wait()
        (stat,) = rpc(first, "jobs.Stat")["stats"]
        assert (stat["driver"], stat["queue"], stat["connected"]) == ("nats", "mail", True)
    with sharing(tmp_path, server, "email"):
        eventually(lambda: len(seen(tmp_path)) == 20, "every mail")


def test_mail_is_refused_while_the_server_is_away_and_taken_when_it_is_back(tmp_path: Path, server: NatsServer) -> None:
    with sharing(tmp_path, server, "email") as host:
        server.kill()
        host.wait_for("NATS is reconnecting")
        with smtplib.SMTP(*host.smtp) as client:
            client.ehlo()
            assert client.mail("a@b.c")[0] == 451
        server.start()
        eventually(lambda: rpc(host, "jobs.Stat")["stats"][0]["connected"], "it connects again")
        send(host, 1)
        eventually(lambda: seen(tmp_path), "the mail")


def test_a_pipeline_on_nats_is_declared_with_the_keys_of_rr(tmp_path: Path, server: NatsServer) -> None:
    keys = {"name": "more", "driver": "nats", "stream": "declared", "subject": "declared.jobs", "ack_wait": "5s"}
    keys |= {"replicas": "1", "max_bytes": "100000", "priority": "3", "prefetch": "7", "rate_limit": "100"}
    with hosting(tmp_path, smtp=None, server=None, jobs={}, nats={"addr": server.address}) as host:
        call(host, "jobs.Declare", {"pipeline": keys})
        (line,) = host.wait_for("key has no effect")
        assert line["key"] == "jobs.pipelines.more.config.rate_limit"
        job = {"job": "report", "payload": "e30=", "options": {"pipeline": "more"}}
        call(host, "jobs.Push", {"job": job})
        eventually(lambda: stat(host)["active"] == 1, "the job")
        assert (stat(host)["queue"], stat(host)["priority"], stat(host)["connected"]) == ("declared.jobs", 3, True)
        call(host, "jobs.Destroy", {"pipelines": ["more"]})
        for change, sentence in (
            ({"max_bytes": "5"}, "the stream declared differs: max_bytes is 100000, configured is 5"),
            ({"replicas": "many"}, "jobs.pipelines.more.config.replicas"),
        ):
            with pytest.raises(RPCError, match=sentence):
                call(host, "jobs.Declare", {"pipeline": {**keys, **change}})
        assert call(host, "jobs.List") == {"pipelines": []}
        call(host, "jobs.Declare", {"pipeline": keys})
        eventually(lambda: stat(host)["active"] == 1, "the job that stayed")
