"""The service `app`: each method writes one line, at its level and of a bounded size."""

from __future__ import annotations

import pytest
from support.log import Log
from support.rpc.host import encoded_result

from rrpy.goridge.frame import JSON, MSGPACK, PROTO, RAW
from rrpy.rpc.app_logger import MAX_PAIRS, MAX_TEXT, AppMethods, LogAttribute, LogEntry
from rrpy.rpc.errors import RPCError
from rrpy.rpc.registry import Registry

pytestmark = pytest.mark.anyio

LEVELS = {"Debug": "debug", "Info": "info", "Warning": "warning", "Error": "error", "Log": "info"}
ENTRY_JSON = b'{"message":"hi","log_attrs":[{"key":"user","value":"7"}]}'
ENTRY_PROTO = b"\x0a\x02hi\x12\x09\x0a\x04user\x12\x017"


def served() -> tuple[Registry, Log]:
    log, registry = Log(), Registry()
    registry.add("app", AppMethods(log))
    return registry, log


@pytest.mark.parametrize("name", LEVELS)
async def test_a_text_becomes_a_line_at_the_level_of_the_method(name: str) -> None:
    registry, log = served()
    method = registry.find(f"app.{name}")
    assert await encoded_result(method, b'"hi"', JSON) == b"null"
    assert await encoded_result(method, b"\xa2hi", MSGPACK) == b"\xc0"
    assert await encoded_result(method, b"hi\n", RAW) == b""
    assert log.lines == [(LEVELS[name], "hi", {})] * 3


@pytest.mark.parametrize("name", LEVELS)
async def test_a_context_becomes_keys(name: str) -> None:
    registry, log = served()
    method = registry.find(f"app.{name}WithContext")
    assert await encoded_result(method, ENTRY_PROTO, PROTO) == b""
    assert await encoded_result(method, ENTRY_JSON, JSON) == b"null"
    assert log.lines == [(LEVELS[name], "hi", {"user": "7"})] * 2


async def test_a_wrong_argument_is_an_error_and_no_line() -> None:
    registry, log = served()
    for name, data, flag, text in (
        ("app.Info", b"7", JSON, r"expected `str`, got `int`"),
        ("app.Info", b"\xff", RAW, r"\(RAW\): 'utf-8' codec can't decode byte 0xff"),
        ("app.Info", b"hi", PROTO, r"^rpc: the codec PROTO is not served, use JSON, MSGPACK, RAW$"),
        ("app.InfoWithContext", b"\x0a\x09hi", PROTO, r"\(PROTO\): it ends inside a field"),
        ("app.InfoWithContext", b"hi", RAW, r"^unknown Raw payload type$"),
    ):
        with pytest.raises(RPCError, match=text):
            await encoded_result(registry.find(name), data, flag)
    assert log.lines == []


def test_a_line_is_bounded_and_says_how_much_is_missing() -> None:
    log = Log()
    methods = AppMethods(log)
    methods.info("x" * (MAX_TEXT + 5))
    big, small = LogAttribute("big", "y" * MAX_TEXT), LogAttribute("small", "z")
    methods.info_with_context(LogEntry("hi", [small, big, small]))
    whole = LogEntry("hi", [LogAttribute("k", "v" * (MAX_TEXT - 3))])
    methods.info_with_context(whole)
    methods.info_with_context(LogEntry("hi", [LogAttribute(str(number), "v") for number in range(100, 500)]))
    pairs = {str(number): "v" for number in range(100, 100 + MAX_PAIRS)}
    assert log.lines.pop() == ("info", "hi", pairs | {"left_out": 4 * (400 - MAX_PAIRS)})
    assert log.lines == [
        ("info", "x" * MAX_TEXT, {"left_out": 5}),
        ("info", "hi", {"small": "z", "left_out": MAX_TEXT + 3 + 6}),
        ("info", "hi", {"k": "v" * (MAX_TEXT - 3)}),
    ]
