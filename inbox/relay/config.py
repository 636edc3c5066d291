"""The section `inbox.relay` of rr.yaml."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from ...container.config.fields import Secret
from ...container.errors import ConfigError
from .addresses import is_address, is_pattern

PORTS: Final = {"starttls": 587, "implicit": 465, "none": 25}

_NAME = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?", re.ASCII)


class RelayConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The mail server through which the page sends a caught message to a real address."""

    host: Annotated[str, Meta(description="its name or number", examples=["mail.example.com"])]
    port: Annotated[
        int,
        Meta(ge=0, le=65535, description="its port; 0 means 587 for `starttls`, 465 for `implicit`, 25 for `none`"),
    ] = 0
    tls: Annotated[
        Literal["starttls", "implicit", "none"],
        Meta(
            description="how TLS begins; `none` sends all in clear, the password too. `starttls` asks for TLS, and "
            "sends nothing without it; `implicit` speaks TLS from the first byte. The certificate is checked for the "
            "host's name."
        ),
    ] = "starttls"
    username: Annotated[str, Meta(description="for AUTH; empty means that the inbox does not log in")] = ""
    password: Annotated[Secret, Meta(description="for AUTH")] = Secret("")
    from_: Annotated[
        str, Meta(description="the sender of the envelope for every release; empty keeps that of the message")
    ] = field(name="from", default="")
    allow: Annotated[
        list[str],
        Meta(
            description="the addresses that a message may go to, such as `*@example.com`. `*` stands for any "
            "characters. Empty allows no address.",
        ),
    ] = []

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.host) and not _is_number(self.host):
            raise ConfigError(f"is {self.host!r}", key="host", hint="it is a name or a number; the port is `port`")
        if self.from_ and not is_address(self.from_):
            raise ConfigError(f"is {self.from_!r}", key="from", hint="it is one address")
        if self.password and not self.username:
            raise ConfigError("is empty, and there is a password", key="username")
        for pattern in self.allow:
            if not is_pattern(pattern):
                hint = "a pattern is an address with `*`; `*@*` is every address"
                raise ConfigError(f"{pattern!r} is not a pattern of addresses", key="allow", hint=hint)

    @property
    def real_port(self) -> int:
        """The port, with the default of the mode in place of 0."""
        return self.port or PORTS[self.tls]

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.real_port}" if ":" in self.host else f"{self.host}:{self.real_port}"


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
