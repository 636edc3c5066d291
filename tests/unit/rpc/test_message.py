"""Requests and responses as frames."""

from __future__ import annotations

import pytest

from rrpy.goridge.frame import ERROR, JSON, MSGPACK, RAW, Frame
from rrpy.rpc.errors import BadRequest
from rrpy.rpc.message import Message, read_message


def test_a_message_is_its_frame() -> None:
    frame = Frame(JSON, b'smtp.Close"u1"', (7, 10))
    assert read_message(frame) == Message(JSON, 7, b"smtp.Close", b'"u1"')
    assert read_message(frame).frame() == frame


def test_a_response_echoes_sequence_and_method() -> None:
    request = Message(RAW | MSGPACK, 7, b"a.B", b"\xc3")
    assert request.result(RAW, b"x").frame() == Frame(RAW, b"a.Bx", (7, 3))
    assert request.error(RAW, "no way: ü").frame() == Frame(RAW | ERROR, "a.Bno way: ü".encode(), (7, 3))


def test_an_error_text_that_utf8_cannot_say_is_escaped() -> None:
    assert Message(JSON, 1, b"a.B", b"").error(JSON, "\ud800").body == rb"\ud800"


def test_a_name_that_is_not_utf8_is_echoed_as_it_came_and_shown_escaped() -> None:
    message = read_message(Frame(JSON, b"\xff.B", (1, 3)))
    assert message.name == r"\xff.B"
    assert message.error(JSON, "x").frame().payload == b"\xff.Bx"


@pytest.mark.parametrize("options", [(), (1,), (1, 2, 3)])
def test_anything_but_two_options_is_no_request(options: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest, match=f"two options .* got {len(options)}"):
        read_message(Frame(JSON, b"a.B", options))


def test_a_method_past_the_payload_is_no_request() -> None:
    with pytest.raises(BadRequest, match="4 bytes is past the payload of 3 bytes"):
        read_message(Frame(JSON, b"a.B", (1, 4)))
    assert read_message(Frame(JSON, b"a.B", (1, 3))).body == b""
