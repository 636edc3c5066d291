"""Outputs that are not read, or break: what waits, what is lost, and what the log says of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.container.logs import json_to
from support.container.plugins import script
from support.waiting import TIMEOUT, eventually

from rrpy.container import log
from rrpy.container.errors import ConfigError
from rrpy.container.log import ChannelConfig, LogConfig, configure, logger
from rrpy.container.log.output import Output

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("restored_log")]

PIPE_ROOM = 256 * 1024
"""More bytes than a pipe takes without a reader."""
ROOM = 100_000
"""Bytes that the output's buffer takes in these tests."""


class Pipe:
    """A named pipe as an output, which nothing reads until `read`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._read = b""

    def read(self) -> list[dict[str, object]]:
        """Return every line so far."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._reader, 65536):
                self._read += data
        return [json.loads(line) for line in self._read.decode().split("\n")[:-1]]

    def lose_reader(self) -> None:
        os.close(self._reader)

    def find_reader(self) -> None:
        self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """The log's output, in JSON. An urgent line waits for it for a moment."""
    monkeypatch.setattr("rrpy.container.log.output.MAX_BYTES", ROOM)
    monkeypatch.setattr("rrpy.container.log.output.URGENT_TIMEOUT", 0.01)
    pipe = Pipe(tmp_path / "log")
    json_to(pipe.path)
    yield pipe
    stop = threading.Event()

    def drain() -> None:
        while not stop.wait(0.005):
            pipe.read()

    reader = threading.Thread(target=drain)
    reader.start()
    log.close()
    stop.set()
    reader.join()
    pipe.lose_reader()


def numbers(found: list[dict[str, object]]) -> list[int]:
    return [int(str(line["number"])) for line in found if line["msg"] == "x"]


def lost(found: list[dict[str, object]]) -> list[int]:
    return [int(str(line["lost"])) for line in found if line["msg"] == "log lines were lost"]


def test_an_output_that_is_not_read_costs_a_bound_of_bytes_and_the_lines_over_it_are_counted(pipe):
    count = 10 * (PIPE_ROOM + ROOM) // 100  # each line has more than 100 bytes
    for number in range(count):
        logger("smtp").info("x", number=number)
    found: list[dict[str, object]] = []

    def complete() -> bool:
        found[:] = pipe.read()
        return len(numbers(found)) + sum(lost(found)) == count

    eventually(complete)
    assert numbers(found) == sorted(numbers(found))
    assert len(numbers(found)) * 100 < PIPE_ROOM + 2 * ROOM, "they were kept"
    # The count stands where the lines are missing.
    before, gap = 0, 0
    for line in found:
        if line["msg"] == "x":
            assert int(str(line["number"])) == before + gap
            before, gap = before + gap + 1, 0
        else:
            assert (line["level"], line["logger"], line["output"]) == ("warn", "log", str(pipe.path))
            gap = int(str(line["lost"]))


async def test_a_turn_of_the_loop_that_lasts_keeps_a_bound_of_bytes(path, monkeypatch):
    monkeypatch.setattr("rrpy.container.log.output.MAX_BYTES", ROOM)
    monkeypatch.setattr("rrpy.container.log.output.FLUSH_AFTER", 86400)
    json_to(path)
    for number in range(10_000):
        logger("smtp").info("x", number=number)
    log.flush()
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert numbers(found) == list(range(len(numbers(found))))
    assert len(numbers(found)) < ROOM // 100
    assert lost(found) == [10_000 - len(numbers(found))]


def test_urgent_lines_wait_for_a_stuck_output_once_until_it_has_caught_up(pipe, monkeypatch):
    waits: list[float] = []
    flush = Output.flush

    def counted(output: Output, timeout: float) -> bool:
        waits.append(timeout)
        return flush(output, timeout)

    logger("smtp").info("x", number=0, filler="x" * PIPE_ROOM)
    monkeypatch.setattr(Output, "flush", counted)
    for number in range(1, 100):
        logger("smtp").warning("x", number=number)
    assert len(waits) <= 1
    eventually(lambda: len(numbers(pipe.read())) == 100)
    monkeypatch.setattr("rrpy.container.log.output.URGENT_TIMEOUT", TIMEOUT)
    eventually(lambda: logger("smtp").warning("y") or len(waits) > 1)
    logger("smtp").warning("x", number=100)
    assert numbers(pipe.read()) == list(range(101))


def test_the_end_of_a_stuck_output_gives_up(pipe, monkeypatch):
    monkeypatch.setattr("rrpy.container.log.output.CLOSE_TIMEOUT", 0.01)
    logger("smtp").info("x", number=0, filler="x" * PIPE_ROOM)
    threads = [thread for thread in threading.enumerate() if thread.name == f"log {pipe.path}"]
    assert len(threads) == 1
    assert threads[0].daemon, "Python's end does not wait for it"
    log.close()
    eventually(lambda: pipe.read() and not threads[0].is_alive())
    assert numbers(pipe.read()) == [0]


def test_one_stuck_output_does_not_hold_up_another(pipe, tmp_path):
    other = tmp_path / "other"
    configure(LogConfig(mode="production", output=[str(pipe.path), str(other)]))
    logger("smtp").info("x", number=0, filler="x" * PIPE_ROOM)
    for number in range(1, 10):
        logger("smtp").warning("x", number=number)
    eventually(lambda: other.read_text().count("\n") == 10, "while nothing reads the pipe")


def test_lines_that_a_lost_reader_missed_are_counted_for_the_next_one(pipe, capsys):
    logger("smtp").warning("x", number=0)
    eventually(lambda: numbers(pipe.read()) == [0])
    pipe.lose_reader()
    for number in range(1, 4):
        logger("smtp").info("x", number=number)
    log.flush()
    assert capsys.readouterr().err == f"cannot write the log to {pipe.path}: broken pipe\n"
    pipe.find_reader()
    logger("smtp").info("x", number=4)
    log.flush()
    found = pipe.read()
    assert numbers(found) == [0, 4]
    assert lost(found) == [3]
    assert found.index(next(line for line in found if "lost" in line)) == 1


def test_a_pipe_without_a_reader_is_a_sentence_and_not_a_wait(tmp_path):
    os.mkfifo(tmp_path / "log")
    with pytest.raises(ConfigError) as caught:
        json_to(tmp_path / "log")
    assert str(caught.value) == f"logs.output: cannot write to {tmp_path / 'log'}: no process reads it"


@pytest.mark.parametrize("place", ["file/log", "/proc/none/log", "folder"])
def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    path = tmp_path / place
    with pytest.raises(ConfigError) as caught:
        json_to(path)
    assert str(caught.value).startswith(f"logs.output: cannot write to {path}: ")


def test_a_new_file_has_the_mode_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        json_to(tmp_path / "log")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o640


def test_lines_of_one_file_in_two_encodings_keep_their_order(path):
    configure(LogConfig(mode="raw", output=str(path), channels={"rpc": ChannelConfig(mode="production")}))
    for number in range(1000):
        logger("smtp").info(f"{number}")
        logger("rpc").info(f"{number}")
    log.flush()
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["msg"] if isinstance(each, dict) else str(each) for each in found] == [
        str(number) for number in range(1000) for _ in range(2)
    ]


# Processes: a crash, a stderr that does not block.

START = """
import asyncio, os, signal, sys
from rrpy.container import log
from rrpy.container.log import LogConfig, configure, logger
"""
CRASH = (
    START
    + """
configure(LogConfig(mode="raw", output=["stderr"]))

async def main():
    for number in range(100):
        logger("smtp").info(str(number))
    logger("smtp").error("last words")
    os._exit(3) if sys.argv[1] == "exit" else os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
)
FLOOD = (
    START
    + """
os.set_blocking(2, False)
configure(LogConfig(mode="raw", output=["stderr"]))

async def main():
    for number in range(20_000):
        logger("smtp").info(f"{number:>99}")

asyncio.run(main())
print("done", flush=True)
log.close()
"""
)


@pytest.mark.parametrize(("how", "code"), [("exit", 3), ("kill", -signal.SIGKILL)])
def test_a_crash_loses_no_line_before_an_error(tmp_path, how, code):
    with script(CRASH, tmp_path, how) as crashing:
        returned, _, err = crashing.end()
    assert returned == code
    assert err.splitlines() == [*map(str, range(100)), "last words"]


def test_a_stderr_that_does_not_block_gets_every_line(tmp_path):
    with script(FLOOD, tmp_path) as flooding:
        flooding.until("done")
        _, _, err = flooding.end()
    assert [line.strip() for line in err.splitlines()] == [str(number) for number in range(20_000)]


async def test_a_slow_reader_holds_up_the_event_loop_for_a_share_of_its_time(tmp_path, monkeypatch):
    """Each urgent line waited for up to 0.1 s: a flood of errors held up a greeting for 81 ms."""
    now = 1000.0
    waits = []

    def slow(self, timeout):
        nonlocal now
        waits.append(min(timeout, 0.02))
        now += waits[-1]
        return True

    output = Output(str(tmp_path / "log"), lambda *_: "")
    with monkeypatch.context() as patched:
        patched.setattr("rrpy.container.log.output.monotonic", lambda: now)
        patched.setattr(Output, "flush", slow)
        output._counted = now
        for _ in range(1000):
            output.write("line\n", urgent=True)
            now += 0.001
    output.close()
    assert 0.05 <= sum(waits) <= 0.05 + 0.05 * (now - 1000)


async def test_one_channel_may_stay_on_stderr_where_the_others_go_to_a_file(tmp_path, capfd):
    configure(LogConfig(output=str(tmp_path / "a.log"), channels={"smtp": ChannelConfig(output="stderr")}))
    logger("smtp").error("on stderr")
    logger("rpc").error("in the file")
    log.close()
    assert ["on stderr" in capfd.readouterr().err, "on stderr" in (tmp_path / "a.log").read_text()] == [True, False]
    assert "in the file" in (tmp_path / "a.log").read_text()
