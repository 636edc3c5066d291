"""Where a session can be, what can happen in it, and the order of commands: a table. Pure data.

The table is what the dialog runs on and what the documentation's diagram is drawn from.
"""

from __future__ import annotations

import enum
from typing import Any, Final

from ..protocol import replies
from .replies import Reply


class Phase(enum.Enum):
    """Where a session is in its mail transaction.

    `verbs`: what each verb does here, compiled from SEQUENCE by `verbs`. It is kept on the member, because looking a
    member up in a dictionary costs a call of Enum's hash for every command.
    """

    verbs: dict[bytes, tuple[Any, Phase]]

    CONNECTED = "connected"  # nothing but the greeting was said
    READY = "ready"  # HELO or EHLO was said
    SENDER = "sender"  # MAIL was accepted
    RECIPIENTS = "recipients"  # at least one RCPT was accepted
    DATA = "data"  # behind 354
    CHUNKS = "chunks"  # between the first and the last BDAT
    FAILED = "failed"  # a BDAT was refused, RSET is due (RFC 3030 section 2)
    CLOSED = "closed"  # the last reply was given


class Event(enum.Enum):
    """What the caller must do next."""

    DELIVER = "deliver"
    """`envelope` holds a whole message: call `answer` with what became of it."""
    START_TLS = "start_tls"
    """Send the output, shake hands, then call `tls_started`."""
    DELEGATE = "delegate"
    """`delegated` holds (verb, argument) of a command that is the caller's: handle it, then call `settle`."""


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
        "AUTH": replies.EHLO_FIRST,
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
"""For each phase: the phase that an accepted verb leads to, or the reply that refuses it. The last BDAT and the end of
data lead back to READY. A verb that is not named (NOOP, VRFY, EXPN, HELP, RSET) is welcome and changes nothing."""
