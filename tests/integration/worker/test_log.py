"""What a worker writes to its stderr, as the host reads it."""

from __future__ import annotations

import json
import socket

import pytest
from support.worker.host import SDK, WorkerHost, last


@pytest.fixture
def start():
    hosts = []

    def make(handler: str, **options) -> WorkerHost:
        hosts.append(WorkerHost([*SDK, handler], **options))
        hosts[-1].shake_hands()
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def said_by(host: WorkerHost, *asked: bytes) -> list[dict]:
    for each in asked:
        assert host.ask(each) == last(b"text")
    status, said = host.end()
    assert status == 0
    return [json.loads(line) for line in said.splitlines()]


def test_a_record_is_one_json_object_a_line_with_its_keys(start):
    assert said_by(start("pool_handlers:logs"), b"keys") == [
        {"level": "debug", "msg": "a debug line", "number": 1},
        {
            "level": "info",
            "msg": "a line",
            "text": "é",
            "none": None,
            "path": "x",
            "nested": {"a": [1, True]},
            "level_": "mine",
            "msg_": "mine",
        },
        {"level": "warning", "msg": "two\nlines"},
        {"level": "error", "msg": "worse"},
    ]


def test_a_value_that_json_does_not_have_never_costs_the_record(start):
    assert said_by(start("pool_handlers:logs", PYTHONIOENCODING="ascii"), b"odd") == [
        {
            "level": "info",
            "msg": "odd",
            "nan": "nan",
            "keys": "{(1, 2): 3}",
            "mute": "(Mute without a text)",
            "lone": "\udc80",
            "number": 5,
        }
    ]


def test_an_exception_is_told_with_its_traceback(start):
    failed, nothing = said_by(start("pool_handlers:logs"), b"exception")
    assert failed.pop("traceback").endswith("ValueError: inner\n")
    assert failed == {"level": "error", "msg": "it failed", "id": 7}
    assert nothing == {"level": "error", "msg": "nothing failed"}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_record_is_written_with_one_write(start, unbuffered):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # which keeps the bounds of each write
    with ours:
        with theirs:
            host = start("pool_handlers:logs", stderr=theirs.fileno(), PYTHONUNBUFFERED=unbuffered)
        for asked, count in ((b"keys", 4), (b"big", 1)):
            assert host.ask(asked) == last(b"text")
            written = [ours.recv(200_000) for _ in range(count)]
            assert [line.count(b"\n") for line in written] == [1] * count
            assert all(line.endswith(b"\n") for line in written)


LOGGING = """
import logging
{setup}
log = logging.getLogger("app.part")

def handle(request):
    log.warning("from %s", "logging", extra={{"user": 5}})
    try:
        raise ValueError("inner")
    except ValueError:
        log.critical("failed", exc_info=True, stack_info={stack})
    log.log(25, "between"), log.info("a detail"), log.debug("less")
    return "text"
"""


def test_the_standard_logging_writes_the_same_lines(start, tmp_path):
    (tmp_path / "app.py").write_text(LOGGING.format(setup="logging.getLogger().setLevel(1)", stack=True))
    first, failed, between, info, debug = said_by(start("app:handle", cwd=tmp_path), b"")
    assert first == {"level": "warning", "msg": "from logging", "logger": "app.part", "user": 5}
    assert failed.pop("traceback").endswith("ValueError: inner")
    assert failed.pop("stack").startswith("Stack (most recent call last):")
    assert failed == {"level": "error", "msg": "failed", "logger": "app.part"}
    assert [line["level"] for line in (between, info, debug)] == ["info", "info", "debug"]


def test_a_root_logger_that_is_configured_is_left_alone(start, tmp_path):
    (tmp_path / "app.py").write_text(LOGGING.format(setup="logging.basicConfig()", stack=False))
    host = start("app:handle", cwd=tmp_path)
    assert host.ask(b"") == last(b"text")
    assert host.end()[1].startswith("WARNING:app.part:from logging\nCRITICAL:app.part:failed\nTraceback")


def test_logging_that_is_imported_by_a_request_writes_json_from_the_next_one_on(start):
    host = start("pool_handlers:logs_late")
    host.ask(b"the first")
    host.ask(b"the second")
    said = host.end()[1].splitlines()
    assert said == ["from the first", '{"level": "warning", "msg": "from the second", "logger": "late"}']


def test_logging_is_not_loaded_for_a_worker_that_does_not_use_it(start):
    host = start("pool_handlers:modules", measured=False)
    assert host.ask(b"logging json traceback sys") == last(b"sys")
