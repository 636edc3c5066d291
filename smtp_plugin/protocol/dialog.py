"""The SMTP dialog: a synchronous state machine without I/O. It takes bytes, and gives replies and events.

The caller (`server.Connection`, or a test) does this:

- Call `greet()` once, when the connection is ready for it.
- Call `receive(data)` with the bytes that arrive.
- After each call: while `event` is not None, take it with `next_event()` and handle it. Then send `take_output()`. If
  `closing` is set, close once that is sent.

One call handles a bounded number of commands, because a client can send thousands in one piece: after them the event is
`YIELD`. Commands without a message count against the session, which ends at `MAX_IDLE_COMMANDS` of them.

Until the caller has answered an event, arriving bytes wait in the dialog (`waiting_bytes` counts them). This keeps
their order; the caller pauses reading when they are many.

The order of commands is a table (`SEQUENCE` in phases.py): for each phase, the phase that each verb leads to, or the
reply that refuses it. `VERBS` in verbs.py adds the functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from . import replies
from .auth import MAX_AUTH
from .body import Body
from .conversation import HTTP_METHODS, Conversation, Reader, Trace
from .failures import Effect, Stage
from .phases import Event, Phase
from .protocols import SessionState
from .refusal import Report, masked
from .replies import Reply
from .rules import Rules
from .verbs import VERBS, without

MAX_COMMAND: Final = 512
"""Longest command line in bytes, CR LF included: RFC 5321 section 4.5.3.1.4."""
MAX_TRANSACTION_COMMAND: Final = 2048
"""The same for MAIL and RCPT, whose extensions (RFC 1870, 3461, 4954, 6531) each ask for more.

MAX_AUTH, the longest of them all, bounds every line.
"""

SHARE: Final = 64
"""Steps of one call: commands, and pieces of messages. It is more than ten messages that a client pipelines."""
TRACED_SHARE: Final = 16
"""The same where each command is traced, which costs several times as much as most commands."""
LONG_COMMAND: Final = 128
"""Bytes of a command above which it counts as more steps than one: as one more for each `BYTES_OF_STEP`."""
BYTES_OF_STEP: Final = 64
MAX_IDLE_COMMANDS: Final = 5000
"""Commands since the last message at which the session ends; a client that probes a kept connection sends few."""

_LONGER: Final = {b"MAIL": MAX_TRANSACTION_COMMAND, b"RCPT": MAX_TRANSACTION_COMMAND, b"AUTH": MAX_AUTH}
_BLANKS: Final = b" \t"
_BLANK: Final = re.compile(rb"[ \t]")
_CR: Final = 13
_TLS_RECORD: Final = b"\x16"  # the first byte of a TLS ClientHello


class Dialog(Conversation):
    """One connection's side of the conversation.

    `trace`: called with each command line, credentials masked, controls unescaped; None switches it off. `report`:
    called with each refusal, except the reply that `answer` is given; None switches it off.
    """

    __slots__ = ("_held", "_share", "_usual", "_yielded")

    def __init__(
        self, rules: Rules, session: SessionState, trace: Trace | None = None, report: Report | None = None
    ) -> None:
        Conversation.__init__(self, rules, session, trace, report)  # a third of the time of super()
        self.reader = Dialog._read_command
        self._left = self._share = SHARE if trace is None else TRACED_SHARE
        self.use(rules)
        self._yielded: Reader | None = None
        self._held: Event | None = None

    def use(self, rules: Rules) -> None:
        """Follow other rules from the next command on."""
        self.rules = rules
        self._usual = without(rules.unusual)

    # For the caller: bytes, replies, events.

    def greet(self) -> None:
        """Send the greeting."""
        if self.rules.failures.rules and self.fails(Stage.CONNECT):
            self.close(None)
        else:
            self.out.append(self.rules.greeting)
        if self.effect is not None:
            self._pause()

    def receive(self, data: bytes) -> None:
        """Take bytes as they arrived, cut anywhere, and handle the complete commands, as many as the share allows."""
        if self.data:
            data = self.data[self.position :] + data
        self.data = data
        self.position = 0
        self._left = self._share
        self._run()

    def go_on(self) -> None:
        """Handle more of the input after `Event.YIELD` or `Event.FAIL`."""
        if not self.closing:
            self.reader, self._yielded = self._yielded, None
            self.event, self._held = self._held, None
            self._left = self._share
            self._run()

    def take_output(self) -> bytes:
        """Return the replies to send now, and forget them."""
        out, self.out = self.out, []
        return b"".join(out)  # no copy of a single one

    def take_effect(self) -> tuple[Effect, bytes]:
        """Return the effect of a rule on a reply, and this reply, after `Event.FAIL`. `out` has those before it."""
        effect, self.effect = self.effect, None
        assert effect is not None
        spoiled = b"".join(self.out[self._mark :])
        del self.out[self._mark :]
        return effect, spoiled

    def next_event(self) -> Event | None:
        """Return the caller's next step, and forget it."""
        event, self.event = self.event, None
        return event

    def take_body(self) -> Body | None:
        """Return the body that charges the budget for the message to deliver; the caller releases it in the end."""
        body, self.envelope.body = self.envelope.body, None
        return body

    def answer(self, reply: Reply, *more: Reply, close: Reply | None = None) -> None:
        """Answer a delivered message: with one reply, or in LMTP with one for each recipient (one stands for all).

        `close`: a last reply after these; it ends the session.
        """
        if self.closing:
            return
        if self.rules.lmtp and not more:
            more = (reply,) * (len(self.envelope.rcpt_tos) - 1)
        if self._late is not None:
            self.spoil(self._late)
        ends = close is not None
        for each in (reply, *more):
            self.send(each)
            ends = ends or each.code == 421  # which is itself a last reply (RFC 5321 section 3.8)
        if not reply.refused:
            self._errors = 0
        self.idle_commands = 0
        self.end_transaction()
        if ends:
            self.close(close)
        self._resume()

    def tls_started(self) -> None:
        """Go on after the TLS handshake; forget the client's words before it (RFC 3207 section 4.2)."""
        self.session.forget()
        self.tls = True
        self.drop_input()  # clear text must not count inside TLS (RFC 3207 section 6)
        self.use(self.rules.inside_tls())
        self.reset(Phase.CONNECTED)
        self._resume()

    def drain(self) -> None:
        """End the session without cutting a message: now if none is under way, else after its last reply."""
        if self.busy:
            self._draining = True
        else:
            self.close(replies.STOPPING)

    # For the caller: delegated commands.

    def run(self, verb: str, argument: bytes) -> bool:
        """Run one of the dialog's own verbs for a delegated command; return whether it was accepted."""
        handler, then = VERBS[self.phase][verb.encode()]
        accepted = handler(self, argument)
        if accepted:
            self.phase = then
        return accepted

    def expect_line(self, receive: Callable[[bytes | None], None]) -> None:
        """Call `receive` with the client's next line, for a delegated command that asks the client something.

        A line above MAX_AUTH bytes ends the session: `receive` gets None.
        """

        def read(dialog: Dialog) -> bool:
            line = dialog.read_line(MAX_AUTH)
            if line is None and dialog.waiting_bytes:
                return False
            dialog.reader = None
            if line is None:
                dialog.close(replies.LINE_TOO_LONG)
            receive(line)
            return False

        self.reader = read
        self._left = self._share
        self._run()

    def command_handled(self) -> None:
        """Go on after a delegated command; derive the phase from the session and the envelope that it left."""
        if self.closing or self.reader is not None or self.event is not None:
            return  # it has ended the session, begun a message, or asked for TLS
        envelope = self.envelope
        phase = self.phase
        if phase is Phase.CHUNKS or phase is Phase.FAILED:
            pass  # only RSET and a hello lead out of these, and they have
        elif envelope.rcpt_tos:
            phase = Phase.RECIPIENTS
        elif envelope.mail_from is not None:
            phase = Phase.SENDER
        else:
            phase = Phase.READY if self.session.host_name else Phase.CONNECTED
        self.phase = phase
        self._resume()

    # For the caller: the state.

    @property
    def waiting_bytes(self) -> int:
        """The number of received bytes that are not handled yet."""
        return len(self.data) - self.position

    @property
    def busy(self) -> bool:
        """Whether a message is under way that should not be cut: between 354, or the first BDAT, and its last reply."""
        return self.phase is Phase.DATA or self.phase is Phase.CHUNKS

    @property
    def body_bytes(self) -> int | None:
        """The number of bytes of the incoming body that have arrived, kept or not; None without one."""
        return self.incoming.size if self.incoming is not None else None

    @property
    def state(self) -> str:
        """One word for people: the phase, or `auth` during an AUTH exchange."""
        return "auth" if self.exchange is not None else self.phase.value

    # The reading loop.

    def expect_command(self) -> None:
        """Read commands from here on."""
        self.reader = Dialog._read_command
        self.incoming = None

    def _run(self) -> None:
        if self.idle_commands > MAX_IDLE_COMMANDS and self.incoming is None:
            self.close(replies.TOO_MANY_COMMANDS)
        while self.position < len(self.data):
            reader = self.reader
            if reader is None:
                if self.closing:
                    self.drop_input()
                return
            left = self._left
            if left <= 0:
                self._pause()
                return
            self._left = left - 1
            if not reader(self) and self.position < len(self.data):
                return
        self.data = b""
        self.position = 0
        if self.effect is not None:
            self._pause()

    def _pause(self) -> None:
        """Read no more until `go_on`: the share is used up, or a rule spoils a reply."""
        self._yielded, self._held = self.reader, self.event
        self.wait_for(Event.YIELD if self.effect is None else Event.FAIL)

    def _resume(self) -> None:
        if not self.closing:
            self.expect_command()
            self._run()
        elif self.effect is not None:
            self._pause()

    def _read_command(self) -> bool:
        data, start = self.data, self.position
        end = data.find(b"\n", start)
        if end > start and data[end - 1] == _CR:  # nearly every line: whole, with its CR LF
            self.position = end + 1
            self.line_feeds = False
            line = data[start : end - 1]
        elif data.startswith(_TLS_RECORD, start):
            return self._refuse_tls()
        else:
            found = self.read_line(MAX_AUTH)
            if found is None:
                return False
            line = found
        self.idle_commands += 1
        word, _, argument = line.partition(b" ")
        verb = word.upper()
        entry = self._usual[self.phase].get(verb)
        if entry is None or len(line) > LONG_COMMAND:
            return self._read_unusual(line)
        self.line = line
        if self.trace is not None:
            self.trace(masked(line))
        handler, then = entry
        if handler(self, argument.strip(_BLANKS)):
            self.phase = then
        return True

    def _refuse_tls(self) -> bool:
        self.line = b""
        return self.refuse_protocol(replies.TLS_ON_PLAIN_PORT)

    def _read_unusual(self, line: bytes) -> bool:
        """Handle a line that is not one of our verbs in its usual length, or whose verb is one of `Rules.unusual`."""
        if line.startswith(_TLS_RECORD):
            return self._refuse_tls()
        self._left -= len(line) // BYTES_OF_STEP
        line = line.rstrip(_BLANKS)
        word, *rest = _BLANK.split(line, 1)
        verb, argument = word.upper(), rest[0] if rest else b""
        entry = VERBS[self.phase].get(verb)
        self.note_line(line, known=entry is not None)
        if self.trace is not None:
            self.trace(masked(self.line))
        if verb in HTTP_METHODS:
            return self.refuse_protocol(replies.NOT_SMTP)
        if len(line) > _LONGER.get(verb, MAX_COMMAND) - 2:
            self.refuse(replies.AUTH_TOO_LONG if verb == b"AUTH" else replies.LINE_TOO_LONG)
        elif verb in self.rules.delegated:
            self.delegated = (verb.decode("ascii"), argument.strip().decode("utf-8", "surrogateescape"))
            return self.wait_for(Event.DELEGATE)
        elif entry is not None:
            handler, then = entry
            if handler(self, argument.strip(_BLANKS)):
                self.phase = then
        else:
            self.refuse(replies.UNKNOWN_COMMAND if line and line.isascii() else replies.BAD_SYNTAX)
        return True
