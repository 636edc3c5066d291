"""The `rpc` section of rr.yaml."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_CONNECTIONS = 256


class RPCConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The RPC bus: the section's keys and their defaults (WIRE.md, 'RPC over tcp:// or unix://').

    `listen`: `tcp://host:port` (port 0 picks a free one), `unix:///path` or `systemd:NAME`. `allow_remote`: permit an
    address that is not loopback. `max_frame_bytes`: the largest request. `max_connections`: at the same time.
    """

    listen: str = "tcp://127.0.0.1:6001"
    allow_remote: bool = False
    max_frame_bytes: Annotated[int, Meta(ge=1, le=0xFFFFFFFF)] = MAX_FRAME_BYTES
    max_connections: Annotated[int, Meta(ge=1)] = MAX_CONNECTIONS
