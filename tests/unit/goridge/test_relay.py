from __future__ import annotations

import os
import socket
import threading

import pytest

from rrpy.goridge.frame import BadVersion, Frame, FrameTooLarge, TruncatedFrame, encode
from rrpy.goridge.relay import Relay


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Relay(ours.fileno(), ours.fileno(), 1000), theirs


def test_frames_that_arrive_together_are_received_one_by_one(pair):
    relay, peer = pair
    frames = [Frame(0, b"one", (1,)), Frame(1, b"two"), Frame(0, b"", (0,))]
    peer.sendall(b"".join(map(encode, frames)))
    assert [relay.receive() for _ in frames] == frames


def test_a_frame_that_arrives_byte_by_byte_is_received_whole():
    read, write = os.pipe()
    data = encode(Frame(0, b"slow", (2,)))

    def trickle():
        for byte in data:
            os.write(write, bytes([byte]))
        os.close(write)

    thread = threading.Thread(target=trickle)
    thread.start()
    relay = Relay(read, read)
    assert relay.receive() == Frame(0, b"slow", (2,))
    assert relay.receive() is None
    thread.join()
    os.close(read)


def test_the_end_inside_a_frame_is_an_error(pair):
    relay, peer = pair
    peer.sendall(encode(Frame(0, b"whole", (0,)))[:-1])
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(TruncatedFrame):
        relay.receive()


def test_what_is_no_frame_is_an_error(pair):
    relay, peer = pair
    peer.sendall(b"hello")
    with pytest.raises(BadVersion):
        relay.receive()


def test_a_frame_over_the_limit_is_refused(pair):
    relay, peer = pair
    peer.sendall(encode(Frame(0, b"x" * 1001)))
    with pytest.raises(FrameTooLarge):
        relay.receive()


def test_ready_says_whether_receive_would_block_and_consumes_nothing(pair):
    relay, peer = pair
    assert not relay.ready()
    peer.sendall(encode(Frame(0, b"a")) + encode(Frame(0, b"b")))
    relay.wait()
    assert relay.ready()
    assert relay.receive() == Frame(0, b"a")
    assert relay.ready()
    relay.wait()
    assert relay.receive() == Frame(0, b"b")
    assert not relay.ready()
    peer.shutdown(socket.SHUT_WR)
    assert relay.ready()


def test_parts_larger_than_the_pipe_are_written_whole_as_one_frame():
    read, write = os.pipe()
    parts = (b"a" * 300_000, b"", b"b" * 700_000)
    received = []
    thread = threading.Thread(target=lambda: received.append(Relay(read, read).receive()))
    thread.start()
    Relay(read, write).send(4, *parts, options=(300_000,))
    thread.join()
    assert received == [Frame(4, b"".join(parts), (300_000,))]
    os.close(read)
    os.close(write)


def test_what_the_format_cannot_carry_is_refused_before_anything_is_written(pair):
    relay, peer = pair
    with pytest.raises(ValueError, match="options"):
        relay.send(0, b"payload", options=tuple(range(11)))
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(1)
