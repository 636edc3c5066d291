"""The phases of a session, the events in it, and the order of commands as a table. Pure data.

The dialog runs on this table, and the documentation draws its diagram from it.
"""

from __future__ import annotations

import enum
from typing import Final

from . import replies
from .replies import Reply


class Phase(enum.StrEnum):
    """Where a session is in its mail transaction.

    The members are strings because each command looks a phase up in a dictionary: a string hashes in C, a plain member
    of an Enum in Python.
    """

    CONNECTED = "connected"  # the server has sent its greeting
    READY = "ready"  # the client has sent HELO or EHLO
    SENDER = "sender"  # MAIL was accepted
    RECIPIENTS = "recipients"  # at least one RCPT was accepted
    DATA = "data"  # after 354
    CHUNKS = "chunks"  # between the first and the last BDAT
    FAILED = "failed"  # a BDAT was refused, RSET is due (RFC 3030 section 2)
    CLOSED = "closed"  # the server has sent its last reply


class Event(enum.Enum):
    """The next step of the caller."""

    DELIVER = "deliver"
    """`envelope` holds a whole message: call `answer` with its replies."""
    START_TLS = "start_tls"
    """Send the output, shake hands, then call `tls_started`."""
    DELEGATE = "delegate"
    """`delegated` holds (verb, argument) of the caller's own command: handle it, then call `command_handled`."""
    YIELD = "yield"
    """The input has had its share of work: let other connections have theirs, then call `go_on`."""
    FAIL = "fail"
    """A rule spoils a reply: send the output, then what `take_effect` returns as it says; then call `go_on`."""


_ANYWHERE: Final[dict[str, Phase]] = {
    "HELO": Phase.READY,
    "EHLO": Phase.READY,
    "LHLO": Phase.READY,
    "QUIT": Phase.CLOSED,
}
_FAILED = replies.TRANSACTION_FAILED

SEQUENCE: Final[dict[Phase, dict[str, Phase | Reply]]] = {
    Phase.CONNECTED: {
        **_ANYWHERE,
        "STARTTLS": Phase.CONNECTED,
        "MAIL": replies.HELO_FIRST,
        "RCPT": replies.HELO_FIRST,
        "DATA": replies.HELO_FIRST,
        "BDAT": replies.HELO_FIRST,
        "AUTH": replies.HELO_FIRST,
    },
    Phase.READY: {
        **_ANYWHERE,
        "STARTTLS": Phase.CONNECTED,
        "AUTH": Phase.READY,
        "MAIL": Phase.SENDER,
        "RCPT": replies.NEED_MAIL,
        "DATA": replies.NEED_MAIL,
        "BDAT": replies.NEED_MAIL,
    },
    Phase.SENDER: {
        **_ANYWHERE,
        "RSET": Phase.READY,
        "STARTTLS": replies.TLS_IN_TRANSACTION,
        "AUTH": replies.AUTH_IN_TRANSACTION,
        "MAIL": replies.NESTED_MAIL,
        "RCPT": Phase.RECIPIENTS,
        "DATA": replies.NEED_RCPT,
        "BDAT": replies.NEED_RCPT,
    },
    Phase.RECIPIENTS: {
        **_ANYWHERE,
        "RSET": Phase.READY,
        "STARTTLS": replies.TLS_IN_TRANSACTION,
        "AUTH": replies.AUTH_IN_TRANSACTION,
        "MAIL": replies.NESTED_MAIL,
        "RCPT": Phase.RECIPIENTS,
        "DATA": Phase.DATA,
        "BDAT": Phase.CHUNKS,
    },
    Phase.CHUNKS: {
        **_ANYWHERE,
        "RSET": Phase.READY,
        "STARTTLS": replies.TLS_IN_TRANSACTION,
        "AUTH": replies.AUTH_IN_TRANSACTION,
        "MAIL": replies.NESTED_MAIL,
        "RCPT": replies.CHUNKS_STARTED,
        "DATA": replies.MIXED_BODY,
        "BDAT": Phase.CHUNKS,
    },
    Phase.FAILED: {
        **_ANYWHERE,
        "RSET": Phase.READY,
        "STARTTLS": replies.TLS_IN_TRANSACTION,
        "AUTH": replies.AUTH_IN_TRANSACTION,
        "MAIL": _FAILED,
        "RCPT": _FAILED,
        "DATA": _FAILED,
        "BDAT": _FAILED,
    },
    Phase.DATA: {"end of data": Phase.READY},
    Phase.CLOSED: {},
}
"""For each phase: the phase that an accepted verb leads to, or the reply that refuses the verb.

The last BDAT and the end of data lead back to READY. A row leaves out the verbs that change no phase (NOOP, VRFY, EXPN,
HELP, RSET): the dialog accepts them.
"""
