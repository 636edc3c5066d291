"""How a line looks: one line, whatever it holds, without secrets."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.container.logs import HOSTILE, Unshowable, console_to, itself, json_to, lines, said

from rrpy.container.config.fields import Secret
from rrpy.container.log import LogConfig, configure, logger

pytestmark = pytest.mark.usefixtures("restored_log")

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
    assert all(char.isprintable() for char in text.replace("\n", ""))
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
    assert written[:-1].isprintable()
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


def test_an_exception_without_a_text_is_its_type(path):
    json_to(path)
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        logger("smtp").exception("failed")
    assert lines(path)[0]["error"] == "KeyboardInterrupt"


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
