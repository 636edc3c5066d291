"""A host that is killed at each point of a job's life, and one whose disk hangs."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from integration.jobs.test_mail_jobs import seen, send
from support.container.host import gone
from support.jobs.host import queueing, stat
from support.jobs.nats_server import NatsServer, nats_server
from support.jobs.places import Place, is_idle, pull
from support.ops.host import SECTIONS, probe
from support.waiting import eventually, until

from rrpy.jobs.drivers.nats.config import NatsConfig
from rrpy.jobs.drivers.nats.driver import NatsDriver
from rrpy.jobs.drivers.sqlite.driver import SQLiteDriver


class Point(NamedTuple):
    """A point at which the host dies. `taken`: the client has its 250. `seen`: a worker has the mail.

    `stored`: the queue has the job after that. `redelivered`: and knows that a host had it.
    """

    handler: str
    taken: bool = False
    seen: bool = False
    stored: bool = True
    redelivered: bool = False


POINTS = {
    "push": Point("", stored=False),
    "pushed": Point(""),
    "said": Point("", taken=True),
    "delivered": Point("gated", taken=True, seen=True, redelivered=True),
    "answered": Point("email", taken=True, seen=True, redelivered=True),
    "acked": Point("email", taken=True, seen=True, stored=False),
}


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("driver", "at"),
    [*(("sqlite", at) for at in POINTS), *(("nats", at) for at in ("pushed", "answered"))],
)
async def test_a_host_that_is_killed_loses_no_mail(driver: str, at: str, tmp_path: Path, nats: NatsServer) -> None:
    point, stream = POINTS[at], f"kill-{at}"
    if driver == "sqlite":
        config: dict[str, Any] = {"file": "spool/mail.db"}
        place = Place(SQLiteDriver, {"file": str(tmp_path / "spool" / "mail.db")}, durable=True)
    else:
        config = {"stream": stream, "ack_wait": "300ms"}
        servers = NatsConfig(addr=nats.address)
        place = Place(lambda: NatsDriver(servers), {"stream": stream, "ack_wait": 0.3}, durable=True)
    pipeline = {"driver": driver, "config": config}
    with queueing(tmp_path, point.handler, pipeline, {"KILL_AT": at}, nats={"addr": nats.address}) as host:
        workers = [each.pid for each in psutil.Process(host.process.pid).children()]
        if point.taken:
            send(host, 1)
        else:
            with pytest.raises(smtplib.SMTPServerDisconnected):
                send(host, 1)
        if point.seen:
            eventually(lambda: seen(tmp_path), "the mail")
        if at == "acked":
            eventually(lambda: not stat(host)["reserved"], "the acknowledgement")
        if at in ("said", "delivered", "acked"):
            host.process.kill()
        host.process.wait()
        assert gone(workers)
    found = seen(tmp_path)
    assert bool(found) == point.seen
    async with place.queue() as queue:
        if not point.stored:
            assert await is_idle(queue)
            return
        (delivery,) = await pull(queue)
        assert (delivery.redelivered, delivery.attempt) == (point.redelivered, 1)
        assert [each["id"] for each in found.values()] == [delivery.job.id] * point.seen
        delivery.ack()
        await until(lambda: queue.state().running == 0)


def test_a_host_whose_disk_hangs_takes_no_mail_and_ends_in_time(tmp_path: Path) -> None:
    pipeline = {"driver": "sqlite", "config": {"file": "spool/mail.db"}}
    sections = {"jobs": {"timeout": "1s"}, "status": SECTIONS["status"]}
    with queueing(tmp_path, "", pipeline, {"FLUSH": "0.1"}, **sections) as host:
        send(host, 1)
        (tmp_path / "hang").touch()
        with smtplib.SMTP(*host.smtp) as client:
            client.ehlo()
            client.mail("a@b.c")
            client.rcpt("x@y.z")
            assert client.data("hello")[0] == 451
            assert client.mail("a@b.c")[0] == 451
        for question in ("/health?plugin=jobs", "/ready?plugin=smtp"):
            answer = probe(host, question)
            assert answer.status_code == 503
            assert "did not answer within 1 s" in answer.json()[0]["error_message"]
        asked = host.rrpy("jobs", "dead", "mail")
        assert (asked.returncode, "did not answer within" in asked.stderr) == (1, True)
        assert host.stop() == 0
        assert host.named("queue was cut off", pipeline="mail")
    (tmp_path / "hang").unlink()
    with queueing(tmp_path, "", pipeline) as host:
        assert stat(host)["active"] == 1
