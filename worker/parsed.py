"""What the host has parsed of a message: addresses, the date, identifiers, TLS. Each is read when a handler asks.

An event that an older host has recorded lacks these fields. They are empty then.
"""

from __future__ import annotations

from collections import namedtuple
from datetime import datetime

from .fields import field, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    class _Address(NamedTuple):
        name: str
        address: str

    class _TLS(NamedTuple):
        version: str
        cipher: str
        subject: str
else:
    _Address = namedtuple("_Address", "name address")
    _TLS = namedtuple("_TLS", "version cipher subject")


_SPECIAL = frozenset('()<>[]:;@\\,"')


class Address(_Address):
    """An address of a header. `name`: decoded, empty for none. `address`: empty for a name alone."""

    __slots__ = ()

    def __str__(self) -> str:
        if not self.name or not self.address:
            return self.name or self.address
        name = self.name
        if not _SPECIAL.isdisjoint(name):  # without quotes it could look like an address
            name = '"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))
        return f"{name} <{self.address}>"


class TLS(_TLS):
    """The TLS of the connection. `subject`: of the client's certificate (RFC 4514), empty where it showed none."""

    __slots__ = ()


class Recipient(str):
    """An address of the envelope. `parameters`: of its RCPT, such as NOTIFY; True for one without a value."""

    __slots__ = ("parameters",)

    parameters: dict[str, str | bool]

    def __new__(cls, address: str, parameters: dict[str, str | bool]) -> Recipient:  # noqa: D102 - see the class
        self = super().__new__(cls, address)
        self.parameters = parameters
        return self

    def __getnewargs__(self) -> tuple[str, dict[str, str | bool]]:  # type: ignore[override]
        return str(self), self.parameters


class Parsed:
    """The parsed part of a message. `event`: the whole event. Raises ValueError, with one sentence, for a wrong one."""

    __slots__ = ("event",)

    event: dict[str, Any]

    @property
    def from_(self) -> list[Address]:
        """The addresses of the header From. The client wrote it; the envelope's sender may be another."""
        return self._addresses("from")

    @property
    def sender(self) -> list[Address]:
        """The address of the header Sender, in a list."""
        return self._addresses("sender")

    @property
    def reply_to(self) -> list[Address]:
        """The addresses of the header Reply-To."""
        return self._addresses("reply_to")

    @property
    def to(self) -> list[Address]:
        """The addresses of the header To. The envelope's recipients may be others."""
        return self._addresses("to")

    @property
    def cc(self) -> list[Address]:
        """The addresses of the header Cc."""
        return self._addresses("cc")

    @property
    def bcc(self) -> list[Address]:
        """The addresses of the header Bcc."""
        return self._addresses("bcc")

    @property
    def date(self) -> datetime | None:
        """The header Date, with its offset; None if it is absent or unreadable."""
        written = text(self._message, "date")
        return time(written, "date") if written else None

    @property
    def in_reply_to(self) -> list[str]:
        """The identifiers of the header In-Reply-To, without angle brackets."""
        return self._texts("in_reply_to")

    @property
    def references(self) -> list[str]:
        """The identifiers of the header References, without angle brackets."""
        return self._texts("references")

    @property
    def text_from_html(self) -> str:
        """The readable text of the HTML, where the message has no text; else empty."""
        return text(self._message, "text_from_html")

    @property
    def headers_list(self) -> list[tuple[str, str]]:
        """Every header in order, name and undecoded value, with `smtp.headers: all`; else empty."""
        if self._message.get("headers_list") is None:
            return []
        return [(str(name), str(value)) for name, value in field(self._message, "headers_list", list)]

    @property
    def tls(self) -> TLS | None:
        """The TLS of the connection; None in clear."""
        if self.event.get("tls") is None:
            return None
        found: dict[str, Any] = field(self.event, "tls", dict)
        return TLS(text(found, "version"), text(found, "cipher"), text(found, "subject"))

    @property
    def _message(self) -> dict[str, Any]:
        return field(self.event, "message", dict)

    def _addresses(self, key: str) -> list[Address]:
        if self._message.get(key) is None:
            return []
        found = field(self._message, key, list)
        if not all(isinstance(each, dict) for each in found):
            raise ValueError(f"the event's field {key!r} is not a list of addresses")
        return [Address(text(each, "name"), text(each, "address")) for each in found]

    def _texts(self, key: str) -> list[str]:
        return [] if self._message.get(key) is None else texts(self._message, key)


def recipients_of(envelope: dict[str, Any]) -> list[Recipient]:
    """Return the recipients of an event's envelope. Raises ValueError for a wrong one."""
    to = texts(envelope, "to")
    if envelope.get("recipients") is None:
        return [Recipient(address, {}) for address in to]
    found = field(envelope, "recipients", list)
    if len(found) != len(to) or not all(isinstance(each, dict) for each in found):
        raise ValueError("the event's field 'recipients' is not a list with an object for each address of 'to'")
    return [Recipient(address, parameters_of(each)) for address, each in zip(to, found, strict=True)]


def parameters_of(envelope: dict[str, Any]) -> dict[str, str | bool]:
    """Return the ESMTP parameters of an envelope or of a recipient."""
    return {} if envelope.get("parameters") is None else dict(field(envelope, "parameters", dict))


def time(value: str, key: str) -> datetime:
    """Return the time of the field `key`. Raises ValueError for a text that is not a time with an offset."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"the event's field {key!r} is not a time with an offset: {value!r}")
    return found
