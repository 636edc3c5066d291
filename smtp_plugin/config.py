"""The `smtp` section of rr.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ..container.config.fields import Duration, PositiveDuration
from ..container.errors import ConfigError
from ..worker_pool import PoolConfig
from .protocol.sasl import MECHANISMS

Count = Annotated[int, msgspec.Meta(ge=0)]
_ALWAYS = ("PLAIN", "LOGIN")


class TLSConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TLS on the SMTP port.

    `cert`, `key`: PEM files; the certificate's file may hold the whole chain. `mode`: `starttls` offers the command,
    `implicit` speaks TLS from the first byte. `required`: no mail and no AUTH before STARTTLS.
    """

    cert: str
    key: str
    mode: Literal["starttls", "implicit"] = "starttls"
    required: bool = False


class StorageConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a worker finds the attachments of a message.

    `mode`: `memory` has them in the event, `tempfile` in files that the event names. `temp_dir`: the folder of these;
    empty is a private one in the system's folder for temporary files. `cleanup_after`: how long a file is kept.
    """

    mode: Literal["memory", "tempfile"] = "memory"
    temp_dir: str = ""
    cleanup_after: Duration = Duration(3600)


class SMTPConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The SMTP server: the section's keys and their defaults (SMTP.md, 'Configuration').

    `addr`: `host:port`, `[ipv6]:port`, `unix:///path` or `systemd:NAME`; port 0 picks a free one. `hostname`: what the
    greeting and EHLO say. `read_timeout`: a command must be complete this long after the last reply. `write_timeout`:
    for a client that does not read its replies. `max_message_size`: bytes, 0 for no limit. `max_recipients`: of one
    message, 0 for no limit. `max_connections`, `max_connections_per_ip`: at once, 0 for no limit. `max_errors`: refused
    commands of one connection before it is closed, 0 for no limit. `max_inflight_bytes`: message bytes held by all
    sessions, 0 for no limit. `line_endings`: `guard` keeps a bare CR or LF in a body, `strict` refuses the message.
    `enhanced_status_codes`: offer RFC 2034. `auth_mechanisms`: offered behind PLAIN and LOGIN. `tls`: absent is off.
    `proxy_protocol`: every connection begins with a PROXY header (v1 or v2), and the address in it is the client's.
    `lmtp`: speak LMTP (RFC 2033). `deliver`: `log` accepts every message, `workers` asks the workers. `include_raw`:
    they get the message's bytes beside the event. `attachment_storage`: where its attachments are. `history`: messages
    that `smtp.Wait` remembers, metadata only. `pool`: the workers.
    """

    addr: str = "127.0.0.1:1025"
    hostname: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] = "localhost"
    read_timeout: PositiveDuration = PositiveDuration(60)
    write_timeout: PositiveDuration = PositiveDuration(10)
    max_message_size: Count = 10 * 1024 * 1024
    max_recipients: Count = 100
    max_connections: Count = 1000
    max_connections_per_ip: Count = 0
    max_errors: Count = 10
    max_inflight_bytes: Count = 256 * 1024 * 1024
    line_endings: Literal["guard", "strict"] = "guard"
    enhanced_status_codes: bool = False
    auth_mechanisms: list[str] = []
    tls: TLSConfig | None = None
    proxy_protocol: bool = False
    lmtp: bool = False
    deliver: Literal["log", "workers"] = "log"
    include_raw: bool = False
    attachment_storage: StorageConfig = StorageConfig()
    history: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 100
    pool: PoolConfig = PoolConfig()

    def __post_init__(self) -> None:
        if not self.hostname.isascii() or not self.hostname.isprintable() or " " in self.hostname:
            hint = "a host name holds neither blanks nor non-ASCII characters"
            raise ConfigError(f"is {self.hostname!r}", key="hostname", hint=hint)
        if self.proxy_protocol and self.tls is not None and self.tls.mode == "implicit":
            hint = "let the proxy speak TLS, or use starttls"
            raise ConfigError("does not go with tls.mode implicit", key="proxy_protocol", hint=hint)
        for name in self.auth_mechanisms:
            if name.upper() not in MECHANISMS:
                raise ConfigError(f"{name!r} is not one of {', '.join(MECHANISMS)}", key="auth_mechanisms")

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What AUTH offers: PLAIN and LOGIN first, always."""
        extra = (name.upper() for name in self.auth_mechanisms)
        return tuple(dict.fromkeys((*_ALWAYS, *extra)))
