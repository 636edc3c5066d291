"""`python -m rrpy.worker` as a process, spoken to in frames."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import pytest
from support.waiting import eventually
from support.worker.host import SDK, SUPPORT, WorkerHost, last, listen, part, without_place

from rrpy.goridge.frame import ERROR, PONG, STOP, Frame, encode
from rrpy.worker.messages import RESULTS

pytestmark = pytest.mark.usefixtures("measured")

NO_ANSWER = f"TypeError: {RESULTS}, not int".encode()


@pytest.fixture
def start():
    hosts = []

    def make(*arguments: str, **options) -> WorkerHost:
        hosts.append(WorkerHost([*SDK, *arguments], **options))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def host(start):
    host = start("pool_handlers:answers")
    host.shake_hands()
    return host


@pytest.fixture
def streams(start):
    host = start("pool_handlers:streams")
    host.shake_hands()
    return host


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"str", Frame(0, b"text", (4,))),
        (b"bytes", Frame(0, b"bytes", (0,))),
        (b"none", Frame(0, b"", (0,))),
        (b"pair", Frame(0, b"\xc3\xa9\x00", (2,))),
        (b"soft", Frame(ERROR, b"not this one")),
        (b"unexpected", Frame(ERROR, b"ValueError: a bad value")),
        (b"unspeakable", Frame(ERROR, b"(an error without a text)")),
        (b"number", Frame(ERROR, NO_ANSWER)),
        (b"stdin", Frame(0, b"?", (1,))),
    ],
)
def test_what_a_handler_does_is_what_the_host_gets_and_the_worker_lives_on(host, asked, answer):
    answer = Frame(0, b"empty", (5,)) if asked == b"stdin" else answer
    assert without_place(host.ask(asked)) == answer
    assert host.ask(b"str") == Frame(0, b"text", (4,))
    status, said = host.end()
    assert status == 0
    assert ("Traceback" in said) == (answer.payload[:4] in (b"Valu", b"Type"))


def test_an_error_names_the_file_and_the_line_in_the_user_s_code_or_of_the_handler(host):
    """It was `ValueError: a bad value`: only the traceback in the log had its place."""
    file = SUPPORT / "pool_handlers.py"
    lines = file.read_text().splitlines()
    raised = lines.index('        raise ValueError("a bad value")') + 1
    assert host.ask(b"unexpected").payload == b"ValueError: a bad value in %s:%d" % (os.fsencode(file), raised)
    defined = lines.index("def answers(request):") + 1
    assert host.ask(b"number").payload.endswith(b"not int in %s:%d" % (os.fsencode(file), defined))


def test_what_is_printed_goes_to_stderr_and_never_into_the_channel(host):
    assert host.ask(b"print") == Frame(0, b"?", (1,))
    assert host.end() == (0, "printed\nprinted by a child\n")


@pytest.mark.parametrize(("asked", "status"), [(b"exit", 7), (b"interrupt", -signal.SIGINT)])
def test_a_handler_that_ends_the_process_ends_it(host, asked, status):
    host.send(asked)
    assert host.relay.receive() is None
    assert host.end()[0] == status


def test_the_stop_frame_and_the_end_of_stdin_end_it_with_status_0(start):
    stopped, left = start(), start()
    for host in (stopped, left):
        host.shake_hands()
    stopped.stop()
    assert stopped.wait() == 0
    assert left.end() == (0, "")


def test_sigterm_ends_an_idle_worker_with_status_0(host):
    host.terminate()
    assert host.wait() == 0


def test_sigterm_lets_the_running_request_finish(start, tmp_path):
    host = start("pool_handlers:slow")
    host.shake_hands()
    started, gate = tmp_path / "started", tmp_path / "gate"
    host.send(os.fsencode(started), os.fsencode(gate))
    eventually(started.exists)
    host.terminate()
    gate.touch()
    assert host.relay.receive() == Frame(0, b"done", (4,))
    assert host.wait() == 0


@pytest.mark.parametrize("bit", [STOP, PONG])
def test_a_stop_or_pong_that_comes_when_no_stream_runs_is_passed_over(host, bit):
    os.write(host.input, encode(Frame(0, b"", (), bit)))
    assert host.ask(b"str") == Frame(0, b"text", (4,))


def test_bytes_that_are_no_frame_end_it_with_a_message(start):
    host = start()
    host.process.stdin.write(b"GET / HTTP/1.1\r\n")
    host.process.stdin.flush()
    assert host.wait() == 1
    assert "rrpy.worker: the host sent a wrong frame: not a goridge frame" in host.end()[1]


def test_a_host_that_is_gone_before_the_answer_is_no_error(start):
    host = start("pool_handlers:echo")
    host.shake_hands()
    host.process.stdout.close()
    host.send(b"x")
    assert host.wait() == 0


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        ("no_such_module:handle", "cannot load no_such_module:handle: ModuleNotFoundError: No module named 'no_such_"),
        ("pool_handlers:nothing", "pool_handlers:nothing is not there, or not callable"),
        ("pool_handlers:not_callable", "pool_handlers:not_callable is not there, or not callable"),
        ("pool_handlers", "'pool_handlers' does not say module:handler"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_told_and_ends_it_before_the_handshake(start, handler, text):
    status, said = start(handler).end()
    assert status == 1
    assert said.startswith(f"rrpy.worker: {text}")


def test_a_handler_in_a_module_of_the_name_of_one_of_pythons_is_reported(start, tmp_path):
    (tmp_path / "email.py").write_text("def handle(request): ...\n")
    text = "email:handle is not there, or not callable: email is a module of Python itself, so yours needs another name"
    assert start("email:handle", cwd=tmp_path).end() == (1, f"rrpy.worker: {text}\n")


def test_a_module_that_fails_to_import_shows_its_traceback(start, tmp_path):
    (tmp_path / "broken_handlers.py").write_text("import a_missing_library\n")
    status, said = start("broken_handlers:handle", PYTHONPATH=str(tmp_path)).end()
    assert status == 1
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].endswith("ModuleNotFoundError: No module named 'a_missing_library'")


def test_wrong_arguments_and_a_terminal_are_errors(start):
    assert start("a:b", "c:d").end() == (1, "rrpy.worker: usage: python -m rrpy.worker [module:handler]\n")
    ours, terminal = os.openpty()
    run = subprocess.run(SDK, stdin=terminal, capture_output=True, text=True)
    os.close(ours)
    os.close(terminal)
    assert (run.returncode, "`rrpy serve` runs it" in run.stderr) == (1, True)


def test_the_worker_that_ships_tells_about_events_and_accepts_everything(start):
    host = start()
    host.shake_hands()
    event = b'{"event":"EMAIL_RECEIVED","id":"i1","uuid":"u1","message":{}}'
    for context in (event, b"not json", b"[1]"):
        assert host.ask(context, b"raw") == Frame(0, b"CONTINUE", (8,))
    assert host.end()[1].splitlines() == [
        f"worker got event=EMAIL_RECEIVED id=i1 uuid=u1 ({len(event)} + 3 bytes)",
        "worker got a context that is not an event (8 + 3 bytes)",
        "worker got a context that is not an event (3 + 3 bytes)",
    ]


def test_big_bodies_pass_whole_both_ways(start):
    host = start("pool_handlers:echo")
    host.shake_hands()
    body = os.urandom(5_000_000)
    assert host.ask(b"big", body) == last(b"big", body)


def test_what_a_generator_yields_is_sent_part_by_part_and_an_empty_frame_ends_it(streams):
    assert streams.stream(b"") == [part(b"one"), part(b"", b"two"), last()]
    assert streams.stream(b"returns") == [part(b"one"), part(b"", b"two"), last(b"the end", b"!")]
    assert streams.end() == (0, "closed\nclosed\n")


def test_a_part_is_sent_at_once_and_not_when_the_next_one_comes(streams, tmp_path):
    gate = tmp_path / "gate"
    streams.send(b"gate", os.fsencode(gate))
    assert streams.receive() == part(b"one")
    gate.touch()
    assert streams.drain() == [part(b"", b"two"), last()]


def test_a_part_of_five_megabytes_passes_whole(streams):
    assert streams.stream(b"big") == [part(b"one"), part(b"", b"b" * 5_000_000), part(b"", b"two"), last()]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (b"soft", b"no more"),
        (b"unexpected", b"ValueError: a bad part"),
        (b"number", NO_ANSWER),
    ],
)
def test_an_error_in_mid_stream_ends_the_stream_and_the_worker_lives_on(streams, asked, error):
    first, end = streams.stream(asked)
    assert [first, without_place(end)] == [part(b"one"), Frame(ERROR, error)]
    assert streams.stream(b"") == [part(b"one"), part(b"", b"two"), last()]
    status, said = streams.end()
    assert (status, said.count("closed\n"), "Traceback" in said) == (0, 2, asked != b"soft")


def test_an_error_before_the_first_part_is_the_whole_answer(streams):
    assert streams.stream(b"refuses at once") == [Frame(ERROR, b"not this one")]


def test_a_cancelled_stream_is_closed_and_ends_with_an_empty_frame(streams):
    streams.send(b"endless")
    assert streams.receive() == part(b"one")
    streams.cancel()
    *parts, end = streams.drain()
    assert set(parts) <= {part(b"more", b"\x00")}
    assert end == last()
    assert streams.stream(b"") == [part(b"one"), part(b"", b"two"), last()]
    assert streams.end() == (0, "closed\nclosed\n")


@pytest.mark.parametrize(
    ("asked", "error"),
    [(b"stubborn", b"RuntimeError: generator ignored GeneratorExit"), (b"breaks at its end", b"ValueError: a bad end")],
)
def test_a_stream_that_cannot_be_closed_cleanly_ends_with_an_error(streams, asked, error):
    streams.send(asked)
    streams.cancel()
    assert without_place(streams.drain()[-1]) == Frame(ERROR, error)
    assert streams.stream(b"")[-1] == last()


def test_a_pong_and_a_request_that_come_in_mid_stream_do_not_disturb_it(streams, tmp_path):
    gate = tmp_path / "gate"
    streams.send(b"gate", os.fsencode(gate))
    assert streams.receive() == part(b"one")
    os.write(streams.input, encode(Frame(0, b"", (), PONG)))
    streams.send(b"returns")
    gate.touch()
    assert streams.drain() == [part(b"", b"two"), last()]
    assert streams.drain() == [part(b"one"), part(b"", b"two"), last(b"the end", b"!")]


@pytest.mark.parametrize("how", ["stop", "terminate", "end"])
def test_a_worker_that_is_told_to_end_finishes_its_stream_first(streams, tmp_path, how):
    gate = tmp_path / "gate"
    streams.send(b"gate", os.fsencode(gate))
    assert streams.receive() == part(b"one")
    if how == "end":
        streams.process.stdin.close()
    else:
        getattr(streams, how)()
    gate.touch()
    assert streams.drain() == [part(b"", b"two"), last()]
    assert streams.wait() == 0


def test_an_endless_stream_ends_with_its_host(streams):
    streams.send(b"endless")
    assert streams.receive() == part(b"one")
    streams.process.stdout.close()
    streams.process.stdin.close()
    assert streams.process.stderr.read() == b"closed\n"
    assert streams.wait() == 0


def test_what_is_no_frame_in_mid_stream_ends_the_worker_with_a_message(streams):
    streams.send(b"endless")
    assert streams.receive() == part(b"one")
    os.write(streams.input, b"GET / HTTP/1.1\r\n")
    assert streams.wait() == 1
    assert "closed\n" in (said := streams.end()[1])
    assert "the host sent a wrong frame" in said


def test_a_partial_object_streams_as_the_function_does(start):
    host = start("pool_handlers:not_a_function")
    host.shake_hands()
    assert host.stream(b"") == [part(b"one"), part(b"", b"two"), last()]


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "unix"])
@pytest.mark.parametrize("handler", ["pool_handlers:streams", "async_handlers:streams"])
def test_over_a_socket_everything_is_as_over_pipes(start, tmp_path, kind, handler):
    try:
        listener, address = listen(kind, tmp_path)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with listener:
        host = start(handler, listener=listener, RR_RELAY=address)
        host.shake_hands()
        assert host.stream(b"") == [part(b"one"), part(b"", b"two"), last()]
        assert host.stream(b"soft") == [part(b"one"), Frame(ERROR, b"no more")]
        host.send(b"endless")
        host.cancel()
        assert host.drain()[-1] == last()
        status, said = host.end()
        assert (status, said.splitlines()[0], host.process.stdout.closed) == (0, "closed", True)


def test_over_a_socket_stdin_is_empty_and_what_is_printed_goes_to_stderr(start, tmp_path):
    listener, address = listen("unix", tmp_path)
    with listener:
        host = start("pool_handlers:answers", listener=listener, RR_RELAY=address)
        host.shake_hands()
        assert host.ask(b"stdin") == last(b"empty")
        assert host.ask(b"print") == last(b"?")
        host.stop()
        assert host.wait() == 0
        assert host.process.stdout.read() == b""
        assert host.end() == (0, "printed\nprinted by a child\n")


def test_big_bodies_pass_whole_both_ways_over_a_socket(start, tmp_path):
    listener, address = listen("tcp", tmp_path)
    with listener:
        host = start("pool_handlers:echo", listener=listener, RR_RELAY=address)
        host.shake_hands()
        body = os.urandom(5_000_000)
        assert host.ask(b"big", body) == last(b"big", body)


def test_a_connection_that_is_reset_is_a_host_that_is_gone(start, tmp_path):
    listener, address = listen("tcp", tmp_path)
    with listener:
        host = start("pool_handlers:echo", listener=listener, RR_RELAY=address)
        host.shake_hands()
        host.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert host.end() == (0, "")


def test_a_relative_path_is_looked_for_where_the_worker_runs(start, tmp_path):
    listener, _ = listen("unix", tmp_path)
    with listener:
        host = start(listener=listener, cwd=tmp_path, RR_RELAY="unix://relay.sock")
        host.shake_hands()
        assert host.end() == (0, "")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("unix:///nowhere/relay.sock", "No such file or directory"),
        ("unix://" + "x" * 200, "AF_UNIX path too long"),
        ("tcp://127.0.0.1", "it is not pipes, tcp://host:port or unix://path"),
        ("tcp://127.0.0.1:70000", "it is not pipes, tcp://host:port or unix://path"),
        ("tcp://:6002", "it is not pipes, tcp://host:port or unix://path"),
        ("unix://", "it is not pipes, tcp://host:port or unix://path"),
        ("carrier pigeon", "it is not pipes, tcp://host:port or unix://path"),
    ],
)
def test_a_host_that_cannot_be_reached_is_one_sentence_and_status_1(start, address, reason):
    said = f"rrpy.worker: cannot reach the host at RR_RELAY={address}: {reason}\n"
    assert start(RR_RELAY=address).end() == (1, said)


def test_a_refused_connection_is_one_sentence_and_status_1(start, tmp_path):
    listener, address = listen("tcp", tmp_path)
    listener.close()
    said = f"rrpy.worker: cannot reach the host at RR_RELAY={address}: Connection refused\n"
    assert start(RR_RELAY=address).end() == (1, said)


@pytest.mark.parametrize("handler", ["pool_handlers:answers", "async_handlers:answers"])
def test_a_request_on_its_way_when_sigterm_comes_goes_back_unread(start, handler):
    host = start(handler)
    host.shake_hands()
    assert host.ask(b"str") == Frame(0, b"text", (4,))
    os.kill(host.process.pid, signal.SIGSTOP)
    host.terminate()
    host.send(b"str")
    os.kill(host.process.pid, signal.SIGCONT)
    answer = host.relay.receive()
    assert answer in (Frame(0, b'{"stop":true}', (13,)), Frame(0, b"text", (4,)))
    assert host.wait() == 0


@pytest.mark.parametrize("handler", ["pool_handlers:forked", "async_handlers:forks"])
def test_a_child_that_a_handler_forks_dies_of_sigterm_alone(start, handler):
    host = start(handler)
    host.shake_hands()
    for _ in range(2):
        assert host.ask(b"") == Frame(0, b"-15", (3,))
