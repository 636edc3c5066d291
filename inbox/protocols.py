"""The doors of other plugins that the inbox uses: small Protocols, each as its plugin documents it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ..mime.message import Message


class IncomingMail(Protocol):
    """A message as a mail server hands it to its observers.

    `at`: seconds since 1970. `uuid`: the connection's. `authentication`: mechanism, user name and password. `content`:
    the message byte for byte. `code`, `reply`: the answer to its client. `reason`: of an answer that no worker gave.
    """

    @property
    def id(self) -> str: ...  # noqa: D102 - described by the class
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
        """The message, parsed at the first access. Parse a large one in a thread."""
        ...


class MailServer(Protocol):
    """A plugin that takes mail. `smtp_address`: its address as a URL; empty while it does not listen."""

    @property
    def smtp_address(self) -> str: ...  # noqa: D102

    def connections(self) -> Sequence[msgspec.Struct]:
        """Return the open connections, oldest first. Their JSON is `routes.CONNECTION`."""
        ...

    def close_connection(self, uuid: str) -> bool:
        """Close a connection at once. Return False for an unknown uuid."""
        ...

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each change of a connection. Return the function that ends this."""
        ...
