"""What a handler is given: an Email where its first parameter says so, a Request everywhere else."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING

import pytest

import rrpy
import rrpy.worker
from rrpy import worker
from rrpy.worker import Accept, Close, Email, Reject, Request, Response, SoftError, mail
from rrpy.worker import Email as Mail
from rrpy.worker.handlers import as_handler
from rrpy.worker.testing import Worker, ask, email_event, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

EVENT = email_event(subject="é")


def kind_of(given: object) -> Response:
    return Response(f"{type(given).__name__} {getattr(given, 'subject', '')}")


def plain(email: Email) -> Response:
    return kind_of(email)


def by_another_name(letter: Mail) -> Response:
    return kind_of(letter)


def through_the_module(email: worker.Email) -> Response:
    return kind_of(email)


def through_the_package(email: rrpy.worker.Email) -> Response:
    return kind_of(email)


def quoted(email: "Email") -> str:  # noqa: UP037 - written so on purpose
    return kind_of(email)


async def awaited(email: Email) -> Response:
    return kind_of(email)


def generator(email: Email) -> Iterator[Response]:
    yield kind_of(email)


async def async_generator(email: Email) -> AsyncIterator[Response]:
    yield kind_of(email)


def with_more(email: Email, limit: int = 5, *, verbose: bool = False) -> Response:
    return kind_of(email)


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Callables:
    def __call__(self, email: Email) -> Response:
        return kind_of(email)

    def method(self, email: Email) -> Response:
        return kind_of(email)

    @classmethod
    def of_the_class(cls, email: Email) -> Response:
        return kind_of(email)

    @staticmethod
    def static(email: Email) -> Response:
        return kind_of(email)

    @decorated
    def decorated_method(self, email: Email) -> Response:
        return kind_of(email)


def not_postponed(annotation: object):
    def handle(email):
        return kind_of(email)

    handle.__annotations__ = {"email": annotation}
    return handle


def unresolved(annotation: str):
    """A handler whose module knows the name in its annotation for the type checker alone."""
    return types.FunctionType(not_postponed(annotation).__code__, {"kind_of": kind_of, "__builtins__": {}}), annotation


def from_elsewhere(annotation: str):
    handle, text = unresolved(annotation)
    handle.__annotations__ = {"email": text}
    return handle


TAKES_EMAIL = [
    plain,
    by_another_name,
    through_the_module,
    through_the_package,
    quoted,
    awaited,
    generator,
    async_generator,
    with_more,
    decorated(plain),
    decorated(decorated(awaited)),
    Callables(),
    Callables().method,
    Callables.of_the_class,
    Callables.static,
    Callables().decorated_method,
    not_postponed(Email),
    from_elsewhere("Email"),
    from_elsewhere("worker.Email"),
    from_elsewhere("rrpy.worker.Email"),
    from_elsewhere("'Email'"),
    lambda email: kind_of(email),  # no annotation, but the name
    mail(functools.partial(with_more, limit=7)),
    mail(functools.partial(awaited)),
    mail(lambda email: kind_of(email)),
    mail(plain),
    mail(generator),
]


@pytest.mark.parametrize("handler", TAKES_EMAIL)
def test_an_email_is_given_to_what_asks_for_one(handler):
    assert [part.context.decode() for part in stream(handler, EVENT)] == ["Email é"]


def takes_request(request: Request) -> Response:
    return kind_of(request)


def takes_anything(request) -> Response:
    return kind_of(request)


def takes_it_second(request: Request, email: Email | None = None) -> Response:
    return kind_of(request)


def takes_all(*requests: Email) -> Response:
    return kind_of(requests[0])


def own_email():
    class Email: ...

    handle = types.FunctionType(not_postponed("Email").__code__, {"kind_of": kind_of, "Email": Email})
    handle.__annotations__ = {"email": "Email"}
    return handle


class Unannotated:
    def __call__(self, request):
        return kind_of(request)


@pytest.mark.parametrize(
    "handler",
    [
        takes_request,
        takes_anything,
        takes_it_second,
        takes_all,
        functools.partial(plain),
        functools.partial(with_more, limit=7),
        Unannotated(),
        kind_of,
        not_postponed(None),
        not_postponed("Email | None"),
        not_postponed("worker.Nothing"),
        from_elsewhere("smtplib.Email"),
        own_email(),
    ],
)
def test_a_request_is_given_to_everything_else(handler):
    assert as_handler(handler) is handler
    assert ask(handler, EVENT).context == b"Request "


class Proxy:
    """Has any attribute there is, as clients of remote objects do."""

    def __getattr__(self, name):
        return Proxy()

    __call__ = staticmethod(functools.partial(kind_of))


@pytest.mark.parametrize("handler", [str.upper, print, type("Handler", (), {}), functools.partial(print), Proxy()])
def test_what_has_no_code_to_look_at_is_taken_as_it_is(handler):
    assert as_handler(handler) is handler


class Deferred:
    """A function of Python 3.14 that has a name in its annotations for the type checker alone."""

    __code__ = plain.__code__

    @property
    def __annotations__(self):
        raise NameError("name 'Email' is not defined")

    @property
    def __globals__(self):
        return {}

    def __call__(self, email):
        return kind_of(email)


def test_annotations_that_cannot_be_evaluated_are_read_as_texts(monkeypatch):
    def get_annotations(function, *, format):
        return {"email": "Email", "return": "Verdict"} if format == "as texts" else None

    module = types.SimpleNamespace(Format=types.SimpleNamespace(STRING="as texts"), get_annotations=get_annotations)
    monkeypatch.setitem(sys.modules, "annotationlib", module)
    assert ask(Deferred(), EVENT).context == "Email é".encode()


@pytest.mark.parametrize("handler", [awaited, mail(awaited)])
def test_a_coroutine_function_stays_one_so_that_its_loop_runs_from_the_beginning(handler):
    assert inspect.iscoroutinefunction(as_handler(handler))


ANSWERS = {
    "none": None,
    "accept": Accept(),
    "reject": Reject(550, "no"),
    "close": Close(),
    "word": "CONTINUE",
    "reply": '{"code": 550}',
    "response": Response("any"),
    "another word": "REJECT",
    "true": True,
    "bytes": b"CONTINUE",
    "a dict": {"code": 550, "message": "no"},
}


def answers(what: str):
    answer = ANSWERS[what]

    def handle(email: Email):
        return answer

    async def handle_async(email: Email):
        return answer

    return [handle, handle_async, mail(functools.partial(handle)), mail(functools.partial(handle_async))]


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("none", Accept()),
        ("accept", Response(b"CONTINUE")),
        ("reject", Reject(550, "no")),
        ("close", Response(b"CLOSE")),
        ("word", Response(b"CONTINUE")),
        ("reply", Response(b'{"code": 550}')),
        ("response", Response(b"any")),
    ],
)
def test_a_verdict_is_the_answer_and_none_accepts(what, answer):
    assert [ask(handler, EVENT) for handler in answers(what)] == [answer] * 4


def test_any_handler_may_return_a_verdict():
    def handle(request: Request) -> Reject:
        return Reject(451, "later")

    assert ask(handle) == Reject(451, "later")


def test_none_from_a_handler_of_requests_is_still_empty():
    assert ask(lambda request: None, EVENT) == Response(b"", b"")


@pytest.mark.parametrize(
    ("what", "said"),
    [("another word", "'REJECT'"), ("true", "bool"), ("bytes", "bytes"), ("a dict", "dict")],
)
def test_a_result_that_is_no_verdict_is_an_error_that_names_the_verdicts(what, said):
    """A handler that returned "REJECT", or False, accepted the message."""
    for handler in answers(what):
        with pytest.raises(TypeError, match=rf"returns Accept\(\), Reject\(code, text\) or Close\(\), not {said}$"):
            ask(handler, EVENT)


async def unannotated_async(message):
    return kind_of(message)


class UnannotatedMethods:
    def __call__(self, message):
        return kind_of(message)

    def method(self, message):
        return kind_of(message)


@pytest.mark.parametrize(
    "handler",
    [lambda message: kind_of(message), unannotated_async, UnannotatedMethods(), UnannotatedMethods().method],
)
def test_for_mail_the_only_parameter_without_an_annotation_is_an_email(handler):
    """Such a handler got a Request, and its first use of the message failed."""
    assert ask(handler, EVENT).context == "Email é".encode()
    assert ask(handler, {"event": "another"}).context == b"Request "


@pytest.mark.parametrize(
    "handler",
    [
        takes_anything,
        takes_request,
        lambda message, more=None: kind_of(message),
        lambda message, *more: kind_of(message),
        lambda message, *, more=None: kind_of(message),
        lambda *messages: kind_of(messages[0]),
    ],
)
def test_for_mail_a_request_is_given_to_everything_else(handler):
    assert ask(handler, EVENT).context == b"Request "


def test_the_raw_message_is_the_requests_body():
    def handle(email: Email) -> Response:
        return Response(repr(email.raw))

    assert ask(handle, EVENT).context == b"None"
    assert ask(handle, EVENT, b"\xff\r\n").context == rb"b'\xff\r\n'"


@pytest.mark.parametrize("handler", [plain, awaited, generator, async_generator, mail(functools.partial(plain))])
def test_an_event_of_another_kind_is_a_soft_error_that_names_it(handler):
    with Worker(handler) as given, pytest.raises(SoftError, match="the event is 'CONNECTION_CLOSED'"):
        list(given.stream({"event": "CONNECTION_CLOSED"}))
    with pytest.raises(SoftError, match="its context is not JSON"):
        list(stream(handler, b"hello"))


def test_a_value_error_of_the_handler_is_its_own():
    def handle(email: Email) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        ask(handle, EVENT)


def test_a_handler_of_mail_is_a_function_like_any_other():
    assert plain(Email(EVENT)).context == "Email é"
