"""A reply that a rule delays, cuts or slows down, on its way to the client: by timers, without a task or a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..protocol.failures import Drop, Effect

TICK: Final = 0.1
"""Seconds between two pieces of a reply that is slowed down; longer where a piece would have no byte."""


class FailingReply:
    """One reply with the effect of a rule. It begins in a later turn of the loop.

    `say`: sends a piece of it. `done`: called once, after the last piece; with true to cut the connection.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        effect: Effect,
        reply: bytes,
        say: Callable[[bytes], None],
        done: Callable[[bool], None],
    ) -> None:
        self._loop = loop
        self._effect = effect
        self._rest = b"" if effect.drop is Drop.BEFORE else reply[: len(reply) // 2] if effect.partial else reply
        self._say = say
        self._done = done
        self._interval = max(TICK, 1 / effect.throttle) if effect.throttle else 0.0
        self._timer = loop.call_later(effect.delay, self._send)

    def hurry(self) -> None:
        """Send what is left, and end, at once: the host stops, and waits for no rule."""
        self._interval = 0.0
        self.cancel()
        self._send()

    def cancel(self) -> None:
        """Send no more, and call nothing."""
        self._timer.cancel()

    def _send(self) -> None:
        size = max(1, int(self._effect.throttle * self._interval)) if self._interval else len(self._rest)
        piece, self._rest = self._rest[:size], self._rest[size:]
        if piece:
            self._say(piece)
        if self._rest:
            self._timer = self._loop.call_later(self._interval, self._send)
        else:
            self._done(self._effect.partial or self._effect.drop is not None)
