"""The event of a message as an object, and the handlers that take it.

    def handle(email: Email) -> Verdict:
        if "bob@example.com" not in email.envelope.recipients:
            return Reject(550, "there is only Bob here")
        for attachment in email.attachments:
            attachment.save("/srv/inbox")
        return Accept()

A handler whose first parameter is annotated so gets an Email; `mail` wraps one that has no annotations.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping

from .attachments import Attachment
from .fields import field, text, texts
from .messages import Handler, Request, Response, SoftError
from .parsed import Parsed, Recipient, parameters_of, recipients_of, time
from .verdicts import Accept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    class _Envelope(NamedTuple):
        sender: str
        recipients: list[Recipient]
        helo: str
else:
    _Envelope = namedtuple("_Envelope", "sender recipients helo")

NAME = "EMAIL_RECEIVED"
RESULTS = "a handler of mail returns Accept(), Reject(code, text) or Close()"
_SHOWN = 200
"""Characters of a wrong result that an error quotes."""
_COROUTINE = 0x80  # inspect.CO_COROUTINE


class Envelope(_Envelope):
    """The envelope of the client: `sender` (empty for the null sender), `recipients` in order, `helo`.

    `parameters`: of MAIL, such as SIZE; True for one without a value. Each recipient has those of its RCPT.
    """

    parameters: dict[str, str | bool]


class Authentication:
    """The client's AUTH. The password is never in its repr.

    Not a tuple and not a dataclass: a log record in JSON would show the fields of either, with the password.
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
    """A message's headers: a mapping of names, in any case, to the first decoded value of each.

    `mapping`: every name in its first spelling, with all its values in order.
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
        """Return every value of a header in order; an empty list when it is absent."""
        return list(self._values.get(name.lower(), ()))


class Email(Parsed):
    """A message as the host received it. `event`: the whole event, as docs/reference/events.md describes it.

    `id`: the message's, the same when the host runs it again. `uuid`: the connection's. `received_at`: with its offset.
    `text`, `html`: the bodies, each empty when there is none. `size`: bytes as received. `defects`: the faults of its
    MIME. `raw`: its exact bytes; None without `include_raw`, unless the message is empty.

    Raises ValueError, with one sentence, for any other event.
    """

    __slots__ = (
        "attachments",
        "authentication",
        "defects",
        "envelope",
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
            raise ValueError("the request is not an event: it is JSON, but not an object")
        if event.get("event") != NAME:
            raise ValueError(f"the event is {event.get('event')!r}, not {NAME}")
        self.event = event
        self.id = field(event, "id", str)
        self.uuid = field(event, "uuid", str)
        self.remote_addr = field(event, "remote_addr", str)
        self.received_at = time(field(event, "received_at", str), "received_at")
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
        self.raw = raw if self.size else b""  # the host sends nothing then, with `include_raw` too
        self.attachments = [Attachment(each) for each in field(event, "attachments", list)]
        self.defects = texts(event, "defects")

    @classmethod
    def from_request(cls, request: Request) -> Email:
        """Return the message of a request. Raises ValueError, with one sentence, for a request without one."""
        try:
            event = request.json()
        except (ValueError, RecursionError):
            raise ValueError("the request is not an event: its context is not JSON") from None
        if isinstance(event, dict) and "pipeline" in event:
            return cls._from_job(request.body)
        return cls(event, request.body or None)

    @classmethod
    def _from_job(cls, body: bytes) -> Email:
        """Return the message of a job: its event is the body."""
        from json import loads

        try:
            event = loads(body)
        except (ValueError, RecursionError):
            raise ValueError(
                "the job is not a mail: its body is not JSON. With smtp.jobs.payload: raw a handler takes a Request"
            ) from None
        return cls(event)

    def __repr__(self) -> str:
        return f"<Email {self.id} {self.envelope.sender!r} -> {self.envelope.recipients} {self.subject!r}>"


def mail(handler: Callable[[Email], object]) -> Handler:
    """Return a handler of requests, made from one that takes an Email.

    For handlers without annotations: partials, callables of other libraries. A result of None becomes Accept(). The
    handler raises SoftError for a request without a message, TypeError for any other result.
    """
    if getattr(getattr(handler, "__code__", None), "co_flags", 0) & _COROUTINE:
        # A coroutine function again, so that the worker starts with its event loop.
        async def handle_async(request: Request) -> object:
            result = handler(_email(request))
            assert isinstance(result, Awaitable)
            return await _awaited_verdict(result)

        handle_async.of = handler  # type: ignore[attr-defined]  # for the place of an error
        return handle_async

    def handle(request: Request) -> object:
        result = handler(_email(request))
        return _awaited_verdict(result) if isinstance(result, Awaitable) else _verdict(result)

    handle.of = handler  # type: ignore[attr-defined]
    return handle


async def _awaited_verdict(result: Awaitable[object]) -> object:
    return _verdict(await result)


def _verdict(result: object) -> object:
    """Return the answer that a handler's result is. The parts of a stream are not looked at."""
    if result is None:
        return Accept()
    if isinstance(result, str) and not (result in ("CONTINUE", "CLOSE") or result.startswith("{")):
        raise TypeError(f"{RESULTS}, not {result[:_SHOWN]!r}")
    if not isinstance(result, (Response, str, Generator, AsyncGenerator)):
        raise TypeError(f"{RESULTS}, not {type(result).__name__}")
    return result


def _email(request: Request) -> Email:
    try:
        return Email.from_request(request)
    except ValueError as error:
        raise SoftError(str(error)) from None


def _envelope(envelope: dict[str, Any]) -> Envelope:
    made = Envelope(field(envelope, "from", str), recipients_of(envelope), text(envelope, "helo"))
    made.parameters = parameters_of(envelope)
    return made


def _authentication(authentication: dict[str, Any]) -> Authentication:
    attempted = bool(authentication.get("attempted", True))
    return Authentication(attempted, *(text(authentication, key) for key in ("mechanism", "username", "password")))
