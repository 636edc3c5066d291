"""The states of a connection, as a table. Pure.

The dialog has its own table, for the order of commands (protocol/phases.py). This one is about I/O: what the connection
waits for, and which sides of the socket are open.
"""

from __future__ import annotations

import enum
from typing import Final

from ...container.states import Table


class State(enum.Enum):
    """What a connection does now."""

    PROXY = "proxy"
    """The PROXY header is still to come."""
    PROXY_ENDED = "proxy_ended"
    """The same, and the client has shut its sending side."""
    READING = "reading"
    """Commands and messages are read and answered."""
    WAITING = "waiting"
    """A delivery runs, or a handler's command. Input is kept and not handled."""
    WAITING_ENDED = "waiting_ended"
    """The same, and the client has shut its sending side."""
    ENDED = "ended"
    """The client has shut its sending side, and nothing runs: the connection closes when the input is handled."""
    HANDSHAKE = "handshake"
    """The TLS handshake after STARTTLS runs; the transport belongs to the TLS layer."""
    LINGERING = "lingering"
    """The server has sent its last reply. Input is read and dropped."""
    CLOSED = "closed"
    """The transport is gone. A delivery may still run."""

    __hash__ = object.__hash__  # a lookup by an Enum's own hash costs a call of Python for every message


CONNECTION: Final[Table[State]] = {
    State.PROXY: {
        "done": State.READING,
        "client ended": State.PROXY_ENDED,
        "close": State.LINGERING,
        "lost": State.CLOSED,
    },
    State.PROXY_ENDED: {
        "done": State.ENDED,
        "client ended": State.PROXY_ENDED,
        "close": State.LINGERING,
        "lost": State.CLOSED,
    },
    State.READING: {
        "wait": State.WAITING,
        "shake hands": State.HANDSHAKE,
        "client ended": State.ENDED,
        "close": State.LINGERING,
        "lost": State.CLOSED,
    },
    State.WAITING: {
        "done": State.READING,
        "client ended": State.WAITING_ENDED,
        "close": State.LINGERING,
        "lost": State.CLOSED,
    },
    State.WAITING_ENDED: {
        "done": State.ENDED,
        "client ended": State.WAITING_ENDED,
        "close": State.LINGERING,
        "lost": State.CLOSED,
    },
    State.ENDED: {
        "wait": State.WAITING_ENDED,
        "shake hands": State.HANDSHAKE,
        "client ended": State.ENDED,
        "close": State.LINGERING,
        "lost": State.CLOSED,
    },
    State.HANDSHAKE: {"done": State.READING, "client ended": State.HANDSHAKE, "lost": State.CLOSED},
    State.LINGERING: {"done": State.LINGERING, "client ended": State.LINGERING, "lost": State.CLOSED},
    State.CLOSED: {"done": State.CLOSED, "client ended": State.CLOSED},
}
"""For each state, where an event leads. `done`: what the connection waited for is there, perhaps after its end.

uvloop reports `client ended` again whenever reading is resumed.
"""

# Python 3.11 looks a member of an Enum up with a call of Python. These cost every command and message less.
PROXY: Final = State.PROXY
READING: Final = State.READING
ENDED: Final = State.ENDED
HANDSHAKE: Final = State.HANDSHAKE
LINGERING: Final = State.LINGERING
HANDLING: Final = (State.READING, State.ENDED)
"""The states in which input is handled."""
EXPECTING_HEADER: Final = (State.PROXY, State.PROXY_ENDED)
"""The states in which input is the PROXY header."""
CLIENT_ENDED: Final = (State.ENDED, State.WAITING_ENDED, State.PROXY_ENDED)
"""The states in which the client has shut its sending side."""
OVER: Final = (State.LINGERING, State.CLOSED)
"""The states in which no reply follows."""
