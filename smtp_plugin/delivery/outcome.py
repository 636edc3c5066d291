"""The outcome of a message, now or later: the one kind of answer that a backend gives.

What we want: a message that waits for its outcome costs neither a task nor a turn of the event loop. What does not
work: an asyncio.Future, which calls its listeners in a later turn. What we do: a `Pending` calls them when it is
settled. Where a coroutine works the outcome out, `Running` gives it a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, NamedTuple, TypeVar

from ...container.protocols import Logger
from ..protocol import replies
from ..protocol.replies import Reply

T = TypeVar("T")


class Outcome(NamedTuple):
    """The outcome of a message.

    `replies`: to the client: one, or in LMTP one for each recipient. `close`: a last reply, after which the session
    ends; None to go on. `reason`: why, where the worker did not decide it in so many words; else empty.
    """

    replies: tuple[Reply, ...]
    close: Reply | None = None
    reason: str = ""

    @property
    def reply(self) -> Reply:
        """The first reply, which stands for the message in the log and in the history."""
        return self.replies[0]


ACCEPTED: Final = Outcome((replies.ACCEPTED,))
FAILED: Final = Outcome((replies.TEMPORARY_FAILURE,))
STOPPED: Final = Outcome((replies.STOPPING,), reason="the host ended")


class Pending(Generic[T]):
    """A result to come. `result`: None until it is settled."""

    __slots__ = ("_listeners", "result")

    def __init__(self) -> None:
        self.result: T | None = None
        self._listeners: list[Callable[[T], None]] = []

    @classmethod
    def settled(cls, result: T) -> Pending[T]:
        """Return one that has its result. It may be shared."""
        pending = cls()
        pending.result = result
        return pending

    def settle(self, result: T) -> None:
        """Set the result, once, and call the listeners, in the order in which they came."""
        assert self.result is None, "it has its result"
        self.result = result
        for listener in self._listeners:
            listener(result)
        self._listeners.clear()

    def then(self, listener: Callable[[T], None]) -> None:
        """Call `listener` with the result: at once, or as soon as it is settled. It must not raise."""
        if self.result is None:
            self._listeners.append(listener)
        else:
            listener(self.result)

    def cancel(self) -> bool:
        """Stop the work on the result; return whether there is work to stop. It is then settled soon."""
        return False

    async def wait(self) -> T:
        """Return the result. A caller that is cancelled cancels the work, and waits for its end."""
        try:
            return await self._settled()
        except asyncio.CancelledError:
            if self.cancel():
                await self._settled()
            raise

    async def _settled(self) -> T:
        if self.result is None:
            settled = asyncio.Event()
            self.then(lambda _: settled.set())
            await settled.wait()
        assert self.result is not None
        return self.result


class Running(Pending[Outcome]):
    """The outcome that a coroutine returns, worked out in a task.

    It is FAILED, with a line in the log, when the coroutine raises; STOPPED when it is cancelled. `uuid`: of the
    session, for the log.
    """

    __slots__ = ("_log", "_task", "_uuid")

    def __init__(self, work: Coroutine[Any, Any, Outcome], log: Logger, uuid: str) -> None:
        super().__init__()
        self._log = log
        self._uuid = uuid
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._end)

    def cancel(self) -> bool:
        """Cancel the coroutine; return whether it was running."""
        return self._task.cancel()

    def _end(self, task: asyncio.Task[Outcome]) -> None:
        try:
            outcome = task.result()
        except asyncio.CancelledError:
            outcome = STOPPED
        except Exception:
            self._log.exception("delivery failed", uuid=self._uuid)
            outcome = FAILED
        self.settle(outcome)
