"""The state of an SMTP session, and the operations that a verb may use on it. Pure, no I/O.

`Dialog` adds the reading loop, the verbs' table, and the methods for the connection.

A reader is a function that handles one piece of the input. It returns whether the loop may read on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from . import replies
from .body import Body, Skipped
from .failing import Failing
from .failures import Effect
from .phases import Event, Phase
from .protocols import EnvelopeState, SessionState
from .refusal import MAX_COMMAND_SHOWN, MAX_RECIPIENTS_SHOWN, Refusal, Report, masked
from .replies import Reply
from .rules import Rules
from .sasl import Exchange

HTTP_METHODS: Final = frozenset(
    (b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE")
)
"""First words of a line that a web browser sends."""

MAX_OVERSHOOT: Final = 1000
"""Recipients over the limit in one transaction after which each more counts as an error; senders try large lists."""

Reader = Callable[[Any], bool]
"""Takes the conversation."""
Trace = Callable[[str], None]


class Conversation(Failing):
    """The state of one connection.

    `session`, `envelope`: a caller may read them and, for a delegated command, change them. `phase`: where the
    transaction is. `event`: the next step of the caller, None without one. `closing`: the dialog reads nothing more;
    close when the output is sent. `quit`: the client ended the session, so it sends nothing more.

    `data`, `position`: the input, and where its unread part begins. `reader`: reads the input; None while the
    dialog waits for the caller, and after the end. `incoming`: the body or the refused chunk that `reader` reads.
    `body`: the message under way, also between two chunks. `line_feeds`: every line so far has ended in a bare LF.
    `exchange`: the AUTH exchange under way. `idle_commands`: commands since the last message, recipients and large
    chunks aside. `line`: the last command, for reports. `auth_seen`: the client has sent AUTH. `out`: replies to send.
    """

    __slots__ = (
        "_draining",
        "_enhanced",
        "_errors",
        "_line_refusal",
        "_overshoot",
        "auth_seen",
        "body",
        "closing",
        "data",
        "delegated",
        "envelope",
        "event",
        "exchange",
        "idle_commands",
        "incoming",
        "line",
        "line_feeds",
        "out",
        "phase",
        "position",
        "quit",
        "reader",
        "report",
        "rules",
        "session",
        "tls",
        "trace",
    )

    def __init__(
        self, rules: Rules, session: SessionState, trace: Trace | None = None, report: Report | None = None
    ) -> None:
        self.rules = rules
        self.session = session
        self.trace = trace
        self.report = report
        self.envelope: EnvelopeState = self.session.new_envelope()
        self.phase = Phase.CONNECTED
        self.tls = False
        self.event: Event | None = None
        self.delegated: tuple[str, str] | None = None
        self.closing = False
        self.quit = False
        self.data = b""
        self.position = 0
        self.reader: Reader | None = None
        self.incoming: Body | Skipped | None = None
        self.body: Body | None = None
        self.exchange: Exchange | None = None
        self.idle_commands = 0
        self.line_feeds = True
        self.line = b""
        self.auth_seen = False
        self.out: list[bytes] = []
        self._errors = 0
        self._overshoot = 0  # recipients of the transaction over the limit
        self.effect: Effect | None = None
        self._late: Effect | None = None
        self._left = 0
        self._draining = False
        self._line_refusal = replies.LINE_TOO_LONG
        self._enhanced = rules.enhanced

    # Replies.

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.out.append(data)

    def reply(self, reply: Reply, *, last: bool = False) -> None:
        """Send a reply. Count and report it where it refuses. `last`: the session ends with it."""
        self.out.append(reply.extended if self._enhanced else reply.plain)
        if reply.code >= 400:
            self._count(reply)
            self._report(reply, last)

    def send(self, reply: Reply) -> None:
        """Send a reply, as `reply` does, and leave the report to the caller."""
        self.out.append(reply.extended if self._enhanced else reply.plain)
        if reply.code >= 400:
            self._count(reply)

    def _count(self, reply: Reply) -> None:
        if self.rules.tally is not None:
            self.rules.tally.refused(reply)

    def _report(self, reply: Reply, last: bool) -> None:
        if self.report is None:
            return
        envelope = self.envelope
        self.report(
            Refusal(
                command=masked(self.line[:MAX_COMMAND_SHOWN]),
                code=reply.code,
                reply=reply.wire_text,
                setting=reply.setting,
                last=last,
                sender=envelope.mail_from or "",
                recipients=envelope.rcpt_tos[:MAX_RECIPIENTS_SHOWN],
                recipient_count=len(envelope.rcpt_tos),
            )
        )

    def refuse(self, reply: Reply) -> bool:
        """Refuse a command, and close the session at `max_errors`. Return False, for a verb to return."""
        self.reply(reply)
        if reply.refused:
            self._count_error()
        return False

    def refuse_recipient(self) -> bool:
        """Refuse a recipient over the limit, and count it as an error after `MAX_OVERSHOOT` of them. Return False."""
        self.reply(replies.too_many_recipients(self.rules.max_recipients))
        self._overshoot += 1
        if self._overshoot > MAX_OVERSHOOT:
            self._count_error()
        return False

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self.rules.max_errors > 0:
            self.close(replies.too_many_errors(self.rules.max_errors))

    # The transaction.

    def reset(self, phase: Phase) -> None:
        """Drop the transaction and enter `phase`."""
        if self.body is not None:
            self.body.release()
            self.body = None
        if self.envelope.body is not None:
            self.envelope.body.release()
        if self.envelope.mail_from is not None or self.rules.delegated:  # a handler may have changed it before MAIL
            self.envelope = self.session.new_envelope()
        self.phase = phase
        self._overshoot = 0
        self._late = None

    def end_transaction(self) -> None:
        """Drop the transaction; close the session if `drain` waits for that."""
        self.reset(Phase.READY if self.session.host_name else Phase.CONNECTED)
        if self._draining:
            self.close(replies.STOPPING)

    def refuse_message(self, reply: Reply) -> None:
        """Refuse a message after its end, in LMTP for every recipient."""
        for _ in self.envelope.rcpt_tos if self.rules.lmtp else (None,):
            self.send(reply)
        self._report(reply, last=False)
        if self.rules.tally is not None:
            self.rules.tally.ended(reply)
        self.end_transaction()

    def finish(self, body: Body) -> bool:
        """Ask the caller to deliver a complete message, or refuse the message for its size."""
        if not body.kept:
            limit = body.budget.limit
            self.refuse_message(replies.too_big(body.limit) if body.too_big else replies.out_of_storage(limit))
            return True
        if self.rules.failures.rules and self.fails_at_end(body.content()):
            return True
        envelope = self.envelope
        envelope.content = envelope.original_content = body.content()
        envelope.body = body
        self.body = None
        return self.wait_for(Event.DELIVER)

    # The session.

    def wait_for(self, event: Event) -> bool:
        """Leave the input unread until the caller has handled `event`. Return False, for a reader to return."""
        self.event = event
        self.reader = None
        return False

    def close(self, reply: Reply | None) -> None:
        """Send a last reply, if any, and end the session; drop a message under way."""
        if self.closing:
            return
        if reply is not None:
            self.reply(reply, last=True)
        self.closing = True
        self.reset(Phase.CLOSED)
        self.exchange = None
        self.reader = None
        self.incoming = None
        self.drop_input()

    # The input.

    def note_line(self, line: bytes, *, known: bool) -> None:
        """Keep a command line for reports. `known`: it begins with a verb.

        After a refused AUTH a client may go on with its secrets: such a line is masked.
        """
        self.line = b"***" if self.auth_seen and not known else line
        if line[:4].upper() == b"AUTH":
            self.auth_seen = True

    def expect_command(self) -> None:
        """Read commands from here on."""
        raise NotImplementedError

    def drop_input(self) -> None:
        """Forget the bytes that have arrived and are not read."""
        self.data = b""
        self.position = 0

    def read_line(self, limit: int) -> bytes | None:
        """Return the next line without its end, or None.

        None stands for an incomplete line, which stays unread, and for one above `limit` bytes: that one is read to its
        end and refused.
        """
        data = self.data
        start = self.position
        end = data.find(b"\n", start)
        if end >= 0:
            self.position = end + 1
            if end > start and data[end - 1] == 13:
                self.line_feeds = False
                return data[start : end - 1]
            return data[start:end]
        if len(data) - start > limit:
            self.position = len(data)
            self.line_feeds = False  # how this line ends is not looked at
            word = data[start : start + 10].partition(b" ")[0].upper()
            if self.exchange is None:
                self.note_line(data[start : start + MAX_COMMAND_SHOWN], known=False)
            if word in HTTP_METHODS:
                self.refuse_protocol(replies.NOT_SMTP)
            else:
                asks = self.exchange is not None or word == b"AUTH"
                self._line_refusal = replies.AUTH_TOO_LONG if asks else replies.LINE_TOO_LONG
                self.reader = Conversation._read_rest_of_line
        return None

    def _read_rest_of_line(self) -> bool:
        """Drop a line that is too long, up to its end; then refuse it."""
        end = self.data.find(b"\n", self.position)
        if end < 0:
            self.position = len(self.data)
            return False
        self.position = end + 1
        self.exchange = None
        self.expect_command()
        self.refuse(self._line_refusal)
        return True

    def refuse_protocol(self, reply: Reply) -> bool:
        """Close on a client of another protocol. A web page must not be able to send mail to a local port."""
        self.close(reply)
        return False
