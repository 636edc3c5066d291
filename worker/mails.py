"""The event of a message as an object, and the handlers that take one.

    def handle(email: Email) -> Verdict:
        if "bob@example.com" not in email.envelope.recipients:
            return Reject(550, "there is only Bob here")
        for attachment in email.attachments:
            attachment.save("/srv/inbox")
        return Accept()

A handler whose first parameter is annotated so gets an Email; `mail` makes one of what has no annotations.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime

from .attachments import Attachment
from .fields import field, text, texts
from .messages import Handler, Request, SoftError
from .verdicts import Accept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    class _Envelope(NamedTuple):
        sender: str
        recipients: list[str]
        helo: str
else:
    _Envelope = namedtuple("_Envelope", "sender recipients helo")

NAME = "EMAIL_RECEIVED"
_COROUTINE = 0x80  # inspect.CO_COROUTINE


class Envelope(_Envelope):
    """What the client said: `sender` (empty for the null sender), `recipients` in order, `helo`."""

    __slots__ = ()


class Authentication:
    """What the client said with AUTH. The password is never in its repr.

    No tuple, and no dataclass: to a log record in JSON either would be its fields, the password among them.
    """

    __slots__ = ("attempted", "mechanism", "password", "username")

    def __init__(self, attempted: bool, mechanism: str, username: str, password: str) -> None:
        self.attempted = attempted
        self.mechanism = mechanism
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return (
            f"Authentication(attempted={self.attempted}, mechanism={self.mechanism!r}, "
            f"username={self.username!r}, password=***)"
        )


class Headers(Mapping[str, str]):
    """A message's headers: a mapping of names, whatever their case, to the first value of each, decoded.

    `mapping`: every name as first written, with all its values in order.
    """

    __slots__ = ("_names", "_values", "mapping")

    def __init__(self, mapping: dict[str, list[str]]) -> None:
        self.mapping = mapping
        self._names: dict[str, str] = {}
        self._values: dict[str, list[str]] = {}
        for name in mapping:
            if values := texts(mapping, name):
                self._names.setdefault(name.lower(), name)
                self._values.setdefault(name.lower(), []).extend(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self.mapping!r})"

    def get_all(self, name: str) -> list[str]:
        """Return every value of a header in order; none when it is absent."""
        return list(self._values.get(name.lower(), ()))


class Email:
    """A message as the host received it. `event` is the event as it came, with what this class does not know.

    `id`: the message's, the same when the host runs it again. `uuid`: the connection's. `received_at`: with its offset.
    `text`, `html`: the bodies, each empty when there is none. `size`: bytes as received. `defects`: what was wrong with
    its MIME. `raw`: its exact bytes, None unless the host has `include_raw` or there are none.

    Raises ValueError, with one sentence, for what is no such event.
    """

    __slots__ = (
        "attachments",
        "authentication",
        "defects",
        "envelope",
        "event",
        "headers",
        "html",
        "id",
        "message_id",
        "raw",
        "received_at",
        "remote_addr",
        "size",
        "subject",
        "text",
        "uuid",
    )

    def __init__(self, event: dict[str, Any], raw: bytes | None = None) -> None:
        if not isinstance(event, dict):
            raise ValueError("the request is no event: it is JSON, but not an object")
        if event.get("event") != NAME:
            raise ValueError(f"the event is {event.get('event')!r}, and this is about {NAME}")
        self.event = event
        self.id = field(event, "id", str)
        self.uuid = field(event, "uuid", str)
        self.remote_addr = field(event, "remote_addr", str)
        self.received_at = _moment(field(event, "received_at", str))
        self.envelope = _envelope(field(event, "envelope", dict))
        has_auth = event.get("authentication") is not None
        self.authentication = _authentication(field(event, "authentication", dict)) if has_auth else None
        message: dict[str, Any] = field(event, "message", dict)
        self.headers = Headers(field(message, "headers", dict))
        self.message_id = text(message, "id")
        self.subject = text(message, "subject")
        self.text = text(message, "body")
        self.html = text(message, "html_body")
        self.size = field(message, "size", int)
        self.raw = raw if self.size else b""  # the host sends nothing, whatever its `include_raw`
        self.attachments = [Attachment(each) for each in field(event, "attachments", list)]
        self.defects = texts(event, "defects")

    @classmethod
    def from_request(cls, request: Request) -> Email:
        """Return the message that a request is about. Raises ValueError, with one sentence, when it is about none."""
        try:
            event = request.json()
        except (ValueError, RecursionError):
            raise ValueError("the request is no event: its context is not JSON") from None
        return cls(event, request.body or None)

    def __repr__(self) -> str:
        return f"<Email {self.id} {self.envelope.sender!r} -> {self.envelope.recipients} {self.subject!r}>"


def mail(handler: Callable[[Email], object]) -> Handler:
    """Return a handler of requests, made of one that takes an Email.

    For what has no annotations: partials, callables of other libraries. None is Accept(); a request that is about no
    message is a SoftError.
    """
    if getattr(getattr(handler, "__code__", None), "co_flags", 0) & _COROUTINE:
        # A coroutine function again, so that the worker has its event loop from the beginning.
        async def handle_async(request: Request) -> object:
            given = handler(_email(request))
            assert isinstance(given, Awaitable)
            return await _settled(given)

        return handle_async

    def handle(request: Request) -> object:
        given = handler(_email(request))
        return _settled(given) if isinstance(given, Awaitable) else _or_accept(given)

    return handle


async def _settled(given: Awaitable[object]) -> object:
    return _or_accept(await given)


def _or_accept(given: object) -> object:
    return Accept() if given is None else given


def _email(request: Request) -> Email:
    try:
        return Email.from_request(request)
    except ValueError as error:
        raise SoftError(str(error)) from None


def _envelope(told: dict[str, Any]) -> Envelope:
    return Envelope(field(told, "from", str), texts(told, "to"), text(told, "helo"))


def _authentication(told: dict[str, Any]) -> Authentication:
    attempted = bool(told.get("attempted", True))
    return Authentication(attempted, *(text(told, key) for key in ("mechanism", "username", "password")))


def _moment(written: str) -> datetime:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"the event's field 'received_at' is not a time with an offset: {written!r}")
    return moment
