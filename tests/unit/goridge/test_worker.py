"""The words of the worker protocol, against the bytes of the conformance vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rrpy.goridge.frame import CONTROL, JSON, Decoder, Frame, encode
from rrpy.goridge.worker import (
    CANCEL_FRAME,
    LEAVING,
    PONG_FRAME,
    STOP_FRAME,
    answer_fault,
    host_handshake,
    is_leaving,
    is_stop,
    pid_payload,
    request_parts,
    request_pieces,
    worker_pid,
)

VECTORS = {
    name: bytes.fromhex(text)
    for name, text in json.loads(Path(__file__, "../../../conformance/wire-vectors.json").resolve().read_text()).items()
}


def sent(frame: Frame) -> Frame:
    """Return a frame as the other side's decoder gives it."""
    (received,) = Decoder(split=True).feed(encode(frame))
    return received


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("pid handshake host->worker", host_handshake(1234)),
        ("pid answer worker->host", encode(Frame(CONTROL, pid_payload(4321)))),
        ("stop host->worker", STOP_FRAME),
        ("stream stop", CANCEL_FRAME),
        ("pong", PONG_FRAME),
        ("worker request ctx+body", b"".join(request_pieces(b'{"event":"EMAIL_RECEIVED"}', b""))),
    ],
)
def test_every_word_is_written_as_its_vector(name, data):
    assert data == VECTORS[name]


def test_a_worker_says_its_pid():
    assert worker_pid(Frame(CONTROL, pid_payload(4321))) == 4321
    assert worker_pid(Frame(CONTROL | JSON, b'{"name": "joe", "pid": 7}')) == 7


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (Frame(0, b'{"pid":1}'), "not a CONTROL frame"),
        (Frame(CONTROL, b'{"name":"joe"}'), "`pid` is missing or not a number"),
        (Frame(CONTROL, b'{"pid":"1"}'), "`pid` is missing or not a number"),
        (Frame(CONTROL, b'{"pid":true}'), "`pid` is missing or not a number"),
        (Frame(CONTROL, b"[1]"), "`pid` is missing or not a number"),
        (Frame(CONTROL, b"hello"), "Expecting value"),
        (Frame(CONTROL, b""), "Expecting value"),
        (Frame(CONTROL, b"\xff"), "invalid start byte"),
        (Frame(CONTROL, b"[" * 100_000), "nested too deep"),
    ],
)
def test_any_other_frame_is_not_a_handshake(frame, said):
    with pytest.raises(ValueError, match=said):
        worker_pid(frame)


@pytest.mark.parametrize(("context", "body"), [(b"", b""), (b"context", b""), (b"", b"body"), (b"context", b"body")])
def test_a_request_comes_apart_as_it_was_put_together(context, body):
    pieces = request_pieces(context, body)
    assert all(pieces)
    for split in (False, True):
        (frame,) = Decoder(split=split).feed(b"".join(pieces))
        assert request_parts(frame) == (context, body)


@pytest.mark.parametrize(
    ("options", "parts"),
    [((), (b"", b"text")), ((2,), (b"te", b"xt")), ((99,), (b"text", b"")), ((1, 2), (b"t", b"ext"))],
)
def test_a_request_of_another_shape_is_read_as_well_as_it_can_be(options, parts):
    assert request_parts(sent(Frame(0, b"text", options))) == parts


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (Frame(0, b"text", (2,)), ""),
        (Frame(0, b"", (0,)), ""),
        (Frame(CONTROL, b"text", (2,)), "it answered a request with a CONTROL frame"),
        (Frame(0, b"text"), "its answer has 0 options, expected 1"),
        (Frame(0, b"text", (1, 2)), "its answer has 2 options, expected 1"),
        (Frame(0, b"text", (5,)), "its answer's context ends at byte 5 of 4"),
    ],
)
def test_an_answer_of_another_shape_is_a_fault(frame, fault):
    assert answer_fault(sent(frame)) == fault


def test_a_worker_that_leaves_says_so_in_place_of_an_answer():
    assert is_leaving(sent(Frame(0, LEAVING, (len(LEAVING),))))
    assert not is_leaving(sent(Frame(0, LEAVING + b"body", (len(LEAVING),))))
    assert not is_leaving(sent(Frame(0, LEAVING, (0,))))


def test_a_host_that_wants_a_worker_to_leave_says_so_in_a_control_frame():
    (stop,) = Decoder().feed(STOP_FRAME)
    assert is_stop(stop)
    assert not is_stop(stop._replace(flags=JSON))
    assert not is_stop(Frame(CONTROL, pid_payload(1)))
