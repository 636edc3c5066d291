"""The doors of other plugins that the inbox uses: small Protocols, each as its plugin documents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from ..mime.message import Message


class IncomingRecipient(Protocol):
    """A recipient of the envelope. `parameters`: of its RCPT."""

    @property
    def address(self) -> str: ...  # noqa: D102 - described by the class
    @property
    def parameters(self) -> Mapping[str, str | bool]: ...  # noqa: D102


class IncomingMail(Protocol):
    """A message as a mail server hands it to its observers.

    `at`: seconds since 1970. `uuid`: the connection's. `authentication`: mechanism, user name and password. `content`:
    the message byte for byte. `code`, `reply`: the answer to its client. `reason`: of an answer that no worker gave.
    `parameters`: of MAIL; `recipients`: of each RCPT. `tls`: an object with
    `version`, `cipher` and `subject`, None in clear.
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
    def parameters(self) -> Mapping[str, str | bool]: ...  # noqa: D102
    @property
    def recipients(self) -> Sequence[IncomingRecipient]: ...  # noqa: D102
    @property
    def tls(self) -> object | None: ...  # noqa: D102
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


class IncomingRefusal(Protocol):
    """A refused command or message, or a session that a mail server ended, as the server hands it to its observers.

    `at`: RFC 3339. `uuid`: the connection's. `username`: of AUTH. `sender`, `to`: of the transaction under way;
    `recipients`: the number of all. `command`: the last one, without secrets. `code`, `reply`: to the client; 0 and
    empty for none. `setting`: the one that decided, and its value. `reason`: why, where there is no reply. `left_out`:
    refusals before it that the server does not hand over.
    """

    @property
    def at(self) -> str: ...  # noqa: D102 - described by the class
    @property
    def uuid(self) -> str: ...  # noqa: D102
    @property
    def remote_addr(self) -> str: ...  # noqa: D102
    @property
    def helo(self) -> str: ...  # noqa: D102
    @property
    def sender(self) -> str: ...  # noqa: D102
    @property
    def to(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def username(self) -> str: ...  # noqa: D102
    @property
    def recipients(self) -> int: ...  # noqa: D102
    @property
    def command(self) -> str: ...  # noqa: D102
    @property
    def code(self) -> int: ...  # noqa: D102
    @property
    def reply(self) -> str: ...  # noqa: D102
    @property
    def setting(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def ended(self) -> bool: ...  # noqa: D102
    @property
    def left_out(self) -> int: ...  # noqa: D102


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


class RuleTable(Protocol):
    """The rules by which a mail server fails on purpose (docs/how-to/failures.md).

    `mailbox`: confines a call to the rules of this mailbox; empty for all. A wrong rule raises ValueError, whose text
    is a sentence, and changes nothing. The Structs are those of `web.rules.RULE`.
    """

    def list(self, mailbox: str = "") -> Sequence[msgspec.Struct]:
        """Return the rules, in their order."""
        ...

    def add(self, value: object, mailbox: str = "") -> msgspec.Struct:
        """Add a rule after the others. `value`: its keys, as JSON has them, or the name of a preset."""
        ...

    def replace(self, values: Sequence[object], mailbox: str = "") -> Sequence[msgspec.Struct]:
        """Put these rules in place of the others."""
        ...

    def remove(self, number: int, mailbox: str = "") -> bool:
        """Remove a rule; return whether there was one of this number."""
        ...

    def clear(self, mailbox: str = "") -> int:
        """Remove the rules, and return their number."""
        ...


@runtime_checkable
class FailsByRule(Protocol):
    """A mail server with such rules."""

    @property
    def rules(self) -> RuleTable:
        """The rules."""
        ...
