"""When a client is too slow: it does not read its replies, or its message stalls or crawls. Pure: time is an argument.

All times are the event loop's, in seconds.
"""

from __future__ import annotations

from typing import Final

from ..protocol import replies
from ..protocol.replies import Reply

MIN_RATE: Final = 500
"""Bytes a second below which a message is too slow, over a read timeout."""


class Progress:
    """What a client has got done, as each sweep over the connections finds it."""

    __slots__ = ("_body", "_read")

    def __init__(self) -> None:
        self._read = (0.0, -1)  # since when the client has read no more than so many bytes
        # Of the message under way: its begin, the begin of the measure, bytes.
        self._body: tuple[float, float, int] | None = None

    def is_stuck(self, now: float, sent: int, unread: int, timeout: float) -> bool:
        """Return whether the client has read none of its replies for `timeout`.

        `sent`: bytes sent in all; `unread`: those of them that the transport still holds.
        """
        read = sent - unread
        if not unread or read > self._read[1]:
            self._read = (now, read)
            return False
        return now - self._read[0] >= timeout

    def body_refusal(self, now: float, size: int, begun: float, touched: float, timeout: float) -> Reply | None:
        """Return the refusal of a message that has stalled, or that is slower than `MIN_RATE` over `timeout`.

        `size`: its bytes so far. `begun`: when the last reply was sent; `touched`: when the last bytes arrived. The
        rate is measured from the first look at a message on, because BDAT has no reply that shows when it began. A
        client that has gone silent is always found stalled before it is found slow.
        """
        if self._body is None or self._body[0] != begun:
            self._body = (begun, now, size)
        _, start, counted = self._body
        if now - max(touched, begun) >= timeout:
            return replies.TIMEOUT
        if now - start >= timeout:
            if size - counted < MIN_RATE * timeout:
                return replies.TOO_SLOW
            self._body = (begun, now, size)
        return None
