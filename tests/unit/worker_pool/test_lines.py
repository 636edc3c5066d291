"""The forms of lines that loggers write, each with the loggers' own bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.linear import superlinear

from rrpy.worker_pool.lines import LineReader, parse_line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("just saying", ("info", "just saying", {})),
        ("ERROR: out of paper", ("error", "out of paper", {})),
        ("error: out of paper", ("error", "out of paper", {})),
        ("[warning] low on ink", ("warning", "low on ink", {})),
        ("[Notice]: fine", ("info", "fine", {})),
        ("DEBUG x=1", ("debug", "x=1", {})),
        ("CRITICAL  melted", ("error", "melted", {})),
        ("Error: Cannot find module 'x'", ("error", "Cannot find module 'x'", {})),
        ("Error opening the file", ("info", "Error opening the file", {})),
        ("ValueError: bad", ("info", "ValueError: bad", {})),
        ("information: none", ("info", "information: none", {})),
        ("error:", ("info", "error:", {})),
        ("\u0130NFO: hi", ("info", "\u0130NFO: hi", {})),
        ("[inf\u017f] x", ("info", "[inf\u017f] x", {})),
        ("PHP Warning:  Undefined variable $x", ("warning", "PHP Warning:  Undefined variable $x", {})),
        ("PHP Fatal error:  Uncaught", ("error", "PHP Fatal error:  Uncaught", {})),
        ("PHP Deprecated:  old", ("warning", "PHP Deprecated:  old", {})),
        ('{"level": "warning", "msg": "low", "left": 3}', ("warning", "low", {"left": 3})),
        ('{"level": "ERROR", "message": "out", "a": {"b": [1]}}', ("error", "out", {"a": {"b": [1]}})),
        ('{"level": "error", "msg": "x", "traceback": "T\\n"}', ("error", "x", {"stacktrace": "T\n"})),
        ('{"level": "loud", "msg": "x"}', ("info", '{"level": "loud", "msg": "x"}', {})),
        ('{"level": 3, "msg": "x"}', ("info", '{"level": 3, "msg": "x"}', {})),
        ('{"level": "info"}', ("info", '{"level": "info"}', {})),
        ('{"level": "info", "msg": "x"', ("info", '{"level": "info", "msg": "x"', {})),
        ("{" * 5000, ("info", "{" * 5000, {})),
        ('{"level": true, "msg": "x"}', ("info", '{"level": true, "msg": "x"}', {})),
        ('{"level": 5000, "msg": "x"}', ("info", '{"level": 5000, "msg": "x"}', {})),
        ("default: none", ("info", "default: none", {})),
        ("2026-11-28 18:00:00 started", ("info", "2026-11-28 18:00:00 started", {})),
        ("level=loud msg=x", ("info", "level=loud msg=x", {})),
        ("level=error msg=x and more", ("info", "level=error msg=x and more", {})),
        ('level=error msg="x', ("info", 'level=error msg="x', {})),
        ("level=error", ("info", "level=error", {})),
    ],
)
def test_a_line_takes_its_level_from_the_worker_where_it_gives_one(line, said):
    assert parse_line(line) == said


STAMP = "2026-11-28 18:00:00,123"
GONE = "db is gone"


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        # Monolog: JSON, and the line of Laravel and Symfony.
        (
            '{"message":"db is gone","context":{"id":7},"level":400,"level_name":"ERROR","channel":"app"}',
            {"context": {"id": 7}, "channel": "app"},
        ),
        ('[2026-11-28T18:00:00+00:00] app.ERROR: db is gone {"id":7} []', {"channel": "app", "context": {"id": 7}}),
        ("[2026-11-28T18:00:00.123456+00:00] app.CRITICAL: db is gone [] []", {"channel": "app"}),
        (
            '[2026-11-28 18:00:00] local.ERROR: db is gone {"a":[{"b":1}]} {"u":"/"}',
            {"channel": "local", "context": {"a": [{"b": 1}]}, "extra": {"u": "/"}},
        ),
        # pino and bunyan; winston; zap; slog.
        ('{"level":50,"time":1795888077000,"pid":7,"msg":"db is gone"}', {"time": 1795888077000, "pid": 7}),
        ('{"name":"app","level":60,"msg":"db is gone","v":0}', {"name": "app", "v": 0}),
        ('{"level":"error","message":"db is gone"}', {}),
        ('{"level":"dpanic","lvl":"error","msg":"db is gone"}', {"level": "dpanic"}),
        ('{"time":"x","level":"ERROR","msg":"db is gone","id":7}', {"time": "x", "id": 7}),
        # structlog, python-json-logger, Google Cloud, ECS, GELF.
        ('{"event":"db is gone","level":"error","id":7}', {"id": 7}),
        ('{"levelname":"ERROR","message":"db is gone","name":"shop"}', {"name": "shop"}),
        ('{"severity":"ALERT","message":"db is gone"}', {}),
        ('{"log.level":"error","message":"db is gone","ecs.version":"8"}', {"ecs.version": "8"}),
        # Python's logging; loguru; gunicorn.
        ("ERROR:root:db is gone", {"logger": "root"}),
        (f"{STAMP} - shop - ERROR - db is gone", {"logger": "shop"}),
        (f"{STAMP} - ERROR - db is gone", {}),
        (f"{STAMP} shop.db     ERROR    db is gone", {"logger": "shop.db"}),
        (f"{STAMP} ERROR db is gone", {}),
        (f"{STAMP} [ERROR] db is gone", {}),
        (f"{STAMP} [error    ] db is gone", {}),
        ("2026-11-28 18:00:00.123 | ERROR    | app:handle:12 - db is gone", {"logger": "app:handle:12"}),
        ("[2026-11-28 18:00:00 +0000] [7] [ERROR] db is gone", {}),
        # logfmt, as slog and logrus write it; Go's log, nginx; Ruby; env_logger.
        ('level=error msg="db is gone"', {}),
        ('time=2026-11-28T18:00:00Z level=ERROR msg="db is gone" id=7 empty= q="\\"x\\\\"', {
            "time": "2026-11-28T18:00:00Z",
            "id": "7",
            "empty": "",
            "q": '"x\\',
        }),
        ("2026/11/28 18:00:00 [error] db is gone", {}),
        ("E, [2026-11-28T18:00:00.123456 #7] ERROR -- : db is gone", {}),
        ("[2026-11-28T18:00:00Z ERROR shop::db] db is gone", {"logger": "shop::db"}),
        ("18:00:00 ERROR     db is gone", {}),
    ],
)  # fmt: skip
def test_the_form_of_a_common_logger_gives_level_message_and_keys(line, keys):
    """Each was of level info, with the whole line as its message."""
    assert parse_line(line) == ("error", GONE, keys)


def test_the_time_of_php_is_left_out_and_its_kind_stays():
    line = "[28-Nov-2026 18:00:00 Europe/Berlin] PHP Warning:  Undefined variable $x"
    assert parse_line(line) == ("warning", "PHP Warning:  Undefined variable $x", {})


@pytest.mark.parametrize(
    ("level", "name"),
    list(zip([10, 20, 30, 40, 50, 60, 100, 200, 250, 300, 400, 550, 600], "ddiweediiweee", strict=True)),
)
def test_a_number_is_a_level_of_pino_below_100_and_of_monolog_from_100_on(level, name):
    assert parse_line(json.dumps({"level": level, "msg": "x"})).level[0] == name


@pytest.mark.parametrize("key", ["exc_info", "exception", "stack"])
def test_a_traceback_in_json_is_shown_line_by_line(key):
    assert parse_line(json.dumps({"level": "error", "msg": "x", key: "T\n  at y"})).keys == {"stacktrace": "T\n  at y"}
    assert parse_line(json.dumps({"level": "error", "msg": "x", key: "one line"})).keys == {key: "one line"}


def test_values_that_look_like_a_context_stay_in_the_message():
    line = "[2026-11-28T18:00:00+00:00] app.ERROR: " + " [x {" * 20 + " [] []"
    assert parse_line(line).message == " [x {" * 20 + " [] []"
    assert parse_line("[2026-11-28T18:00:00+00:00] app.ERROR: half {" + '"a":').message == 'half {"a":'


@pytest.mark.parametrize(
    ("lines", "levels"),
    [
        (["ERROR:root:x", "Traceback (most recent call last):", '  File "x"', "ValueError: y", "z"], "eeeei"),
        (["WARNING:root:x", "Traceback (most recent call last):", "  x", "ValueError: y", "z"], "wwwwi"),
        (["hello", "Traceback (most recent call last):", "  x", "ValueError: y", "  z", "z"], "ieeeei"),
        (["Traceback (most recent call last):", "  x", "INFO:root:x"], "eei"),
        (["x", "  y", "ERROR: a", "\tat b", "#0 {main}", "c"], "iieeei"),
        (["PHP Fatal error:  Uncaught x", "Stack trace:", "#0 {main}", "  thrown in f on line 3", "c"], "eeeei"),
        (["[2026-11-28 18:00:00] local.ERROR: x {", "[stacktrace]", "#0 f", '"} ', "c"], "eeeei"),
    ],
)
def test_a_line_that_continues_another_one_has_its_level(lines, levels):
    reader = LineReader()
    read = [reader.read(line) for line in lines]
    assert "".join(line.level[0] for line in read) == levels


@given(st.text(max_size=80))
def test_any_line_is_said_with_a_level_of_the_host(line):
    said = parse_line(line)
    assert said.level in ("debug", "info", "warning", "error")
    assert said.message or not line


def repeated(*pieces: str):
    for head in ("", f"{STAMP} ", "[2026-11-28 18:00:00] app.ERROR: ", "level=error "):
        for piece in pieces:
            yield f"{head}{piece}", lambda size, head=head, piece=piece: head + piece * (size // len(piece))


def test_no_line_is_read_in_more_than_linear_time():
    pieces = (" ", "a", "a.", "a=", 'a="', 'a="\\" ', 'a="b" ', "[", "] ", " {", ' {"a":', " [] ", " []", "{", '{"a":[')
    more = ("ERROR", "ERROR ", "ERROR:", "- ", " - ", "| ", "a ERROR ", "#1 ", "2026-11-28 18:00:00 ", "\\", '"', "1")
    assert superlinear(parse_line, repeated(*pieces, *more)) == []
