"""`python -m rrpy.worker` with asynchronous handlers: one event loop for the worker's life."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from support.waiting import eventually
from support.worker.host import SDK, SUPPORT, WorkerHost, last, part, without_place

from rrpy.goridge.frame import CONTROL, ERROR, JSON, PONG, STOP, Frame, encode
from rrpy.worker.messages import RESULTS

pytestmark = pytest.mark.usefixtures("measured")


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


@pytest.fixture
def host(start):
    return start("async_handlers:answers")


@pytest.fixture
def streams(start):
    return start("async_handlers:streams")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"text", last(b"text")),
        (b"soft", Frame(ERROR, b"not this one")),
        (b"unexpected", Frame(ERROR, b"ValueError: a bad value")),
        (b"cancelled", Frame(ERROR, b"CancelledError")),
    ],
)
def test_what_a_coroutine_does_is_what_the_host_gets_and_the_worker_lives_on(host, asked, answer):
    assert without_place(host.ask(asked)) == answer
    assert host.ask(b"text") == last(b"text")
    status, said = host.end()
    assert (status, "Traceback" in said) == (0, asked in (b"unexpected", b"cancelled"))


def test_big_bodies_pass_whole_both_ways(host):
    body = os.urandom(5_000_000)
    assert host.ask(b"big", body) == last(b"5000000", body)


def test_all_requests_run_on_one_event_loop(host):
    assert host.ask(b"loop") == host.ask(b"loop")


def test_a_background_task_runs_while_the_worker_is_idle_and_is_cancelled_at_its_end(host, tmp_path):
    assert host.ask(b"background", os.fsencode(tmp_path)) == last(b"begun")
    eventually((tmp_path / "idle").exists)
    assert not (tmp_path / "cancelled").exists()
    assert host.end() == (0, "")
    assert (tmp_path / "cancelled").exists()


@pytest.mark.parametrize("how", ["stop", "terminate", "end"])
def test_an_idle_worker_that_is_told_to_end_ends_with_status_0(start, how):
    for handler in ("async_handlers:answers", "async_handlers:turns_async"):
        host = start(handler)
        host.ask(b"coroutine")
        getattr(host, how)()
        assert host.wait() == 0
        assert host.end()[1] == ""


@pytest.mark.parametrize("handler", ["async_handlers:answers", "async_handlers:gated"])
@pytest.mark.parametrize("how", ["stop", "terminate", "end"])
def test_a_worker_that_is_told_to_end_finishes_its_request_first(start, tmp_path, handler, how):
    host = start(handler)
    started, gate = tmp_path / "started", tmp_path / "gate"
    host.send(b"gate", os.fsencode(f"{started}:{gate}"))
    eventually(started.exists)
    if how == "end":
        host.process.stdin.close()
    else:
        getattr(host, how)()
    gate.touch()
    assert host.receive() == last(b"text")
    assert host.wait() == 0


@pytest.mark.parametrize(("asked", "status"), [(b"exit", 7), (b"interrupt", -signal.SIGINT), (b"ends the process", 7)])
def test_what_ends_the_process_ends_it_without_an_answer(host, asked, status):
    host.send(asked)
    assert host.receive() is None
    assert host.wait() == status
    assert "never retrieved" not in host.end()[1] or asked == b"ends the process"  # which is the handler's own task


def test_a_stream_that_awaits_when_the_process_ends_is_closed_without_an_answer(streams):
    streams.send(b"ends the process")
    assert streams.receive() == part(b"one")
    assert streams.receive() is None
    assert streams.wait() == 7
    assert "closed whole" in streams.end()[1]


def test_a_host_that_is_gone_before_the_answer_is_no_error(host):
    host.process.stdout.close()
    host.send(b"text")
    assert host.wait() == 0
    assert host.end()[1] == ""


@pytest.mark.parametrize("asked", [b"", b"text"])
def test_bytes_that_are_no_frame_end_it_with_a_message(host, asked):
    if asked:
        host.ask(asked)
    os.write(host.input, b"GET / HTTP/1.1\r\n")
    assert host.wait() == 1
    assert "rrpy.worker: the host sent a wrong frame: not a goridge frame" in host.end()[1]


def test_stdin_that_is_a_file_is_read_to_its_end(tmp_path):
    frames = [Frame(CONTROL | JSON, b'{"pid":1}'), Frame(0, b"text", (4,))]
    (tmp_path / "frames").write_bytes(b"".join(map(encode, frames)))
    with (tmp_path / "frames").open() as file:
        run = subprocess.run([*SDK, "async_handlers:answers"], stdin=file, capture_output=True, cwd=SUPPORT)
    assert run.stdout.endswith(encode(last(b"text")))
    assert (run.returncode, run.stderr) == (0, b"")


def test_what_an_asynchronous_generator_yields_is_sent_part_by_part_and_an_empty_frame_ends_it(streams):
    assert streams.stream(b"") == [part(b"one"), part(b"", b"two"), last()]
    assert streams.stream(b"") == [part(b"one"), part(b"", b"two"), last()]
    assert streams.end() == (0, "closed\nclosed whole\n" * 2)


@pytest.mark.parametrize(
    ("asked", "error"),
    [(b"soft", b"no more"), (b"number", f"TypeError: {RESULTS}, not int".encode())],
)
def test_an_error_in_mid_stream_ends_the_stream_and_the_worker_lives_on(streams, asked, error):
    first, end = streams.stream(asked)
    assert [first, without_place(end)] == [part(b"one"), Frame(ERROR, error)]
    assert streams.stream(b"")[-1] == last()
    assert streams.end()[1].count("closed whole\n") == 2


@pytest.mark.parametrize("asked", [b"waits", b"endless", b"big"])
@pytest.mark.parametrize("begun", [True, False], ids=["after a part", "with the request"])
def test_a_cancelled_stream_is_closed_at_once_also_while_it_awaits(streams, asked, begun):
    for _ in range(3):
        streams.send(asked)
        if begun:
            assert streams.receive() == part(b"one")
        streams.cancel()
        *parts, end = streams.drain()
        assert end == last()
        assert len(parts) < 1000
    assert streams.stream(b"") == [part(b"one"), part(b"", b"two"), last()]
    status, said = streams.end()
    assert (status, set(said.splitlines())) == (0, {"closed", "closed whole"})


def test_a_background_task_runs_while_the_host_is_slow_to_take_an_answer(start, tmp_path):
    host = start("async_handlers:answers")
    host.ask(b"background slow", os.fsencode(tmp_path))
    host.send(b"big", bytes(5_000_000))
    (tmp_path / "go").touch()
    eventually((tmp_path / "went").exists)
    assert host.receive() == last(b"5000000", bytes(5_000_000))


@pytest.mark.parametrize("bit", [STOP, PONG])
def test_a_stop_or_pong_that_comes_when_no_stream_runs_is_passed_over(start, bit):
    for handler in ("async_handlers:answers", "async_handlers:streams"):
        host = start(handler)
        for _ in range(3):
            os.write(host.input, encode(Frame(0, b"", (), bit)))
            assert host.stream(b"")[-1] == last(b"text" if handler.endswith("answers") else b"")


def test_a_stop_does_not_disturb_a_request_that_is_no_stream(host, tmp_path):
    started, gate = tmp_path / "started", tmp_path / "gate"
    host.send(b"gate", os.fsencode(f"{started}:{gate}"))
    eventually(started.exists)
    host.cancel()
    gate.touch()
    assert host.receive() == last(b"text")
    assert host.ask(b"text") == last(b"text")


@pytest.mark.parametrize("how", ["stop", "terminate", "end"])
def test_a_worker_that_is_told_to_end_finishes_its_stream_first(start, tmp_path, how):
    streams = start("async_handlers:streams")
    streams.send(b"gate", os.fsencode(tmp_path / "gate"))
    assert streams.receive() == part(b"one")
    if how == "end":
        streams.process.stdin.close()
    else:
        getattr(streams, how)()
    (tmp_path / "gate").touch()
    assert streams.drain() == [part(b"", b"two"), last()]
    assert streams.wait() == 0


def test_an_endless_stream_ends_with_its_host(streams):
    streams.send(b"endless")
    assert streams.receive() == part(b"one")
    streams.process.stdout.close()
    streams.process.stdin.close()
    assert streams.process.stderr.read() == b"closed\nclosed whole\n"
    assert streams.wait() == 0


def test_a_plain_function_may_give_something_to_await_at_any_request(start):
    host = start("async_handlers:turns_async")
    assert host.ask(b"x") == last(b"plain")
    first = host.ask(b"loop")
    assert host.ask(b"x") == last(b"plain")
    assert host.stream(b"stream") == [part(b"one"), part(b"", b"two"), last()]
    assert host.ask(b"loop") == first
    assert host.end() == (0, "closed\nclosed whole\n")


def test_a_plain_function_may_give_an_asynchronous_generator_at_first(start):
    host = start("async_handlers:turns_async")
    assert host.stream(b"stream") == [part(b"one"), part(b"", b"two"), last()]


def test_a_callable_object_may_be_asynchronous(start):
    host = start("async_handlers:called")
    assert host.ask(b"", b"body") == last(b"called", b"body")


def test_an_async_function_may_use_the_running_loop_and_its_background_logs_are_json(start):
    host = start("async_handlers:crashes_in_the_background")
    assert host.ask(b"") == last(b"text")
    said = host.end()[1]
    assert said.startswith('{"level": "error", "msg": "Task exception was never retrieved')
    assert '"logger": "asyncio"' in said


def test_a_worker_whose_handler_is_not_asynchronous_does_not_load_asyncio(start):
    host = start("pool_handlers:modules", measured=False)
    assert host.ask(b"asyncio sys logging socket json inspect") == last(b"sys")
