"""The `smtp` section of rr.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..container.config.fields import Duration, PositiveDuration
from ..container.errors import ConfigError
from ..container.net.address import ADDRESS_FORMS
from ..worker_pool import PoolConfig
from .delivery.jobs import MailJobsConfig
from .failures.config import RuleConfig
from .failures.presets import PRESETS
from .protocol.sasl import MECHANISMS

Count = Annotated[int, Meta(ge=0)]
_ALWAYS = ("PLAIN", "LOGIN")
TLS_VERSIONS = (1.0, 1.1, 1.2, 1.3)


class TLSConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """TLS on the SMTP port."""

    cert: Annotated[str, Meta(description="a PEM file: the certificate, or the whole chain", examples=["cert.pem"])]
    key: Annotated[str, Meta(description="a PEM file: the private key", examples=["key.pem"])]
    mode: Annotated[
        Literal["starttls", "implicit"],
        Meta(description="`starttls` offers the command; `implicit` speaks TLS from the first byte"),
    ] = "starttls"
    required: Annotated[bool, Meta(description="no mail and no AUTH before STARTTLS; for the mode `starttls`")] = False
    min_version: Annotated[
        float,
        Meta(
            description="the oldest TLS of a client: `1.2` or `1.3`; for old devices `1.1` or `1.0`. With these two "
            "the server accepts weak ciphers and signatures too, and the log has a warning."
        ),
    ] = 1.2
    client_ca: Annotated[
        str,
        Meta(
            description="a PEM file: the authorities of clients' certificates. The server asks each client for one; a "
            "client may come without. One of another authority fails. Empty means that the server asks for none."
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.min_version not in TLS_VERSIONS:
            known = ", ".join(str(version) for version in TLS_VERSIONS)
            raise ConfigError(f"is {self.min_version:g}", key="min_version", hint=f"known are {known}")


class StorageConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a worker finds the attachments of a message."""

    mode: Annotated[
        Literal["memory", "tempfile"],
        Meta(description="`memory`: as base64 in the event; `tempfile`: as files, which the event names"),
    ] = "memory"
    temp_dir: Annotated[
        str,
        Meta(
            description="the folder of these files; empty means a private one. That is `rrpy-<uid>` in the system's "
            "folder for temporary files, with the host's uid. With `server.user`, only root may be able to change it "
            "and the folders above it."
        ),
    ] = ""
    cleanup_after: Annotated[Duration, Meta(description="how long the host keeps a file")] = Duration(3600)


class SMTPConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The SMTP server. `deliver: workers` needs the section `server`, `deliver: jobs` the section `jobs`."""

    addr: Annotated[
        str | list[str],
        Meta(description=f"where the server listens: {ADDRESS_FORMS}"),
    ] = "127.0.0.1:1025"
    reuse_port: Annotated[
        bool,
        Meta(
            description="share the ports of `addr` with other hosts of the same user on this machine. The system gives "
            "each new connection to one of them (SO_REUSEPORT). Each of these hosts needs the setting."
        ),
    ] = False
    hostname: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=255,
            description="the name in the greeting and in the reply to EHLO. It is ASCII, without blanks.",
        ),
    ] = "localhost"
    read_timeout: Annotated[
        PositiveDuration,
        Meta(
            description="a command must be complete this long after the last reply. While more than 90 % of "
            "`max_connections` are open, the server closes sessions that are idle for a minute, the longest idle first."
        ),
    ] = PositiveDuration(300)
    data_timeout: Annotated[
        PositiveDuration,
        Meta(description="the longest pause inside a message, in DATA and in BDAT"),
    ] = PositiveDuration(180)
    min_data_rate: Annotated[
        Count,
        Meta(
            description="bytes a second that a message must bring; 0 means no limit. A message begins with a grace "
            "of `data_timeout`. A slower message uses it up, a faster one gets it back."
        ),
    ] = 50
    write_timeout: Annotated[PositiveDuration, Meta(description="for a client that does not read its replies")] = (
        PositiveDuration(10)
    )
    max_message_size: Annotated[
        Count, Meta(description="the largest message, in bytes; 0 means no limit. The reply to EHLO says it.")
    ] = 25 * 1024 * 1024
    max_recipients: Annotated[Count, Meta(description="recipients of one message; 0 means no limit")] = 100
    max_connections: Annotated[
        Count, Meta(description="connections at the same time; 0 means no limit. One more gets the reply 421.")
    ] = 1000
    max_connections_per_ip: Annotated[
        Count, Meta(description="connections at the same time from one client; 0 means no limit")
    ] = 0
    max_errors: Annotated[
        Count, Meta(description="refused commands before the server closes a connection; 0 means no limit")
    ] = 10
    max_inflight_bytes: Annotated[
        Count,
        Meta(
            description="message bytes that all sessions hold together; 0 means no limit. The recipients count too, "
            "and the events that wait for workers. Above the limit a message gets the reply 452."
        ),
    ] = 256 * 1024 * 1024
    line_endings: Annotated[
        Literal["normalize", "guard", "strict"],
        Meta(
            description="`guard` keeps a bare CR or LF in a body, `strict` refuses the message. `normalize` is `guard` "
            "for every session that has sent CR LF. In a session whose lines all end in a bare LF, it gives the "
            "message CR LF. Each of the three refuses a bare CR or LF that looks like a smuggled end of data."
        ),
    ] = "normalize"
    enhanced_status_codes: Annotated[
        bool, Meta(description="offer ENHANCEDSTATUSCODES (RFC 2034), and give the codes in every reply")
    ] = False
    auth_mechanisms: Annotated[
        list[str],
        Meta(
            description="offered after PLAIN and LOGIN: `CRAM-MD5`, `XOAUTH2`. The server verifies nothing: AUTH "
            "accepts every client."
        ),
    ] = []
    tls: Annotated[TLSConfig | None, Meta(description="the certificate, and how TLS begins")] = None
    proxy_protocol: Annotated[
        bool,
        Meta(
            description="every connection begins with a PROXY header (v1 or v2). The address in it becomes the "
            "client's. It does not go with `tls.mode: implicit`."
        ),
    ] = False
    lmtp: Annotated[bool, Meta(description="speak LMTP (RFC 2033): `LHLO`, and one reply for each recipient")] = False
    deliver: Annotated[
        Literal["log", "workers", "jobs"],
        Meta(
            description="`log` accepts every message. `workers` asks a worker, whose answer is the reply. `jobs` "
            "accepts a message once a queue has it, for the workers of the section `jobs`."
        ),
    ] = "log"
    include_raw: Annotated[
        bool, Meta(description="with `deliver: workers`: give the worker the message byte for byte too")
    ] = False
    headers: Annotated[
        Literal["decoded", "all"],
        Meta(
            description="`all` gives workers every header undecoded too. The event then has `message.headers_list`, in "
            "the order of the message."
        ),
    ] = "decoded"
    attachment_storage: Annotated[
        StorageConfig, Meta(description="with `deliver: workers`: where a worker finds the attachments")
    ] = StorageConfig()
    rules: Annotated[
        list[RuleConfig | str],
        Meta(
            description="rules by which the server fails on purpose, for tests of mail clients. An item is a section "
            "or the name of a preset. The first rule that fits decides."
        ),
    ] = []
    history: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="messages that `rrpy tail` and `smtp.Wait` remember, without their contents. They remember as "
            "many refusals, at most 1000.",
        ),
    ] = 100
    pool: Annotated[
        PoolConfig,
        Meta(description="the workers. With `deliver: log` they start and stay idle, with `deliver: jobs` none start."),
    ] = PoolConfig()
    jobs: Annotated[MailJobsConfig, Meta(description="with `deliver: jobs`: the jobs of messages")] = MailJobsConfig()

    def __post_init__(self) -> None:
        if self.deliver == "jobs":
            if self.include_raw:
                raise ConfigError("does not go with deliver jobs", key="include_raw")
            if self.attachment_storage.mode != "memory":
                raise ConfigError("does not go with deliver jobs", key="attachment_storage.mode")
        if not self.hostname.isascii() or not self.hostname.isprintable() or " " in self.hostname:
            hint = "a host name holds neither blanks nor non-ASCII characters"
            raise ConfigError(f"is {self.hostname!r}", key="hostname", hint=hint)
        if self.proxy_protocol and self.tls is not None and self.tls.mode == "implicit":
            hint = "let the proxy speak TLS, or use starttls"
            raise ConfigError("does not go with tls.mode implicit", key="proxy_protocol", hint=hint)
        for number, rule in enumerate(self.rules):
            if isinstance(rule, str) and rule not in PRESETS:
                raise ConfigError(f"{rule!r} is not one of {', '.join(PRESETS)}", key=f"rules.{number}")
        for name in self.auth_mechanisms:
            if name.upper() not in MECHANISMS:
                raise ConfigError(f"{name!r} is not one of {', '.join(MECHANISMS)}", key="auth_mechanisms")

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """What AUTH offers: PLAIN and LOGIN first, always."""
        extra = (name.upper() for name in self.auth_mechanisms)
        return tuple(dict.fromkeys((*_ALWAYS, *extra)))
