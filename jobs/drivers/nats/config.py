"""The settings of the NATS driver: the section `nats`, and the `config` of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from ....container.config.fields import PositiveDuration
from ....container.errors import ConfigError

if TYPE_CHECKING:
    import ssl

Name = Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9_-]*$")]
Subject = Annotated[str, Meta(max_length=200, pattern=r"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)?$")]
Count = Annotated[int, Meta(ge=0)]


class NatsTLS(Struct, frozen=True, forbid_unknown_fields=True):
    """TLS to the servers."""

    ca: Annotated[str, Meta(description="a file of certificates to trust; empty trusts the system's")] = ""
    cert: Annotated[str, Meta(description="a file with the client's certificate; empty sends none")] = ""
    key: Annotated[str, Meta(description="a file with the key of `cert`; empty takes it from `cert`")] = ""


class NatsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The servers of NATS."""

    addr: Annotated[
        str,
        Meta(
            description="the servers, separated by commas. `tls://` encrypts. An address may have a user and password."
        ),
    ] = "nats://127.0.0.1:4222"
    credentials: Annotated[str, Meta(description="a `.creds` file with a JWT and its key; empty means none")] = ""
    tls: Annotated[
        NatsTLS | None,
        Meta(description="encryption, for addresses without `tls://` too. The host refuses a server without TLS."),
    ] = None

    @property
    def addresses(self) -> list[str]:
        """Return each address, with its scheme."""
        texts = [text.strip() for text in self.addr.split(",")]
        return [text if "://" in text else f"nats://{text}" for text in texts if text]

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context, None for connections without TLS. Raises ConfigError for a bad file."""
        import ssl

        tls = self.tls or NatsTLS()
        if self.tls is None and not any(address.startswith("tls://") for address in self.addresses):
            return None
        try:
            context = ssl.create_default_context(cafile=tls.ca or None)
            if tls.cert:
                context.load_cert_chain(tls.cert, tls.key or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"cannot use the files of TLS: {error}", key="nats.tls") from error
        return context

    def __post_init__(self) -> None:
        if not self.addresses:
            raise ConfigError("needs an address", key="nats.addr")
        for address in self.addresses:
            scheme, host = urlsplit(address).scheme, urlsplit(address).hostname
            if scheme not in ("nats", "tls") or not host:
                raise ConfigError("an address is nats://host:port or tls://host:port", key="nats.addr")


class NatsPipeline(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a pipeline on NATS. The driver fills in the empty names."""

    stream: Annotated[
        Name,
        Meta(
            description="the stream, and the name of its consumer. The host makes a missing one. Empty takes the name "
            "of the pipeline. Dead jobs are in the stream `STREAM-dead`, bodies above the server's `max_payload` in "
            "the object store `STREAM-bodies`."
        ),
    ] = ""
    subject: Annotated[Subject, Meta(description="the stream's subject; empty takes the name of the stream")] = ""
    ack_wait: Annotated[
        PositiveDuration, Meta(description="the time after which another host gets the jobs of a host that died")
    ] = PositiveDuration(30.0)
    replicas: Annotated[int, Meta(ge=1, le=5, description="the servers that keep each job")] = 1
    max_bytes: Annotated[Count, Meta(description="the limit for the bytes of the stream; 0 means no limit")] = 0

    @property
    def dead_stream(self) -> str:
        """Return the stream of dead letters."""
        return f"{self.stream}-dead"

    def dead_subject(self, token: str) -> str:
        """Return the subject of a dead letter; with `*` that of all."""
        return f"{self.stream}-dead.{token}"

    @property
    def bucket(self) -> str:
        """Return the object store of large payloads."""
        return f"{self.stream}-bodies"
