"""Handlers without a host: their answers, made by the code that answers in a worker.

    from rrpy.worker.testing import ask, stream

    def test_a_big_mail_is_refused():
        with pytest.raises(SoftError, match="too big"):
            ask(handle, {"message": {"size": 2_000_000}})
        assert ask(handle, {"message": {"size": 1}}).context == b"CONTINUE"

    def test_the_first_parts_are_enough():
        parts = stream(count, "10")
        assert next(parts).context == b"1"
        parts.close()  # the test cancels, as a host does

    def test_mail_for_nobody_is_refused():
        event = email_event(recipients=["nobody@example.com"])
        assert ask(decide, event) == Reject(550, "no such user")
        assert decide(Email(event)) == Reject(550, "no such user")  # a handler of mail is a function like any other

The calls raise an error as the handler raised it, with its traceback; a host would get a SoftError's text, and
`ValueError: text in FILE:LINE` for any other error. A `Worker` has one event loop for asynchronous handlers, which runs
during a call. The calls are for synchronous tests; in an asynchronous one use `await asyncio.to_thread(ask, handler)`.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine, Generator
from contextlib import closing
from typing import TYPE_CHECKING

from .answers import Reply, Stopped, Wait, answer
from .handlers import as_handler
from .mails import NAME
from .messages import Request, Response
from .samples import email_event

if TYPE_CHECKING:
    import asyncio

    from .answers import Step, Steps
    from .handlers import AnyHandler

__all__ = ["Worker", "ask", "email_event", "stream"]


def ask(handler: AnyHandler, context: object = b"", body: bytes | str = b"") -> Response:
    """Return the handler's answer, both parts as bytes. See `Worker.ask`."""
    with Worker(handler) as worker:
        return worker.ask(context, body)


def stream(handler: AnyHandler, context: object = b"", body: bytes | str = b"") -> Generator[Response, None, None]:
    """Yield the parts of the handler's stream. See `Worker.stream`."""
    with Worker(handler) as worker:
        yield from worker.stream(context, body)


class Worker:
    """A worker in the test's own process, for an asynchronous handler that keeps something between requests.

    A context manager: its exit ends the event loop and the background tasks on it.
    """

    def __init__(self, handler: AnyHandler) -> None:
        self._handlers = {for_mail: as_handler(handler, for_mail=for_mail) for for_mail in (False, True)}
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the event loop, if there is one. May be called more than once."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def ask(self, context: object = b"", body: bytes | str = b"") -> Response:
        """Return the handler's answer, both parts as bytes.

        `context`: bytes, str, or anything else as JSON. The handler gets an event, a dict, as a worker of the SMTP
        server gives it. Raises the handler's error; TypeError for a stream, and for a
        result that is not an answer.
        """
        with closing(self._replies(context, body)) as replies:
            reply = next(replies)
        if reply.more:
            raise TypeError("the handler streams its answer: use stream() in place of ask()")
        return _response(reply)

    def stream(self, context: object = b"", body: bytes | str = b"") -> Generator[Response, None, None]:
        """Yield the parts of the handler's answer, as `ask` does; an empty last frame is left out.

        A call of this generator's `close` cancels the stream, as a host does: the handler's own generator is closed.
        """
        with closing(self._replies(context, body)) as replies:
            for reply in replies:
                response = _response(reply)
                if reply.more or response != Response():
                    yield response

    def _replies(self, context: object, body: bytes | str) -> Generator[Reply, None, None]:
        """Yield the frames of the answer. `close` cancels the stream."""
        is_mail = isinstance(context, dict) and context.get("event") == NAME
        steps = answer(self._handlers[is_mail], Request(_as_bytes(context), _as_bytes(body)))
        step = next(steps)
        return self._on_loop(steps, step) if isinstance(step, Wait) else _at_once(steps, step)

    def _on_loop(self, steps: Steps, step: Wait) -> Generator[Reply, None, None]:
        import asyncio

        from .aio import Cancellation, complete

        if asyncio._get_running_loop() is not None:
            if isinstance(step.awaitable, Coroutine):
                step.awaitable.close()
            raise RuntimeError("an event loop runs here already: call this in a thread, with asyncio.to_thread")
        self._runner = self._runner or asyncio.Runner()
        loop = self._runner.get_loop()
        replies: list[Reply] = []

        async def send(reply: Reply) -> None:
            replies.append(reply)
            loop.stop()
            await asyncio.sleep(0)  # continues when the test asks for more

        def turn() -> Reply:
            while not replies:
                loop.run_forever()
                if task.done() and not replies:
                    task.result()
            return replies.pop()

        cancellation = Cancellation()
        task = loop.create_task(complete(steps, step, send, cancellation))
        task.add_done_callback(lambda _: loop.stop())
        try:
            while (reply := turn()).more:
                yield reply
            yield reply
        except GeneratorExit:
            cancellation.request()
            while reply.more:
                reply = turn()
            _response(reply)
            raise
        finally:
            if not task.done():
                loop.run_until_complete(task)
            elif not task.cancelled():
                task.exception()  # retrieved: an error that ends a worker has come out of the event loop itself


def _at_once(steps: Steps, step: Step) -> Generator[Reply, None, None]:
    while isinstance(step, Reply):
        try:
            yield step
        except GeneratorExit:
            if step.more:
                last = steps.throw(Stopped())
                assert isinstance(last, Reply)
                _response(last)
            raise
        if not step.more:
            return
        step = next(steps)


def _response(reply: Reply) -> Response:
    if reply.error is not None:
        raise reply.error
    return Response(reply.context, reply.body)


def _as_bytes(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, str):
        return part.encode()
    return json.dumps(part).encode()
