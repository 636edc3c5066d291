"""No bytes that a client can send bring the RPC server down, or make it answer with anything but frames."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rpc.host import TestMethods, body, peer_of, server_of

from rrpy.goridge.frame import GOB, JSON, MSGPACK, PROTO, RAW, Frame, encode

METHODS = ["t.Echo", "t.Open", "t.Upper", "t.Length", "t.Span", "t.Nothing", "t.Crash", "t.Unsendable", "t.Nope", "t"]
METHOD_BYTES = [name.encode() for name in METHODS]

arguments = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"true", b'"a"', b"[1,2]", b'{"first":1}', b"\xc3", b"\xa1a", b"\x81\xa5first\x01", b"[" * 3000]),
)
requests = st.builds(
    lambda flags, method, argument, sequence, wrong: encode(
        Frame(flags, method + argument, (sequence, len(method) + wrong))
    ),
    flags=st.sampled_from([0, JSON, MSGPACK, RAW, GOB, PROTO, JSON | MSGPACK, 0xFF]),
    method=st.sampled_from(METHOD_BYTES) | st.binary(max_size=8),
    argument=arguments,
    sequence=st.integers(0, 0xFFFFFFFF),
    wrong=st.sampled_from([0] * 9 + [1000]),
)
sent = st.lists(requests | st.binary(max_size=30), max_size=8).map(b"".join)


@pytest.mark.parametrize("use_uvloop", [True, False], ids=["uvloop", "asyncio"])
@settings(max_examples=60)
@given(data=sent)
def test_any_bytes_leave_the_server_serving(use_uvloop: bool, data: bytes) -> None:
    async def main() -> None:
        async with server_of(t=TestMethods(), max_frame_bytes=100_000) as server:
            async with peer_of(server.address) as peer:
                await peer.send(data)
                peer.finish_sending()
                while await peer.receive_or_end() is not None:
                    pass
            async with peer_of(server.address) as peer:
                assert body(await peer.call("t.Echo", b"1")) == b"1"

    anyio.run(main, backend_options={"use_uvloop": use_uvloop})
