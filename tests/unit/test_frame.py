"""The goridge codec: what it writes, what it reads, what it rejects."""
from rrpy.goridge.frame import Decoder, Frame, encode

def test_a_frame_reads_back() -> None:
    frame = Frame(0x08, b"hello", (1, 2), 1)
    assert Decoder().feed(encode(frame)) == [frame]
