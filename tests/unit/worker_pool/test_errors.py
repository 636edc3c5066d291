from __future__ import annotations

from rrpy.container.errors import HostError
from rrpy.worker_pool.errors import (
    ExitReport,
    NoFreeWorker,
    PoolClosed,
    PoolError,
    QueueFull,
    SoftError,
    WorkerBootError,
    WorkerBroken,
)


def test_all_are_pool_errors_and_a_failed_boot_ends_the_host_with_one_sentence():
    kinds = [NoFreeWorker, PoolClosed, QueueFull, SoftError, WorkerBootError, WorkerBroken]
    assert all(issubclass(kind, PoolError) for kind in kinds)
    error = WorkerBootError(["php", "worker.php"], "died at boot with status 3", ExitReport(5, 3, stderr=("no db",)))
    assert isinstance(error, HostError)
    assert error.exit_code == 1
    rest = "died at boot with status 3; its last lines on stderr: no db"
    assert str(error) == f"the worker command 'php worker.php' {rest}"


def test_a_death_is_told_as_status_or_signal():
    assert str(WorkerBroken(ExitReport(7, 3))) == "worker 7 died with status 3"
    assert str(WorkerBroken(ExitReport(7, -9))) == "worker 7 died with signal 9"
    assert ExitReport().status == "unknown status"


def test_the_keys_of_a_death_have_neither_empty_nor_doubled_values():
    """The line was `status="status 3" fault="" printed=""`."""
    assert ExitReport(7, 3).keys("") == {"pid": 7, "status": 3}
    assert ExitReport(7, -9, b"Hello\xff").keys("hung") == {
        "pid": 7,
        "signal": 9,
        "fault": "hung",
        "printed": "Hello\N{REPLACEMENT CHARACTER}",
    }
    assert ExitReport(7).keys("") == {"pid": 7}


def test_a_broken_worker_shows_what_it_printed_and_its_last_lines_only():
    lines = tuple(f"line {number}" for number in range(20))
    error = WorkerBroken(ExitReport(7, -9, b"Hello\n", lines), "broke the protocol (no frame)")
    assert str(error).startswith("worker 7 broke the protocol (no frame) and was killed; it printed to stdout: 'Hello'")
    assert str(error).endswith("line 18 | line 19")
    assert "line 5" not in str(error)
    assert error.report.stderr == lines


def test_waiting_in_vain_and_no_worker_at_all_are_told_apart():
    assert str(NoFreeWorker(60)) == "no worker was free within 60 s (allocate_timeout)"
    assert str(NoFreeWorker(0, "it died")) == "no worker is alive: it died"
    assert str(NoFreeWorker(0)) == "no worker is alive"
    assert str(QueueFull(3)) == "the pool's queue is full: 3 requests wait or run (max_queue_size)"
