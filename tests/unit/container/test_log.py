"""Channels: their levels, modes and outputs, and when a line is written."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from pathlib import Path

import pytest
from support.container.logs import Unshowable, itself, json_to, lines, said
from support.waiting import until

from rrpy.container import log
from rrpy.container.errors import ConfigError
from rrpy.container.log import ChannelConfig, LogConfig, configure, logger
from rrpy.container.protocols import Logger

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("restored_log")]

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
        ("\0", "embedded null"),
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


@pytest.fixture
def gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are not urgent wait for a day."""
    monkeypatch.setattr("rrpy.container.log.output.FLUSH_AFTER", 86400)


@pytest.mark.usefixtures("gathering")
async def test_a_warning_goes_out_at_once_and_takes_what_waits_along_in_order(path):
    json_to(path)
    smtp, rpc = logger("smtp"), logger("rpc")
    smtp.info("1")
    rpc.info("2")
    assert path.read_text() == ""
    smtp.warning("3")
    assert [json.loads(line)["msg"] for line in path.read_text().splitlines()] == ["1", "2", "3"]


async def test_a_line_waits_for_others_for_a_moment_only(path):
    json_to(path)
    for number in range(100):
        logger("smtp").info(str(number))
    await until(lambda: path.read_text().count("\n") == 100)
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


@pytest.mark.usefixtures("gathering")
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
