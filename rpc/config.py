"""The `rpc` section of rr.yaml."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_CONNECTIONS = 256


class RPCConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The RPC bus, for `rrpy rpc` and for workers. Everyone who reaches it can call every method."""

    listen: Annotated[
        str | list[str],
        Meta(
            description="where the bus listens: `tcp://host:port`, `unix:///path` or `systemd:NAME`. A list names "
            "several. `localhost` is 127.0.0.1 and ::1, `*` is every address. Port 0 picks a free port, which the "
            "log names."
        ),
    ] = "tcp://127.0.0.1:6001"
    allow_remote: Annotated[
        bool,
        Meta(description="permit an address that is not loopback. The bus asks for no password."),
    ] = False
    max_frame_bytes: Annotated[
        int,
        Meta(
            ge=1,
            le=0xFFFFFFFF,
            description="the largest request, in bytes. A larger one drops its connection before the host allocates "
            "memory for it.",
        ),
    ] = MAX_FRAME_BYTES
    max_connections: Annotated[
        int,
        Meta(
            ge=1,
            description="connections at the same time. For one more the host closes an idle one; without an idle one "
            "it answers with an error.",
        ),
    ] = MAX_CONNECTIONS
