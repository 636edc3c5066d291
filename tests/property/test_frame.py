"""The goridge codec, both ways: every frame survives, and no bytes do worse than a FrameError."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.goridge.frame import Decoder, Frame, FrameError, encode

pytestmark = pytest.mark.usefixtures("untraced")

bytes_8 = st.integers(0, 0xFF)
frames = st.builds(
    Frame,
    flags=bytes_8,
    payload=st.binary(max_size=300),
    options=st.lists(st.integers(0, 0xFFFFFFFF), max_size=10).map(tuple),
    stream=bytes_8,
    context=st.just(b""),
)


@st.composite
def large_frames(draw: st.DrawFn) -> Frame:
    """Frames that arrive in pieces, most often with one option that splits them."""
    payload = draw(st.binary(min_size=1, max_size=8)) * draw(st.integers(0, 30_000))
    options = draw(st.one_of(st.tuples(st.integers(0, len(payload) + 2)), st.lists(bytes_8, max_size=10).map(tuple)))
    return Frame(draw(bytes_8), payload, options, draw(bytes_8))


def split(frame: Frame) -> Frame:
    """The frame as a decoder with `split` gives it."""
    if len(frame.options) != 1 or frame.options[0] > len(frame.payload):
        return frame
    at = frame.options[0]
    return frame._replace(context=frame.payload[:at], payload=frame.payload[at:])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The bytes in pieces, cut at any places."""
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(at)]


places = st.lists(st.integers(0, 1 << 20), max_size=20)


@given(sent=st.lists(frames, max_size=6), places=places)
def test_any_frames_in_any_cut_come_back(sent: list[Frame], places: list[int]) -> None:
    decoder = Decoder()
    received = []
    for piece in cut(b"".join(map(encode, sent)), places):
        received += decoder.feed(piece)
    decoder.eof()
    assert received == sent


@given(sent=st.lists(large_frames(), max_size=4), places=places)
def test_large_frames_in_any_cut_come_back_split_where_their_option_says(sent: list[Frame], places: list[int]) -> None:
    decoder = Decoder(split=True)
    received = []
    for piece in cut(b"".join(map(encode, sent)), places):
        received += decoder.feed(piece)
    decoder.eof()
    assert received == list(map(split, sent))
    assert list(map(encode, received)) == list(map(encode, sent))


@given(data=st.binary(max_size=400), places=places)
def test_any_bytes_give_frames_or_a_frame_error(data: bytes, places: list[int]) -> None:
    _survives(data, places)


@given(sent=st.lists(frames, min_size=1, max_size=3), at=st.integers(0, 1 << 20), bit=st.integers(0, 7), places=places)
def test_a_flipped_bit_gives_frames_or_a_frame_error(sent: list[Frame], at: int, bit: int, places: list[int]) -> None:
    data = bytearray(b"".join(map(encode, sent)))
    data[at % len(data)] ^= 1 << bit
    _survives(bytes(data), places)


def _survives(data: bytes, places: list[int]) -> None:
    decoder = Decoder(limit=1000)
    frames: list[Frame] = []
    try:
        for piece in cut(data, places):
            frames += decoder.feed(piece)
        decoder.eof()
    except FrameError:
        return
    # What was taken without an error is what was sent, but for byte 11, which a reader ignores.
    assert sum(len(encode(frame)) for frame in frames) == len(data)
