"""Lines of libraries, of Python and of loguru; outputs that break."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from pathlib import Path

import loguru
import pytest
from support.container.descriptors import on_file
from support.container.logs import json_to, lines, said
from support.container.plugins import script

from rrpy.container import log
from rrpy.container.log import LogConfig, configure, logger

pytestmark = pytest.mark.usefixtures("restored_log")

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


def test_no_process_inherits_a_log_file(path):
    json_to(path)
    logger("smtp").warning("x")
    assert [os.get_inheritable(descriptor) for descriptor in on_file(path)] == [False]
