"""The `inbox` section of rr.yaml."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..container.errors import ConfigError
from ..container.net.address import ADDRESS_FORMS
from .relay.config import RelayConfig

Count = Annotated[int, Meta(ge=0)]

_NAME = re.compile(r"(\*\.)?[0-9a-z_]([0-9a-z_.-]*[0-9a-z_])?", re.ASCII)


class InboxConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The mail that was caught, on a web page and as an API: http://127.0.0.1:8025 is the default."""

    address: Annotated[
        str | list[str],
        Meta(
            description=f"where the page is: {ADDRESS_FORMS} "
            "Everyone who reaches the page can read and delete the mail; for an address that is not loopback "
            "the log has a warning."
        ),
    ] = "127.0.0.1:8025"
    path: Annotated[
        str,
        Meta(
            description="a SQLite file that keeps the mail over a restart; empty keeps it in memory. "
            "Only its owner may read the file, and one host at a time can use it."
        ),
    ] = ""
    max_messages: Annotated[Count, Meta(description="messages to keep, the newest ones; 0 means no limit")] = 500
    max_bytes: Annotated[
        Count,
        Meta(
            description="bytes of memory, or of the file, for all messages; 0 means no limit. All that is kept counts: "
            "messages as received, the words for a search, recipients, transcripts, refusals, and the events of the "
            "page. The oldest message goes first; the newest always stays, whatever its size."
        ),
    ] = 256 * 1024 * 1024
    allowed_hosts: Annotated[
        list[str],
        Meta(
            description="more host names of the page, for example `mail.test`. `localhost`, names that end with "
            "`.localhost`, and numbers are always allowed. `*.test` allows every name that ends with `.test`. "
            "For safety the page refuses every other name."
        ),
    ] = []
    remote_images: Annotated[
        Literal["click", "never"],
        Meta(
            description="`click` loads the remote images of a mail on a click; `never` refuses that. Remote images are "
            "those that the mail names and does not have. The sender then learns that the mail is read."
        ),
    ] = "click"
    relay: Annotated[
        RelayConfig | None,
        Meta(
            description="the mail server that gets a message which the page releases. Without it the page releases "
            "none.",
            examples=["{host: mail.example.com, username: ann, password: secret, allow: ['*@example.com']}"],
        ),
    ] = None

    def __post_init__(self) -> None:
        for name in self.allowed_hosts:
            if not _NAME.fullmatch(name.lower()):
                hint = "it is written without a scheme and a port; a wildcard is written `*.test`"
                raise ConfigError(f"{name!r} is not a host name", key="allowed_hosts", hint=hint)
