"""The `rpc` section of rr.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from ..container.errors import ConfigError
from ..container.net.access import SocketAccess, group_id, user_id

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_CONNECTIONS = 256


class SocketConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may connect to the file of `rpc.listen: unix:///path`."""

    mode: Annotated[str, Meta(description="the mode of the file, in octal digits: `0660` is for the group too")] = (
        "0600"
    )
    owner: Annotated[
        str,
        Meta(description="the user that owns the file; absent is `server.user`, else the user of the host"),
    ] = ""
    group: Annotated[str, Meta(description="the group of the file; absent is the group of the host")] = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"0?[0-7]{3}", self.mode):
            raise ConfigError(f"is {self.mode!r}", key="mode", hint="it is written in octal digits, such as 0660")
        if self.group and not int(self.mode, 8) & 0o070:
            raise ConfigError(
                f"is {self.group!r}", key="group", hint=f"the mode {self.mode} gives it no rights; 0660 does"
            )

    def access(self) -> SocketAccess:
        """Return the access with numbers. Raises ConfigError for an unknown user or group."""
        uid = _number_of(user_id, self.owner, "rpc.socket.owner")
        gid = _number_of(group_id, self.group, "rpc.socket.group")
        return SocketAccess(int(self.mode, 8), uid, gid)


def _number_of(find: Callable[[str], int], name: str, key: str) -> int:
    try:
        return find(name) if name else -1
    except ValueError as error:
        raise ConfigError(f"is {name!r}", key=key, hint=str(error)) from None


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
    socket: Annotated[SocketConfig | None, Meta(description="who may connect to the file of a unix socket")] = None
