"""The goridge codec: what it writes, what it reads, what it rejects."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from rrpy.goridge.frame import (
    CONTROL,
    ERROR,
    HEADER_SIZE,
    JSON,
    MAX_PAYLOAD,
    MSGPACK,
    PONG,
    SHOWN_BYTES,
    STOP,
    BadChecksum,
    BadHeaderLength,
    BadVersion,
    Decoder,
    Frame,
    FrameError,
    FrameTooLarge,
    TruncatedFrame,
    encode,
    header,
)

VECTORS = {
    name: bytes.fromhex(text)
    for name, text in json.loads(Path(__file__, "../../../conformance/wire-vectors.json").resolve().read_text()).items()
}
LIST = b"smtp.ListConnections"
CLOSE = b"smtp.CloseConnection"
ONE = (
    b'[{"uuid":"u1","remote_addr":"127.0.0.1:40000","from":"a@x.io","to":["b@y.io"],'
    b'"authenticated":false,"username":""}]'
)
MEANINGS = {
    "req msgpack true": Frame(MSGPACK, LIST + b"\xc3", (1, 20)),
    "resp msgpack [] (empty)": Frame(MSGPACK, LIST + b"\x90", (1, 20)),
    "resp json one conn": Frame(JSON, LIST + ONE, (1, 20)),
    "error msgpack": Frame(MSGPACK | ERROR, CLOSE + b"connection not found", (2, 20)),
    "req json CloseConnection": Frame(JSON, CLOSE + b'"u1"', (2, 20)),
    "pid handshake host->worker": Frame(JSON | CONTROL, b'{"pid":1234}'),
    "pid answer worker->host": Frame(CONTROL, b'{"pid":4321}'),
    "stop host->worker": Frame(JSON | CONTROL, b'{"stop":true}'),
    "worker request ctx+body": Frame(0, b'{"event":"EMAIL_RECEIVED"}', (26,)),
    "worker response CONTINUE": Frame(0, b"CONTINUE", (8,)),
    "worker error frame": Frame(ERROR, b"boom"),
    "pong": Frame(0, stream=PONG),
    "stream stop": Frame(0, stream=STOP),
}
ALL_BYTES = b"".join(VECTORS.values())
ALL_FRAMES = [MEANINGS[name] for name in VECTORS]


def golden(data: bytes, frame: Frame) -> None:
    """Bytes and frame are the same thing, in both directions."""
    decoder = Decoder()
    assert decoder.feed(data) == [frame]
    decoder.eof()
    assert encode(frame) == data


@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_is_read_and_written_to_the_byte(name: str) -> None:
    golden(VECTORS[name], MEANINGS[name])


def test_every_cut_in_two_gives_the_same_frames() -> None:
    for cut in range(len(ALL_BYTES) + 1):
        decoder = Decoder()
        assert decoder.feed(ALL_BYTES[:cut]) + decoder.feed(ALL_BYTES[cut:]) == ALL_FRAMES
        decoder.eof()


@pytest.mark.parametrize("size", [1, 2, 3, 11, 12, 13, 64])
def test_pieces_of_every_size_give_the_same_frames(size: int) -> None:
    decoder = Decoder()
    frames = []
    for start in range(0, len(ALL_BYTES), size):
        frames += decoder.feed(ALL_BYTES[start : start + size])
    decoder.eof()
    assert frames == ALL_FRAMES


def test_a_frame_may_carry_ten_options_and_any_numbers() -> None:
    for count in range(11):
        frame = Frame(0xFF, b"x", (0xFFFFFFFF,) * count, 0xFF)
        golden(encode(frame), frame)


def test_payload_and_header_can_be_sent_apart() -> None:
    assert header(JSON, 3, (7,), STOP) + b"abc" == encode(Frame(JSON, b"abc", (7,), STOP))


def test_byte_eleven_is_ignored() -> None:
    data = bytearray(encode(Frame(JSON, b"abc", (7,))))
    data[11] = 0xAB
    assert Decoder().feed(bytes(data)) == [Frame(JSON, b"abc", (7,))]


def test_options_and_stream_bits_are_not_covered_by_the_checksum() -> None:
    data = bytearray(encode(Frame(JSON, b"abc", (7,))))
    data[10], data[12] = STOP, 8
    assert Decoder().feed(bytes(data)) == [Frame(JSON, b"abc", (8,), STOP)]


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0, b"", (0,) * 11),
        Frame(256),
        Frame(-1),
        Frame(0, b"", (-1,)),
        Frame(0, b"", (1 << 32,)),
        Frame(0, stream=256),
    ],
    ids=["eleven options", "flags", "negative flags", "negative option", "option of 33 bits", "stream"],
)
def test_a_number_that_the_format_cannot_carry_is_refused(frame: Frame) -> None:
    with pytest.raises(ValueError, match="goridge frame c"):
        encode(frame)


def test_a_payload_past_32_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        header(0, MAX_PAYLOAD + 1)


GOOD = encode(Frame(JSON, b"abc", (7,)))
BAD = {
    "another version": (b"\x25" + GOOD[1:], BadVersion, "version 2, expected 1"),
    "version 0": (b"\x05" + GOOD[1:], BadVersion, "version 0, expected 1"),
    "printed text": (b"Warning: Undefined variable", BadVersion, "not a goridge frame"),
    "header too short": (b"\x12" + GOOD[1:], BadHeaderLength, "2 words, expected 3 to 13"),
    "header too long": (b"\x1e" + GOOD[1:], BadHeaderLength, "14 words, expected 3 to 13"),
    "a flipped flag": (GOOD[:1] + b"\x10" + GOOD[2:], BadChecksum, "CRC is"),
    "a flipped length": (GOOD[:2] + b"\x04" + GOOD[3:], BadChecksum, "CRC is"),
    "a flipped checksum": (GOOD[:6] + bytes([GOOD[6] ^ 1]) + GOOD[7:], BadChecksum, "CRC is"),
    "too large": (encode(Frame(JSON, b"x" * 101)), FrameTooLarge, "101 bytes is over the limit of 100 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_rejected_in_any_cut_and_for_ever(name: str) -> None:
    data, kind, text = BAD[name]
    for cut in range(len(data)):
        decoder = Decoder(limit=100)
        with pytest.raises(kind, match=text) as raised:
            decoder.feed(data[:cut])
            decoder.feed(data[cut:])
        with pytest.raises(kind) as again:
            decoder.feed(GOOD)
        assert again.value is raised.value
        with pytest.raises(kind):
            decoder.eof()


def test_a_first_byte_that_is_wrong_is_told_before_a_whole_header_is_there() -> None:
    with pytest.raises(BadVersion):
        Decoder().feed(b"W")
    with pytest.raises(BadHeaderLength):
        Decoder().feed(GOOD + b"\x1f")


def test_an_error_shows_the_first_bytes_at_fault_and_not_more() -> None:
    printed = b"Fatal error: " + b"!" * 1000
    with pytest.raises(BadVersion) as raised:
        Decoder().feed(GOOD + printed)
    assert raised.value.data == printed[:SHOWN_BYTES]


def test_a_payload_of_exactly_the_limit_is_accepted() -> None:
    assert Decoder(limit=100).feed(encode(Frame(0, b"x" * 100))) == [Frame(0, b"x" * 100)]


def test_an_end_inside_a_frame_is_an_error_at_every_byte() -> None:
    for cut in range(1, len(GOOD)):
        decoder = Decoder()
        assert decoder.feed(GOOD[:cut]) == []
        with pytest.raises(TruncatedFrame, match=f"{cut} of {len(GOOD) if cut >= HEADER_SIZE else HEADER_SIZE} bytes"):
            decoder.eof()
        with pytest.raises(TruncatedFrame):
            decoder.feed(GOOD[cut:])


def test_an_end_between_frames_is_no_error() -> None:
    decoder = Decoder()
    decoder.eof()
    decoder.feed(GOOD)
    decoder.eof()


def _peak(decoder: Decoder, pieces: list[bytes]) -> int:
    tracemalloc.start()
    try:
        for piece in pieces:
            decoder.feed(piece)
    except FrameError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_the_limit_is_checked_before_anything_of_that_size_is_allocated() -> None:
    assert _peak(Decoder(limit=100), [header(0, MAX_PAYLOAD)]) < 65536


def test_an_announced_length_allocates_nothing() -> None:
    assert _peak(Decoder(), [header(0, MAX_PAYLOAD), b"x" * 100]) < 65536


def test_a_peer_that_dribbles_costs_no_more_memory_than_its_bytes() -> None:
    size = 1 << 20
    data = encode(Frame(0, bytes(size)))
    pieces = [data[start : start + 2] for start in range(0, len(data), 2)]
    assert _peak(Decoder(), pieces) < 4 * size


def test_a_body_that_comes_in_pieces_is_copied_once() -> None:
    pieces = [bytes([number]) * 262_144 for number in range(16)]
    head = header(0, 4 * 1024 * 1024 + 7, (7,))
    decoder = Decoder(split=True)
    assert decoder.feed(head + b"context") == []
    for piece in pieces[:-1]:
        assert decoder.feed(piece) == []
    tracemalloc.start()
    try:
        (frame,) = decoder.feed(pieces[-1])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (frame.context, len(frame.payload)) == (b"context", 4 * 1024 * 1024)
    assert peak < 4 * 1024 * 1024 + 65536
