"""When a client is too slow: it does not read its replies, or its message stalls or crawls. Pure: time is an argument.

All times are the event loop's, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ..protocol import replies
from ..protocol.body import Body, Skipped
from ..protocol.dialog import Dialog
from ..protocol.replies import Reply

OPENING_TIMEOUT: Final = 60.0
"""Seconds for a PROXY header, and for a TLS handshake: no person and no other server is waited for in them."""
IDLE_WHEN_FULL: Final = 60.0
"""Seconds after which a session without a message makes room for others, while the listener is crowded."""
CROWDED: Final = 0.9
"""The share of `max_connections` above which a listener is crowded."""
LINGER: Final = 2.0
"""Seconds for which a connection that the server ends is still read from."""
LINGER_AT_STOP: Final = 0.4
"""The same while the host stops, which waits for no client that does not read."""


@dataclass(frozen=True)
class Timeouts:
    """How long a client may take, in seconds, and how slow its message may be.

    `read`: for a command, after the last reply. `write`: for a client that does not read its replies. `data`: for a
    pause inside a message. `rate`: bytes a second of a message, after a grace of `data`; 0 for no limit. `opening`: for
    a PROXY header, and for a TLS handshake. `linger`: between the last reply and the close by the server; where the
    client still has to read replies, `write` more.
    """

    read: float = 300.0
    write: float = 10.0
    data: float = 180.0
    rate: float = 50.0
    opening: float = OPENING_TIMEOUT
    linger: float = LINGER

    @property
    def shortest(self) -> float:
        """The shortest of the times."""
        return min(self.read, self.write, self.data, self.opening, self.linger)

    def at_stop(self) -> Timeouts:
        """Return the same with little time for clients that do not read."""
        return replace(self, write=min(self.write, LINGER_AT_STOP), linger=LINGER_AT_STOP)


DEFAULT_TIMEOUTS: Final = Timeouts()


class Progress:
    """What a client has got done, as each sweep over the connections finds it."""

    __slots__ = ("_counted", "_left", "_looked", "_message", "_read")

    def __init__(self) -> None:
        self._read = (0.0, -1)  # since when the client has read no more than so many bytes
        # The message under way; at the last look the time, its bytes, and the seconds that it had left.
        self._message: Body | Skipped | None = None
        self._looked = self._left = 0.0
        self._counted = 0

    def is_stuck(self, now: float, sent: int, unread: int, timeout: float) -> bool:
        """Return whether the client has read none of its replies for `timeout`.

        `sent`: bytes sent in all; `unread`: those of them that the transport still holds.
        """
        read = sent - unread
        if not unread or read > self._read[1]:
            self._read = (now, read)
            return False
        return now - self._read[0] >= timeout

    def refusal(self, now: float, dialog: Dialog, since: float, touched: float, timeouts: Timeouts) -> Reply | None:
        """Return the refusal of a client that owes a command or the rest of a message, None while there is time.

        `since`: when the last reply was sent; `touched`: when the last bytes arrived.
        """
        if dialog.incoming is not None:
            return self._message_refusal(now, dialog.incoming, max(since, touched), timeouts)
        if dialog.body is not None:  # between two chunks: the begin of a command does not count
            return self._message_refusal(now, dialog.body, since, timeouts)
        key, longest = ("data_timeout", timeouts.data) if dialog.busy else ("read_timeout", timeouts.read)
        return replies.timeout(key, longest) if now - since >= longest else None

    def _message_refusal(self, now: float, message: Body | Skipped, moved: float, timeouts: Timeouts) -> Reply | None:
        """Return the refusal of a message that has stalled, or that is slower than the least rate.

        `moved`: when the message last made progress: by its bytes, or by a reply.

        A message begins with `data` seconds. Time takes from them, and each `rate` bytes give one back, up to `data`.
        They count from the first look at a message on, because BDAT has no reply that shows when it began. The chunks
        of BDAT are one message: many small ones, each with its reply, are as slow as their bytes. A client that has
        gone silent is always found stalled before it is found slow.
        """
        grace, rate, size = timeouts.data, timeouts.rate, message.size
        if now - moved >= grace:
            return replies.timeout("data_timeout", grace)
        if self._message is not message:
            self._message, self._left = message, grace
        elif rate:
            earned = (size - self._counted) / rate
            self._left = min(grace, self._left - (now - self._looked) + earned)
        self._looked, self._counted = now, size
        return replies.too_slow(rate) if self._left < 0 else None
