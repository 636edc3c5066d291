"""Mail whose workers die, are replaced or outlast the host: none is lost, none is stuck."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import anyio
from integration.jobs.test_mail_jobs import seen, send
from support.container.host import Host
from support.jobs.host import call, queueing, stat
from support.jobs.places import Place, ids, pull_all
from support.waiting import eventually

from rrpy.jobs.drivers.sqlite.driver import SQLiteDriver
from rrpy.jobs.protocols import Delivery, QueueState

SPOOL = {"driver": "sqlite", "config": {"file": "spool/mail.db"}}


def left(folder: Path) -> tuple[QueueState, Sequence[Delivery]]:
    """Return the figures of the spool that a host left, and its jobs that wait."""

    async def read() -> tuple[QueueState, Sequence[Delivery]]:
        place = Place(SQLiteDriver, {"file": str(folder / "spool" / "mail.db")}, durable=True)
        async with place.queue() as queue:
            return queue.state(), await pull_all(queue, queue.state().waiting)

    return anyio.run(read)


def let_go(folder: Path) -> None:
    """Let the worker end that `gated` holds."""
    (folder / "seen" / "gate").touch()


def stopping(host: Host) -> None:
    host.process.send_signal(signal.SIGTERM)
    host.wait_for("host is stopping")


def test_a_mail_with_which_each_worker_dies_is_dead_and_holds_up_no_other(tmp_path: Path) -> None:
    with queueing(tmp_path, "fated", {**SPOOL, "retry": {"attempts": 2, "backoff": [0]}}) as host:
        send(host, 0, to="end@y.z")
        send(host, *range(1, 6))
        (line,) = host.wait_for("job is dead")
        assert line["attempt"] == 2
        assert "died with status 3" in line["reason"]
        eventually(lambda: len(seen(tmp_path)) == 5, "the others")
        eventually(lambda: not stat(host)["reserved"], "the acknowledgements")
        figures = stat(host)
        assert (figures["active"], figures["delayed"], figures["dead"]) == (0, 0, 1)


def test_a_reset_and_a_pause_under_load_run_each_job_once(tmp_path: Path) -> None:
    with queueing(tmp_path, "fated", {**SPOOL, "config": {**SPOOL["config"], "prefetch": 8}}) as host:
        send(host, 0, to="gated@y.z")
        send(host, *range(1, 21))
        eventually(lambda: seen(tmp_path) and stat(host)["reserved"] == 8, "as many jobs as the host holds")
        resetting = threading.Thread(target=call, args=(host, "resetter.Reset", "jobs"))
        resetting.start()
        call(host, "jobs.Pause", {"pipelines": ["mail"]})
        let_go(tmp_path)
        resetting.join()
        eventually(lambda: not stat(host)["reserved"], "the jobs that were held")
        assert (len(seen(tmp_path)), stat(host)["active"]) == (8, 13)
        call(host, "jobs.Resume", {"pipelines": ["mail"]})
        eventually(lambda: len(seen(tmp_path)) == 21, "each mail")
        eventually(lambda: not stat(host)["reserved"], "the acknowledgements")
        assert host.named("job failed, tried again") == []
        runs = (tmp_path / "seen" / "runs").read_text().split("\n")[:-1]
        assert sorted(runs) == sorted(f"number {number}" for number in range(21))


def test_a_stop_with_jobs_in_every_state_loses_none(tmp_path: Path) -> None:
    with queueing(tmp_path, "fated", {**SPOOL, "retry": {"backoff": ["1h"]}}) as host:
        send(host, 0, to="never@y.z")
        send(host, 1, to="fail@y.z")
        host.wait_for("job failed, tried again")
        send(host, 2, to="gated@y.z")
        send(host, *range(3, 50))
        eventually(lambda: seen(tmp_path), "the mail that stays")
        stopping(host)
        let_go(tmp_path)
        assert host.wait() == 0
    done = len(seen(tmp_path))
    state, waiting = left(tmp_path)
    assert (state.waiting, state.running, state.delayed, state.dead) == (50 - 2 - done, 0, 1, 1)
    assert len(set(ids(waiting))) == 50 - 2 - done
    assert {(each.attempt, each.redelivered) for each in waiting} == {(1, False)}


def test_a_job_that_outlasts_the_grace_period_is_given_back(tmp_path: Path) -> None:
    with queueing(tmp_path, "fated", SPOOL, endure={"grace_period": "200ms"}) as host:
        send(host, 1, to="gated@y.z")
        send(host, 2)
        eventually(lambda: seen(tmp_path), "the mail that stays")
        stopping(host)
        host.wait()
    state, waiting = left(tmp_path)
    assert (state.waiting, state.delayed, state.dead) == (2, 0, 0)
    assert [each.attempt for each in waiting] == [1, 1]
