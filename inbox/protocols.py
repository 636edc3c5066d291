"""What the inbox knows of other plugins: small Protocols, each as the plugin that has it documents it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Attachment(Protocol):
    """A part of a message that is not its text. `size`: decoded bytes; the texts are empty where there is none."""

    filename: str
    content_type: str
    size: int
    content_id: str
    inline: bool

    def content(self) -> bytes:
        """Return the decoded bytes."""
        ...


class Message(Protocol):
    """A parsed message. All strings are valid Unicode."""

    @property
    def headers(self) -> Mapping[str, Sequence[str]]:
        """Every header: its name as first written, and its decoded values in order."""
        ...

    subject: str
    body: str
    html_body: str

    @property
    def attachments(self) -> Sequence[Attachment]:
        """The attachments, in the message's order."""
        ...

    @property
    def defects(self) -> Sequence[str]:
        """What was wrong with the message, each a token."""
        ...


class Mail(Protocol):
    """A message as a mail server hands it to those who observe.

    `at`: seconds since 1970. `uuid`: the connection's. `authentication`: mechanism, user name and password. `content`:
    the message byte for byte. `code`, `reply`: what its client is told. `reason`: why, where no worker decided it.
    """

    @property
    def id(self) -> str: ...  # noqa: D102 - told by the class
    @property
    def at(self) -> float: ...  # noqa: D102
    @property
    def uuid(self) -> str: ...  # noqa: D102
    @property
    def remote_addr(self) -> str: ...  # noqa: D102
    @property
    def sender(self) -> str: ...  # noqa: D102
    @property
    def to(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def helo(self) -> str: ...  # noqa: D102
    @property
    def authentication(self) -> tuple[str, str, str] | None: ...  # noqa: D102
    @property
    def content(self) -> bytes: ...  # noqa: D102
    @property
    def code(self) -> int: ...  # noqa: D102
    @property
    def reply(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def transcript(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def message(self) -> Message:
        """The message, parsed when it is first asked for: for a thread, where it is large."""
        ...


class RPCProvider(Protocol):
    """A plugin that serves methods on the RPC bus."""

    name: str

    def rpc(self) -> Any:
        """Return the object whose public methods are served."""
        ...


class MailServer(Protocol):
    """A plugin that takes mail. `smtp_address`: where, as a URL; empty until it listens."""

    @property
    def smtp_address(self) -> str: ...  # noqa: D102
