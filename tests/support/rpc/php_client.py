"""RoadRunner's public PHP worker and RPC clients, re-expressed: what they put on the wire and what they expect there.

Written from the wire page, with `struct` and `zlib` alone: no line of rrpy's codec, so that a fault in it shows. Run as
a program it is a worker; imported, it has the RPC client.

The worker, as the PHP library behaves on a blocking relay:

- It answers the handshake with a CONTROL frame of `{"pid":…}`, and a control frame that is neither is an exception.
- `respond` sends header and body in one payload, with one option, the header's length; a codec flag may be set.
- `error` sends an ERROR frame without options; `stop` sends the header `{"stop":true}` and an empty body.
- In a stream every frame but the last has STREAM; after every fifth frame the next one has PING too, and it then
  blocks until the host says something: PONG, or STOP, after which it sends the last frame.
- A PONG or a STOP that comes between requests is skipped.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import zlib

CONTROL, CODEC_RAW, CODEC_JSON, CODEC_MSGPACK, ERROR = 0x01, 0x04, 0x08, 0x10, 0x40
STREAM, STOP, PING, PONG = 0x01, 0x02, 0x04, 0x08


def pack(payload: bytes, options: tuple[int, ...] = (), flags: int = 0, byte10: int = 0) -> bytes:
    head = struct.pack("<BBL", 1 << 4 | (3 + len(options)), flags, len(payload))
    return head + struct.pack(f"<LBB{len(options)}L", zlib.crc32(head), byte10, 0, *options) + payload


class Relay:
    """A blocking relay over two files."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = os.read(self._read, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def frame(self) -> tuple[int, bytes, tuple[int, ...], int]:
        """Return flags, payload, options and byte 10."""
        head = self.exactly(12)
        first, flags, length, crc, byte10, _ = struct.unpack("<BBLLBB", head)
        assert first >> 4 == 1, "wrong version"
        assert crc == zlib.crc32(head[:6]), "CRC verification failed"
        count = (first & 15) - 3
        options = struct.unpack(f"<{count}L", self.exactly(4 * count))
        return flags, self.exactly(length), options, byte10

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._write, data) :]


class Worker:
    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.sent = 0

    def wait_payload(self) -> tuple[bytes, bytes] | None:
        """Return header and body of the next request, None when the worker is to stop."""
        while True:
            flags, payload, options, byte10 = self.relay.frame()
            if flags & CONTROL:
                command = json.loads(payload)
                if command.get("stop"):
                    return None
                assert command.get("pid"), "undefined control package"
                self.relay.send(pack(b'{"pid":%d}' % os.getpid(), (), CONTROL))
            elif not byte10 & (STOP | PONG):
                return payload[: options[0]], payload[options[0] :]

    def respond(self, header: bytes, body: bytes = b"", *, more: bool = False, codec: int = 0) -> None:
        self.relay.send(pack(header + body, (len(header),), codec, STREAM if more else 0))

    def error(self, text: str) -> None:
        self.relay.send(pack(text.encode(), (), ERROR))

    def stop(self) -> None:
        self.respond(b'{"stop":true}')

    def stream(self, parts: int) -> int:
        """Send a stream; return how many parts went out before the host said STOP."""
        for number in range(parts):
            ping = number % 6 == 5
            self.relay.send(pack(b"part %d" % number, (0,), 0, STREAM | (PING if ping else 0)))
            if ping and self.relay.frame()[3] & STOP:
                break
        self.respond(b"", b"last")
        return number + 1


class RPC:
    """The RPC client: one connection, a sequence that grows, MessagePack or JSON chosen by the caller."""

    def __init__(self, host: str, port: int) -> None:
        self.connection = socket.create_connection((host, port))
        self.relay = Relay(self.connection.fileno(), self.connection.fileno())
        self.sequence = 0

    def request(self, method: str, argument: bytes, codec: int) -> int:
        self.sequence += 1
        self.relay.send(pack(method.encode() + argument, (self.sequence, len(method)), codec))
        return self.sequence

    def response(self) -> tuple[int, str, bytes, bool]:
        """Return sequence, method, body, and whether it is an error."""
        flags, payload, options, _ = self.relay.frame()
        assert len(options) == 2, "invalid RPC frame, options missing"
        return options[0], payload[: options[1]].decode(), payload[options[1] :], bool(flags & ERROR)


def dial(address: str) -> Relay:
    kind, _, place = address.partition("://")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(place)
    else:
        host, _, port = place.rpartition(":")
        connection = socket.create_connection((host, int(port)))
    number = connection.detach()
    return Relay(number, number)


def main() -> None:
    address = os.environ.get("RR_RELAY", "pipes")
    worker = Worker(Relay(0, 1) if address == "pipes" else dial(address))
    served = 0
    while (payload := worker.wait_payload()) is not None:
        header, body = payload
        served += 1
        if header == b"error":
            worker.error("not today")
        elif header == b"stream":
            sys.stderr.write(f"sent {worker.stream(int(body))} parts\n")
            sys.stderr.flush()
        elif header == b"stop" and served > 1:
            worker.stop()
        elif header == b"json":
            worker.respond(json.dumps({"pid": os.getpid()}).encode(), body, codec=CODEC_JSON)
        else:
            worker.respond(header, body)


if __name__ == "__main__":
    main()
