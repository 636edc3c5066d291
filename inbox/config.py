"""The `inbox` section of rr.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..container.config.fields import Duration, Secret
from ..container.errors import ConfigError
from ..container.net.address import ADDRESS_FORMS
from ..container.passwords import MAX_BYTES, PasswordHash, is_token_hash, normalized
from ..mime.mailboxes import MailboxBy
from .relay.config import RelayConfig

Count = Annotated[int, Meta(ge=0)]

_NAME = re.compile(r"(\*\.)?[0-9a-z_]([0-9a-z_.-]*[0-9a-z_])?", re.ASCII)


class TokenConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A token for programs that use the API."""

    token: Annotated[Secret, Meta(description="its hash, which `rrpy hash --token` prints", examples=["'sha256:...'"])]
    mailbox: Annotated[
        str, Meta(description="the only mailbox that the token may read and change; empty for all of them")
    ] = ""


class AgentsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What agents may do in the inbox, by the Model Context Protocol."""

    write: Annotated[
        bool,
        Meta(
            description="let agents delete mail, and change the rules by which the server fails. Without it they "
            "only read"
        ),
    ] = False


class CertificateConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The certificate of the page, for HTTPS."""

    cert: Annotated[str, Meta(description="a PEM file: the certificate, or the whole chain", examples=["cert.pem"])]
    key: Annotated[str, Meta(description="a PEM file: the private key", examples=["key.pem"])]


class InboxConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The mail that was caught, on a web page and as an API: http://127.0.0.1:8025 is the default."""

    address: Annotated[
        str | list[str],
        Meta(
            description=f"where the page is: {ADDRESS_FORMS} "
            "An address that is not loopback needs `users`, `tokens`, or `open: true`."
        ),
    ] = "127.0.0.1:8025"
    path: Annotated[
        str,
        Meta(
            description="a SQLite file that keeps the mail over a restart; empty keeps it in memory. "
            "Only its owner may read the file, and one host at a time can use it."
        ),
    ] = ""
    max_messages: Annotated[
        Count, Meta(description="messages to keep in each mailbox, the newest ones; 0 means no limit")
    ] = 500
    max_bytes: Annotated[
        Count,
        Meta(
            description="bytes of memory, or of the file, for all messages; 0 means no limit. All that is kept counts: "
            "messages as received, the words for a search, recipients, transcripts, refusals, and the events of the "
            "page. The oldest message goes first; the newest always stays, whatever its size."
        ),
    ] = 256 * 1024 * 1024
    max_age: Annotated[
        Duration,
        Meta(
            description="how long the inbox keeps a message, such as `24h`; 0 means for ever. The inbox looks for "
            "older ones each minute, or more often when the time is below a minute."
        ),
    ] = Duration(0)
    mailbox_by: Annotated[
        str,
        Meta(
            description="what names the mailbox of a mail. `none`: all mail has one; `username`: the name of AUTH; "
            "`recipient`: the address; `domain`: its domain; `plus`: its part between `+` and `@`; `header:X-Test-Id`: "
            "this header. Mail without it is in the mailbox `default`. Mail to recipients of several mailboxes is "
            "stored in each.",
            examples=["header:X-Test-Id"],
        ),
    ] = "none"
    max_mailboxes: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="mailboxes to keep, 1 at least. A new one takes the place of the one with the fewest messages, "
            "of several the oldest, whose messages are deleted. `default` always stays.",
        ),
    ] = 1000
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
    users: Annotated[
        dict[str, Secret],
        Meta(
            description="the users that may log in, each with the hash of a password: `{ann: 'scrypt:...'}`. `rrpy "
            "hash` prints the hash. Without users and tokens the inbox asks for no login."
        ),
    ] = {}
    tokens: Annotated[
        dict[str, TokenConfig],
        Meta(
            description="the tokens of programs that use the API, by name: `{ci: {token: 'sha256:...'}}`. `rrpy hash "
            "--token` prints a token and its hash. A token may do what a user may, except release a message. With a "
            "`mailbox` it sees that one alone: `{ci: {token: 'sha256:...', mailbox: test-7}}`."
        ),
    ] = {}
    open: Annotated[
        bool,
        Meta(
            description="permit an address that is not loopback without users and tokens. Every machine that reaches "
            "the address can then read and delete the mail; the log and the page say so."
        ),
    ] = False
    tls: Annotated[
        CertificateConfig | None,
        Meta(
            description="serve HTTPS in place of HTTP. SIGHUP loads the files anew.",
            examples=["{cert: cert.pem, key: key.pem}"],
        ),
    ] = None
    mcp: Annotated[
        AgentsConfig, Meta(description="the tools for agents, at `/mcp` and in `rrpy mcp`. They need `rrpy[mcp]`.")
    ] = AgentsConfig()
    relay: Annotated[
        RelayConfig | None,
        Meta(
            description="the mail server through which the inbox releases messages. Without it the inbox releases "
            "none.",
            examples=["{host: mail.example.com, username: ann, password: secret, allow: ['*@example.com']}"],
        ),
    ] = None

    def __post_init__(self) -> None:
        for name in self.allowed_hosts:
            if not _NAME.fullmatch(name.lower()):
                hint = "it is written without a scheme and a port; a wildcard is written `*.test`"
                raise ConfigError(f"{name!r} is not a host name", key="allowed_hosts", hint=hint)
        try:
            MailboxBy.parse(self.mailbox_by)
        except ValueError as error:
            raise ConfigError(f"is wrong: {error}", key="mailbox_by") from None
        _check_logins(self.users, self.tokens)

    @property
    def asks_for_login(self) -> bool:
        """Whether a request needs a user or a token."""
        return bool(self.users or self.tokens)


def _check_logins(users: Mapping[str, Secret], tokens: Mapping[str, TokenConfig]) -> None:
    """Raise ConfigError for a name or a hash that no login can have, and for a name that is given twice.

    No error shows a value: it may be a password in the place of its hash.
    """
    seen: dict[str, str] = {}
    for key, name in [*(("users", name) for name in users), *(("tokens", name) for name in tokens)]:
        if not name or ":" in name or not name.isprintable() or len(name.encode()) > MAX_BYTES:
            hint = f"it is a printable text of 1 to {MAX_BYTES} bytes, without a colon"
            raise ConfigError(f"{name!r} is not the name of a user or a token", key=key, hint=hint)
        if other := seen.get(normalized(name)):
            raise ConfigError(f"has the name {name!r}, which inbox.{other} has too", key=key)
        seen[normalized(name)] = key
    for name, value in users.items():
        try:
            PasswordHash.parse(value.reveal())
        except ValueError as error:
            raise ConfigError(f"is wrong: {error}", key=f"users.{name}") from None
    for name, each in tokens.items():
        if not is_token_hash(each.token.reveal()):
            hint = "make a token and its hash with `rrpy hash --token`"
            raise ConfigError("is not the hash of a token", key=f"tokens.{name}.token", hint=hint)
