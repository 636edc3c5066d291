"""Mail through a queue of jobs: a real host, real workers, real clients, and hosts that are killed."""

from __future__ import annotations

import json
import signal
import smtplib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.container.host import Host, gone, hosting, run, write
from support.ops.host import SECTIONS, probe
from support.waiting import eventually
from support.worker.delivery import SUPPORT

pytestmark = pytest.mark.usefixtures("measured")

MESSAGE = "Subject: number {}\r\n\r\nhello"


@contextmanager
def queueing(
    folder: Path, handler: str = "email", *, consume: bool = True, payload: str = "mail", **pipeline: Any
) -> Iterator[Host]:
    """A host that queues mail. Its workers, if any, write what they see into the folder `seen`."""
    (folder / "seen").mkdir(exist_ok=True)
    server = {
        "command": f"python -m rrpy.worker job_handlers:{handler}",
        "env": {"PYTHONPATH": SUPPORT, "SEEN": str(folder / "seen")},
    }
    jobs = {
        "consume": ["mail"] if consume else [],
        "pool": {"num_workers": 1},
        "pipelines": {"mail": {"driver": "sqlite", "config": {"file": "spool/mail.db"}, **pipeline}},
    }
    smtp = {"deliver": "jobs", "jobs": {"pipeline": "mail", "payload": payload}, "pool": {}}
    with hosting(folder, server=server, smtp=smtp, jobs=jobs, status=SECTIONS["status"]) as host:
        yield host


def send(host: Host, *numbers: int, to: str = "x@y.z") -> None:
    with smtplib.SMTP(*host.smtp) as client:
        for number in numbers:
            client.sendmail("a@b.c", [to], MESSAGE.format(number))


def seen(folder: Path) -> dict[str, Any]:
    return {file.name: json.loads(file.read_text()) for file in (folder / "seen").glob("number*")}


def rpc(host: Host, method: str, argument: Any = None) -> Any:
    done = host.rrpy("rpc", method, json.dumps(argument))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_mail_is_taken_without_a_worker_and_worked_off_by_the_next_host(tmp_path: Path) -> None:
    with queueing(tmp_path, consume=False) as host:
        send(host, 1)
        assert host.named("a push means: the job is on the disk, in spool/mail.db")
        (stat,) = rpc(host, "jobs.Stat")["stats"]
        assert (stat["pipeline"], stat["driver"], stat["active"], stat["ready"]) == ("mail", "sqlite", 1, False)
        host.process.kill()
        host.process.wait()
    with queueing(tmp_path) as host:
        eventually(lambda: seen(tmp_path), "the mail")
        (found,) = seen(tmp_path).values()
        assert (found["sender"], found["recipients"]) == ("a@b.c", ["x@y.z"])
        assert (found["text"], found["mode"], found["job"]) == ("hello", "jobs", "smtp.email")
        assert found["headers"] == {"attempt": ["1"]}
        eventually(lambda: rpc(host, "jobs.Stat")["stats"][0]["reserved"] == 0, "the acknowledgement")


def test_a_queue_of_events_holds_what_a_worker_gets(tmp_path: Path) -> None:
    """A large event is made in a thread, a small one at once."""
    large = MESSAGE.format(2) + "x" * 300_000
    with queueing(tmp_path, consume=False, payload="event") as host:
        send(host, 1)
        with smtplib.SMTP(*host.smtp) as client:
            client.sendmail("a@b.c", ["x@y.z"], large)
    with closing(sqlite3.connect(tmp_path / "spool" / "mail.db")) as database:
        (small,) = database.execute("select payload from jobs where payload is not null").fetchone()
    event = json.loads(small)
    assert (event["event"], event["envelope"]["to"], event["message"]["body"]) == (
        "EMAIL_RECEIVED",
        ["x@y.z"],
        "hello\r\n",
    )
    with queueing(tmp_path):
        eventually(lambda: len(seen(tmp_path)) == 2, "both mails")
    assert {found["sender"] for found in seen(tmp_path).values()} == {"a@b.c"}
    assert len(seen(tmp_path)["number 2"]["text"]) > 300_000


def test_a_worker_of_raw_mail_gets_its_bytes_with_the_envelope_in_the_headers(tmp_path: Path) -> None:
    with queueing(tmp_path, "raw", payload="raw") as host:
        with smtplib.SMTP(*host.smtp) as client:
            client.ehlo("me")
            client.login("ann", "secret")
            client.sendmail("a@b.c", ["x@y.z", "u@v.w"], MESSAGE.format(1))
        eventually(lambda: seen(tmp_path), "the mail")
    (found,) = seen(tmp_path).values()
    assert found["body"] == MESSAGE.format(1) + "\r\n"
    headers = found["headers"]
    assert (headers["from"], headers["to"], headers["helo"]) == (["a@b.c"], ["x@y.z", "u@v.w"], ["me"])
    assert (headers["username"], headers["attempt"]) == (["ann"], ["1"])
    assert "secret" not in json.dumps(found)
    assert set(headers) == {"from", "to", "helo", "remote_addr", "uuid", "received_at", "username", "attempt"}


def test_a_killed_host_loses_no_mail_that_got_250(tmp_path: Path) -> None:
    with queueing(tmp_path, "slow") as host:
        send(host, *range(20))
        eventually(lambda: len(seen(tmp_path)) >= 3, "some mails")
        workers = host.workers()
        host.process.kill()
        host.process.wait()
        assert gone(workers)
    with queueing(tmp_path):
        eventually(lambda: len(seen(tmp_path)) == 20, "every mail")


def test_a_mail_that_fails_each_time_is_dead_until_it_is_retried(tmp_path: Path) -> None:
    with queueing(tmp_path, retry={"attempts": 2, "backoff": [0]}) as host:
        send(host, 1, to="fail@y.z")
        (line,) = host.wait_for("job is dead")
        assert line["attempt"] == 2
        assert line["reason"].startswith("ValueError: it fails in ")
        (dead,) = rpc(host, "jobs.Dead", {"pipeline": "mail"})["jobs"]
        assert (dead["attempts"], dead["reason"]) == (2, line["reason"])
        shown = host.rrpy("jobs", "dead", "mail").stdout
        assert dead["id"] in shown
        assert "ValueError: it fails in" in shown
        assert json.loads(host.rrpy("jobs", "dead", "mail", "--json").stdout) == [dead]
        (tmp_path / "seen" / "mended").touch()
        assert host.rrpy("jobs", "retry", "mail").stdout == "1 job in the queue again\n"
        eventually(lambda: seen(tmp_path), "the mail")


def test_a_paused_pipeline_takes_mail_and_gives_none(tmp_path: Path) -> None:
    with queueing(tmp_path) as host:
        assert host.rrpy("jobs", "--pause", "mail").stdout == "mail: paused\n"
        send(host, 1)
        row = ["PAUSED", "mail", "sqlite", "spool/mail.db", "10", "1", "0", "0", "0"]
        assert host.rrpy("jobs").stdout.split()[-9:] == row
        for plugins in ([], ["jobs"]):
            assert host.rrpy("workers", *plugins).stdout.split()[-9:] == row
        wrong = host.rrpy("jobs", "dead")
        assert (wrong.returncode, wrong.stderr) == (2, "rrpy: say the pipeline: rrpy jobs dead PIPELINE\n")
        assert rpc(host, "jobs.Stat")["stats"][0]["active"] == 1
        assert rpc(host, "informer.Jobs")[0]["pipeline"] == "mail"
        rpc(host, "jobs.Resume", {"pipelines": ["mail"]})
        eventually(lambda: seen(tmp_path), "the mail")


def test_a_stopped_host_gives_the_jobs_back_that_wait_for_its_worker(tmp_path: Path) -> None:
    with queueing(tmp_path, "gated") as host:
        send(host, *range(10))
        eventually(lambda: seen(tmp_path), "a mail")
        host.process.send_signal(signal.SIGTERM)
        host.wait_for("host is stopping")
        (tmp_path / "seen" / "gate").touch()
        assert host.wait() == 0
        before = len(seen(tmp_path))
        assert before < 10
    with queueing(tmp_path, consume=False) as host:
        (stat,) = rpc(host, "jobs.Stat")["stats"]
        assert (stat["active"], stat["reserved"], stat["delayed"]) == (10 - before, 0, 0)


def test_a_full_spool_refuses_mail_with_452(tmp_path: Path) -> None:
    config = {"file": "spool/mail.db", "max_bytes": 2000}
    with queueing(tmp_path, consume=False, config=config) as host, smtplib.SMTP(*host.smtp) as client:
        for _ in range(9):
            client.ehlo()
            client.mail("a@b.c")
            client.rcpt("x@y.z")
            code, _ = client.data("hello")
            if code != 250:
                break
        assert code == 452
        (line,) = host.wait_for("email not accepted")
        assert line["reason"] == "the pipeline mail has no room within its 2000 bytes (max_bytes)"


def test_a_nearly_full_disk_refuses_mail_with_452_at_mail(tmp_path: Path) -> None:
    config = {"file": "spool/mail.db", "min_free": 100}
    with queueing(tmp_path, consume=False, config=config) as host, smtplib.SMTP(*host.smtp) as client:
        client.ehlo()
        assert client.mail("a@b.c")[0] == 452
        ready, healthy = probe(host, "/ready?plugin=smtp"), probe(host, "/health?plugin=smtp")
        assert (ready.status_code, healthy.status_code) == (503, 200), "a proxy sends the clients elsewhere"
        assert "100 % of the disk" in ready.json()[0]["error_message"]


def test_two_pipelines_of_one_file_and_an_unknown_pipeline_are_one_sentence(tmp_path: Path) -> None:
    one = {"driver": "sqlite", "config": {"file": "a.db"}}
    for jobs, smtp, sentence in (
        ({"pipelines": {"a": one, "b": one}}, {}, "jobs.pipelines.b.config.file is 'a.db', the file of the pipeline a"),
        ({"pipelines": {"smtp": one}}, {"jobs": {"payload": "all"}}, "expected one of mail, event, raw, got 'all'"),
        ({"pipelines": {"a": one}}, {"deliver": "jobs"}, "smtp.jobs.pipeline is 'smtp', which is not a pipeline"),
        ({"pipelines": {"a": {"driver": "kafka"}}}, {}, "jobs.pipelines.a.driver is 'kafka'"),
        ({"pipelines": {"a": {**one, "config": {"pile": 1}}}}, {}, "jobs.pipelines.a.config.pile is not a known key"),
    ):
        write(tmp_path, jobs=jobs, smtp={**smtp, "pool": {}})
        done = run("serve", cwd=tmp_path)
        assert done.returncode in (1, 2)
        assert sentence in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
