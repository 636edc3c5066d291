from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import loguru
import pytest
from support.container.plugins import script

from rrpy.container import log
from rrpy.container.config.fields import Secret
from rrpy.container.errors import ConfigError
from rrpy.container.log import ChannelConfig, LogConfig, configure, logger
from rrpy.container.log.output import Output
from rrpy.container.protocols import Logger

HOSTILE = [
    "a\nb",
    "a\r\nb",
    "\x1b[2Jx",
    "\x00",
    "\u2028",
    "\u202e",
    "\x85",
    "\x7f",
    "\ud800",
    "ü\t",
    '"',
    "\\",
    "",
    " ",
]


@pytest.fixture(autouse=True)
def log_is_given_back() -> Iterator[None]:
    """The log is the process's: what a test makes of it is undone."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    log.close()
    loguru.logger.remove()
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rr.log"


def json_to(path: Path, **more: Any) -> None:
    configure(LogConfig(mode="production", output=str(path), **more))


def console_to(path: Path, **more: Any) -> None:
    configure(LogConfig(mode="development", output=str(path), **more))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(path).split("\n")[:-1]]


def said(path: Path) -> str:
    log.flush()
    with path.open(newline="") as file:
        return file.read()


# JSON.


def test_a_line_in_json_is_one_flat_object_in_a_fixed_order(path):
    json_to(path)
    before = datetime.now(UTC)
    logger("smtp").info("email received", uuid="u1", remote_addr="127.0.0.1:5", to=["a@b", "c@d"], size=7)
    after = datetime.now(UTC)
    (line,) = lines(path)
    assert list(line) == ["level", "ts", "logger", "msg", "uuid", "remote_addr", "to", "size"]
    assert (line["level"], line["logger"], line["msg"]) == ("info", "smtp", "email received")
    assert (line["to"], line["size"]) == (["a@b", "c@d"], 7)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["ts"])
    assert before <= datetime.fromisoformat(line["ts"]) <= after


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def itself() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    "value",
    [
        *HOSTILE,
        None,
        True,
        10**30,
        -(10**5000),
        float("nan"),
        float("inf"),
        b"\xff\x00",
        bytearray(b"x"),
        [b"\xff"],
        {"a": {1: "x"}},
        {(1, 2): "x"},
        {1, 2},
        itself(),
        object(),
        Unshowable(),
        [Unshowable()],
        ["\ud800"],
        Path("/x"),
        ValueError("x"),
        Secret("x"),
        datetime(2026, 1, 1, tzinfo=UTC),
        "x" * 1_000_000,
        memoryview(b"x"),
        type,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("mode", ["production", "development"])
def test_whatever_a_key_holds_a_line_is_one_line(path, mode, value):
    configure(LogConfig(mode=mode, output=str(path)))
    logger("smtp").info("before")
    logger("smtp").info("event", value=value)
    logger("smtp").warning("after")
    text = said(path)
    assert text.count("\n") == 3
    assert text.endswith("\n")
    assert all(char.isprintable() for char in text.replace("\n", "")) or mode == "production"
    if mode == "production":
        assert [line["msg"] for line in lines(path)] == ["before", "event", "after"]
        assert "value" in lines(path)[1]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("mode", ["production", "development", "raw"])
def test_whatever_a_message_a_key_or_a_channel_is_a_line_is_one_line(path, mode, text):
    configure(LogConfig(mode=mode, output=str(path)))
    logger(f"x{text}").warning(f"message {text}", **{f"key{text}": 1})
    written = said(path)
    assert written.count("\n") == 1
    assert mode == "production" or all(char.isprintable() for char in written[:-1])
    if mode == "production":
        assert len(lines(path)[0]) == 5


def test_bytes_are_shown_as_text(path):
    json_to(path)
    logger("smtp").warning("x", line=b"HELO \xff", more=bytearray(b"y"))
    assert (lines(path)[0]["line"], lines(path)[0]["more"]) == ("HELO \\xff", "y")


def test_a_key_cannot_replace_what_every_line_has(path):
    json_to(path)
    logger("smtp").warning("real", level="x", ts="x", msg="x", msg_="y", logger="x")
    (line,) = lines(path)
    assert (line["level"], line["logger"], line["msg"]) == ("warn", "smtp", "real")
    assert {line["level_"], line["ts_"], line["logger_"], line["msg_"]} == {"x"}
    assert line["msg__"] == "y"


# For people.


def test_a_line_for_people_has_time_level_channel_message_and_keys(path):
    console_to(path)
    logger("smtp").info("email received", size=5, subject="two words", empty="", plain="one", flag=True)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO  smtp     email received "
        r'size=5 subject="two words" empty="" plain=one flag=True\n',
        said(path),
    )


def test_a_traceback_stands_indented_below_its_line_and_holds_nothing_raw(path):
    console_to(path)
    try:
        raise ValueError("first\n\x1b[2Jsecond")
    except ValueError:
        logger("smtp").exception("failed", uuid="u1")
    first, *rest = said(path).splitlines()
    assert first.endswith('failed uuid=u1 error="ValueError: first\\n\\x1b[2Jsecond"')
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_an_exception_in_json_is_in_its_line(path):
    json_to(path)
    try:
        raise ValueError("no")
    except ValueError:
        logger("smtp").exception("failed")
    (line,) = lines(path)
    assert (line["level"], line["error"]) == ("error", "ValueError: no")
    assert line["stacktrace"].startswith("Traceback (most recent call last):\n")


def test_an_exception_that_there_is_not_is_an_error_like_another(path):
    json_to(path)
    logger("smtp").exception("failed")
    assert "error" not in lines(path)[0]


def test_an_error_that_cannot_be_shown_does_not_fail_the_line(path):
    json_to(path)

    class Dumb(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    try:
        raise Dumb
    except Dumb:
        logger("smtp").exception("failed")
    assert lines(path)[0]["msg"] == "failed"


def test_there_are_colours_on_a_terminal_only(path, monkeypatch):
    class Terminal:
        def __init__(self, terminal: bool) -> None:
            self.text = ""
            self.isatty = lambda: terminal
            self.flush = lambda: None

        def write(self, text: str) -> None:
            self.text += text

    for terminal in (True, False):
        stream = Terminal(terminal)
        monkeypatch.setattr("sys.stderr", stream)
        configure(LogConfig(mode="development"))
        logger("smtp").warning("m\x1b[31m")
        assert ("\x1b[33mWARN \x1b[0m" in stream.text) is terminal
        assert "m\\x1b[31m" in stream.text


def test_raw_is_the_message_alone(path):
    configure(LogConfig(mode="raw", output=str(path)))
    logger("smtp").info("a worker's own words", key=1)
    assert said(path) == "a worker's own words\n"


# Secrets.


@pytest.mark.parametrize("mode", ["production", "development"])
def test_a_secret_is_masked_by_the_name_of_its_key_at_any_depth(path, mode):
    configure(LogConfig(mode=mode, output=str(path)))
    headers = {"authorization": "hunter2", "deep": [{"api_key": "hunter2"}]}
    logger("smtp").warning("x", password="hunter2", apiKey=b"hunter2", headers=headers, s=Secret("hunter2"))
    logger("smtp").warning("y", dsn="redis://user:hunter2@host", auth={"token": ["hunter2"]}, user="author")
    text = said(path)
    assert "hunter2" not in text
    assert "redis://user:***@host" in text
    assert "author" in text
    assert headers["authorization"] == "hunter2", "what was logged is left as it is"


# Levels, modes, channels, outputs.

LEVELS = ["debug", "info", "warning", "error"]


@pytest.mark.parametrize(
    ("level", "let_through"), [("debug", 4), ("info", 3), ("warn", 2), ("warning", 2), ("error", 1)]
)
def test_a_level_lets_through_itself_and_what_is_worse(path, level, let_through):
    json_to(path, level=level)
    channel = logger("smtp")
    for each in LEVELS:
        getattr(channel, each)(each)
    assert [line["msg"] for line in lines(path)] == LEVELS[-let_through:]
    assert [channel.enabled(each) for each in LEVELS] == [each in LEVELS[-let_through:] for each in LEVELS]
    assert channel.enabled("ERROR")


@pytest.mark.parametrize(
    ("mode", "first", "is_json"),
    [(None, "debug", False), ("development", "debug", False), ("production", "info", True)],
)
def test_a_mode_is_a_level_and_an_encoding(path, mode, first, is_json):
    configure(LogConfig(mode=mode, output=str(path)))
    for each in LEVELS:
        getattr(logger("smtp"), each)(each)
    text = said(path)
    assert text.startswith("{") is is_json
    assert ("debug" in text.splitlines()[0].lower()) is (first == "debug")


@pytest.mark.parametrize("mode", ["none", "off"])
def test_a_log_that_is_off_writes_nothing_and_opens_nothing(path, mode):
    configure(LogConfig(mode=mode, output=str(path)))
    logger("smtp").error("x")
    assert not path.exists()
    assert not logger("smtp").enabled("error")


def test_debug_and_silent_win_over_the_level(path):
    config = LogConfig(
        mode="production", level="warn", output=str(path), channels={"smtp": ChannelConfig(level="info")}
    )
    configure(config, debug=True)
    logger("smtp").debug("d")
    logger("host").debug("d")
    configure(config, silent=True)
    logger("smtp").warning("w")
    logger("smtp").error("e")
    assert [line["msg"] for line in lines(path)] == ["d", "d", "e"]


def test_a_line_that_is_not_written_renders_nothing(path):
    json_to(path, level="error")
    logger("smtp").info("x", value=Unshowable())
    logger("smtp").debug("x", value=itself())

    class Trap:
        def __str__(self) -> str:
            raise AssertionError("rendered")

    logger("smtp").warning("x", value=Trap())
    assert said(path) == ""


def test_a_channel_may_have_its_own_level_output_and_encoding(path, tmp_path):
    own = tmp_path / "smtp.log"
    json_to(
        path,
        channels={
            "smtp": ChannelConfig(level="debug", output=str(own), encoding="console"),
            "rpc": ChannelConfig(mode="off"),
            "server": ChannelConfig(level="error"),
        },
    )
    for name in ("smtp", "rpc", "server", "host"):
        logger(name).debug("d")
        logger(name).info("i")
    logger("server").error("e")
    assert [(line["logger"], line["msg"]) for line in lines(path)] == [("host", "i"), ("server", "e")]
    assert re.fullmatch(r".* DEBUG smtp     d\n.* INFO  smtp     i\n", said(own))


def test_several_outputs_get_every_line_and_one_that_is_named_twice_gets_it_once(tmp_path):
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    configure(LogConfig(mode="production", output=[one, two, one]))
    logger("smtp").info("x")
    log.flush()
    assert [Path(each).read_text().count('"msg":"x"}\n') for each in (one, two)] == [1, 1]


def test_stderr_and_stdout_are_what_they_are_when_a_line_is_written(capsys):
    configure(LogConfig(mode="raw", output=["stderr", "stdout"]))
    logger("smtp").warning("x")
    assert capsys.readouterr() == ("x\n", "x\n")


def test_a_channel_that_was_made_before_follows_every_configuration(path, tmp_path):
    early = logger("early")
    early.error("lost: there is no log yet")
    json_to(path)
    early.warning("one")
    json_to(tmp_path / "other")
    early.warning("two")
    assert logger("early") is early
    assert isinstance(early, Logger)
    assert [line["msg"] for line in lines(path)] == ["one"]
    assert [line["msg"] for line in lines(tmp_path / "other")] == ["two"]


def test_a_file_is_appended_to_and_its_folder_is_made(tmp_path):
    path = tmp_path / "logs" / "rr.log"
    for word in ("one", "two"):
        configure(LogConfig(mode="raw", output=str(path)))
        logger("smtp").info(word)
        log.close()
    assert path.read_text() == "one\ntwo\n"


def test_a_path_is_a_path_and_no_pattern(tmp_path):
    configure(LogConfig(mode="raw", output=str(tmp_path / "{time}{x}{}.log")))
    logger("smtp").warning("x")
    assert [each.name for each in tmp_path.iterdir()] == ["{time}{x}{}.log"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is a directory"),
        ("file/x", "file exists"),
        ("\0", "embedded null byte"),
        ("x" * 300, "file name too long"),
    ],
)
def test_an_output_that_cannot_be_opened_is_one_sentence_that_names_it(tmp_path, name, reason):
    (tmp_path / "file").touch()
    place = f"{tmp_path}/{name}"
    with pytest.raises(ConfigError) as caught:
        configure(LogConfig(mode="production", output=[str(tmp_path / "good"), place]))
    assert str(caught.value).startswith(f"logs.output: cannot write to {place}: ")
    assert reason in str(caught.value)


# When it is written.

pytestmark = pytest.mark.anyio


async def test_a_warning_goes_out_at_once_and_takes_what_waits_along_in_order(path):
    json_to(path)
    smtp, rpc = logger("smtp"), logger("rpc")
    smtp.info("1")
    rpc.info("2")
    assert path.read_text() == ""
    smtp.warning("3")
    assert [json.loads(line)["msg"] for line in path.read_text().splitlines()] == ["1", "2", "3"]


async def test_a_line_waits_for_others_for_a_moment_only(path, monkeypatch):
    written = anyio.Event()
    flush = Output.flush

    def flushed(output: Output) -> None:
        flush(output)
        written.set()

    monkeypatch.setattr(Output, "flush", flushed)
    json_to(path)
    for number in range(100):
        logger("smtp").info(str(number))
    assert path.read_text() == ""
    with anyio.fail_after(10):
        await written.wait()
    assert [json.loads(line)["msg"] for line in path.read_text().splitlines()] == [str(each) for each in range(100)]


async def test_nothing_is_lost_at_the_close_and_nothing_is_written_after_it(path):
    json_to(path)
    logger("smtp").info("last words")
    log.close()
    logger("smtp").error("from the grave")
    logger("new").error("born too late")
    log.close()
    assert [json.loads(line)["msg"] for line in path.read_text().splitlines()] == ["last words"]


def test_without_a_loop_a_line_is_written_at_once(path):
    json_to(path)
    logger("smtp").info("x")
    assert json.loads(path.read_text())["msg"] == "x"


def test_a_line_that_waited_for_a_loop_that_ended_is_not_lost(path):
    json_to(path)

    async def speak() -> None:
        logger("smtp").info("x")

    for _ in range(2):
        asyncio.run(speak())
    log.close()
    assert path.read_text().count("\n") == 2


def test_lines_of_many_threads_are_whole_and_all_there(path):
    json_to(path)
    start = threading.Barrier(4)

    def speak(name: str) -> None:
        start.wait(10)
        for number in range(200):
            logger(name).info(str(number))

    threads = [threading.Thread(target=speak, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(found) == 800
    assert {line["logger"] for line in found} == {"t0", "t1", "t2", "t3"}


# What others say.


def test_what_libraries_say_by_the_standard_library_from_warning_on_is_in_the_log(path):
    json_to(path)
    library = logging.getLogger("some.library")
    library.info("too little")
    library.warning("careful: %s", "this")
    try:
        raise ValueError("no")
    except ValueError:
        library.exception("failed")
    library.critical("worst")
    found = lines(path)
    assert [(line["level"], line["logger"], line["msg"]) for line in found] == [
        ("warn", "some.library", "careful: this"),
        ("error", "some.library", "failed"),
        ("error", "some.library", "worst"),
    ]
    assert found[1]["error"] == "ValueError: no"
    assert "Traceback" in found[1]["stacktrace"]


def test_a_librarys_line_that_cannot_be_formatted_does_not_fail_it(path, capsys):
    json_to(path)
    words = "%d of %d"
    logging.getLogger("x").warning(words, "text")
    logging.getLogger("x").warning("after")
    assert [line["msg"] for line in lines(path)] == ["%d of %d", "after"]
    assert capsys.readouterr().err == ""


def test_a_warning_of_python_is_in_the_log(path):
    json_to(path)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines(path)
    assert line["logger"] == "py.warnings"
    assert "DeprecationWarning: old" in line["msg"]


def test_what_a_plugin_says_to_loguru_itself_is_in_the_log_with_its_keys(path):
    json_to(path, level="debug")
    loguru.logger.info("hello {}", "you")
    loguru.logger.bind(logger="mine", user="a", password="hunter2").warning("bound")
    loguru.logger.trace("fine")
    loguru.logger.success("done")
    try:
        raise ValueError("no")
    except ValueError:
        loguru.logger.exception("failed")
    found = lines(path)
    assert [(line["level"], line["msg"]) for line in found] == [
        ("info", "hello you"),
        ("warn", "bound"),
        ("debug", "fine"),
        ("info", "done"),
        ("error", "failed"),
    ]
    assert found[0]["logger"] == __name__
    assert (found[1]["logger"], found[1]["user"], found[1]["password"]) == ("mine", "a", "***")
    assert found[4]["error"] == "ValueError: no"


def test_what_is_said_to_loguru_is_kept_back_by_the_channels_level(path):
    json_to(path, level="error")
    loguru.logger.warning("no")
    logging.getLogger("x").warning("no")
    assert said(path) == ""


def test_a_plugin_that_clears_loguru_cannot_bring_the_host_down(path):
    json_to(path)
    loguru.logger.remove()
    logger("smtp").error("unheard")
    log.close()


# When an output breaks.


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_said_on_stderr_and_fails_nobody(capsys):
    configure(LogConfig(mode="production", output="/dev/full"))
    logger("smtp").error("x")
    logger("smtp").error("y")
    log.close()
    gc.collect()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "cannot write the log to /dev/full: no space left on device"
    assert len(set(said)) == 1


SPEAKER = """
import os, sys
from rrpy.container import log
from rrpy.container.log import LogConfig, configure, logger
if sys.argv[1] == "close":
    os.close(2)
elif sys.argv[1] == "pipe":
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 2)
elif sys.argv[1] == "python":
    sys.stderr.close()
elif sys.argv[1] == "none":
    sys.stderr = None
configure(LogConfig(mode="development", output=["stderr", "stdout"]))
logger("smtp").error("one")
logger("smtp").info("two")
log.close()
print("alive")
"""


@pytest.mark.parametrize("how", ["close", "pipe", "none"])
def test_a_host_whose_stderr_is_gone_lives_on_and_its_other_outputs_too(tmp_path, how):
    with script(SPEAKER, tmp_path, how) as speaker:
        _code, out, err = speaker.end()
    assert [line.split()[-1] for line in out] == ["one", "two", "alive"]
    assert "Traceback" not in err


def test_a_log_file_is_nobodys_elses_business_to_inherit(path):
    json_to(path)
    logger("smtp").warning("x")
    inode = path.stat().st_ino
    holders = [number for number in range(1024) if _inode(number) == inode]
    assert holders
    assert not any(os.get_inheritable(fd) for fd in holders)


def _inode(descriptor: int) -> int | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_ino if stat.S_ISREG(found.st_mode) else None
