"""The `inbox` section of rr.yaml."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from ..container.errors import ConfigError

Count = Annotated[int, msgspec.Meta(ge=0)]

_NAME = re.compile(r"[0-9a-z_]([0-9a-z_.-]*[0-9a-z_])?", re.ASCII)


class InboxConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section's keys and their defaults.

    `address`: `host:port`, `[ipv6]:port`, `unix:///path` or `systemd:NAME`; port 0 picks a free one. `path`: the SQLite
    file that keeps the mail over a restart; empty keeps it in memory. `max_messages`, `max_bytes`: what is kept, 0 for
    no limit; the oldest goes first, and the newest always stays. `allowed_hosts`: the names under which a browser may
    reach the page beside `localhost` and numbers.
    """

    address: str = "127.0.0.1:8025"
    path: str = ""
    max_messages: Count = 500
    max_bytes: Count = 256 * 1024 * 1024
    allowed_hosts: list[str] = []

    def __post_init__(self) -> None:
        for name in self.allowed_hosts:
            if not _NAME.fullmatch(name.lower()):
                hint = "it is written without a scheme and a port"
                raise ConfigError(f"{name!r} is not a host name", key="allowed_hosts", hint=hint)
