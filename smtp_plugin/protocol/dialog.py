"""The SMTP dialog: a synchronous state machine without I/O. Bytes go in, replies and events come out.

The caller (`server.Connection`, or a test) does this:

- `greet()` once, when the connection is ready for it.
- `receive(data)` with whatever arrives. Every complete command in it is handled in one go.
- After each call: while `event` is not None, take it with `next_event()` and do what it says; then send
  `take_output()`; and when `closing` is set, close once that is sent.

While an event is not answered, the bytes that arrive wait in the dialog (`waiting_bytes` says how many), so that
order is kept; the caller pauses reading when they are many.

The order of commands is a table (`SEQUENCE` in phases.py): for each phase, what each verb leads to, or the reply that
refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..protocol import replies, verbs  # noqa: F401 - verbs fills the phases' tables
from ..session import Envelope, Session
from .auth import MAX_AUTH
from .body import Body
from .phases import Event, Phase
from .replies import Reply
from .rules import Rules
from .sasl import MECHANISMS, Exchange
from .transfer import read_chunk, read_data, read_skipped

MAX_COMMAND: Final = 512
"""Longest command line in bytes, CR LF included: RFC 5321 section 4.5.3.1.4."""
MAX_TRANSACTION_COMMAND: Final = 2048
"""The same for MAIL and RCPT, whose extensions (RFC 1870, 3461, 4954, 6531) each ask for more.

No line is read beyond MAX_AUTH, which is the longest of them all.
"""

_LONGER: Final = {b"MAIL": MAX_TRANSACTION_COMMAND, b"RCPT": MAX_TRANSACTION_COMMAND, b"AUTH": MAX_AUTH}
_WEB: Final = frozenset((b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE"))
_BLANKS: Final = b" \t"
_TLS_RECORD: Final = 0x16  # the first byte of a TLS ClientHello


Trace = Callable[[Session, str], None]


class Dialog:
    """One connection's side of the conversation.

    `session` and `envelope` are the connection's state, which a caller may read and, for a delegated command, change.
    `phase`: where the transaction is. `closing`: nothing more is read; close when the output is sent. `quit`: it was
    the client who ended the session, so nothing more is to be expected from it.
    `trace`: called with the session and each command line (credentials masked), None to switch it off.
    """

    __slots__ = (
        "_asked_auth",
        "_draining",
        "_errors",
        "_form",
        "_out",
        "_too_long",
        "after_skipping",
        "body",
        "closing",
        "data",
        "delegated",
        "envelope",
        "event",
        "exchange",
        "phase",
        "position",
        "quit",
        "reader",
        "rules",
        "session",
        "skipped",
        "skipping",
        "tls",
        "trace",
    )

    def __init__(self, rules: Rules, session: Session, trace: Trace | None = None) -> None:
        self.rules = rules
        self.session = session
        self.envelope = Envelope()
        self.trace = trace
        self.event: Event | None = None
        self.delegated: tuple[str, str] | None = None
        self.closing = False
        self.quit = False
        self.tls = False
        self.phase = Phase.CONNECTED
        self.reader: Callable[[Dialog], bool] = Dialog._read_command
        self.data = b""
        self.position = 0
        self._out: list[bytes] = []
        self._errors = 0
        self.skipping = 0
        self.skipped = 0
        self.after_skipping: Callable[[], None] | None = None
        self.body: Body | None = None
        self.exchange: Exchange | None = None
        self._draining = False
        self._asked_auth = False
        self._too_long = replies.LINE_TOO_LONG
        self._form = rules.enhanced

    # What the caller calls.

    def greet(self) -> None:
        """Say the greeting."""
        self._out.append(self.rules.greeting)

    def receive(self, data: bytes) -> None:
        """Take bytes as they arrived, cut anywhere, and handle every command that is complete."""
        if self.position < len(self.data):
            data = self.data[self.position :] + data
        self.data = data
        self.position = 0
        self._run()

    def take_output(self) -> bytes:
        """Return the replies that are to be sent now, and forget them."""
        out = self._out
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def next_event(self) -> Event | None:
        """Return what the caller must do, and forget it."""
        event, self.event = self.event, None
        return event

    def take_body(self) -> Body | None:
        """Return what charges the budget for the delivered message; the caller releases it when it is done with it."""
        body, self.envelope.body = self.envelope.body, None
        return body

    def answer(self, reply: Reply, *more: Reply, close: Reply | None = None) -> None:
        """Answer a delivered message: with one reply, or in LMTP with one for each recipient (one stands for all).

        `close`: a last reply, and the end.
        """
        if self.closing:
            return
        if self.rules.lmtp and not more:
            more = (reply,) * (len(self.envelope.rcpt_tos) - 1)
        for each in (reply, *more):
            self.say(each)
        if not reply.refused:
            self._errors = 0
        self.end_transaction()
        if close is not None or reply.code == 421:  # which says itself that it is the last (RFC 5321 section 3.8)
            self.close(close)
        self._resume()

    def tls_started(self) -> None:
        """Say that the TLS handshake is done: what the client said before it is forgotten (RFC 3207 section 4.2)."""
        session = self.session
        session.host_name = None
        session.extended_smtp = False
        session.authenticated = None
        session.auth_data = None
        session.credentials = None
        self.tls = True
        self.data = b""  # what came in clear is not to be believed inside TLS (RFC 3207 section 6)
        self.position = 0
        self.rules = self.rules.inside_tls()
        self.reset(Phase.CONNECTED)
        self._resume()

    def run(self, verb: str, argument: bytes) -> bool:
        """Run a verb of ours on behalf of a delegated command; say whether it was accepted."""
        handler, then = self.phase.verbs[verb.encode()]
        accepted: bool = handler(self, argument)
        if accepted:
            self.phase = then
        return accepted

    def want_line(self, give: Callable[[bytes | None], None]) -> None:
        """Give the next line to a delegated command that asks the client something.

        A line that is too long ends the session, and None is given.
        """

        def read(dialog: Dialog) -> bool:
            line = dialog.read_line(MAX_AUTH)
            if line is None and dialog.reader is read:
                return False
            dialog.reader = Dialog._read_nothing
            if line is None:
                dialog.close(replies.LINE_TOO_LONG)
            give(line)
            return False

        self.reader = read
        self._run()

    def settle(self) -> None:
        """Go on after a delegated command: the phase is read off what it left in the session and the envelope."""
        if self.closing or self.reader is not Dialog._read_nothing or self.event is not None:
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

    def drain(self) -> None:
        """End the session as soon as it is polite: now when it is idle, else behind the message under way."""
        if self.busy:
            self._draining = True
        else:
            self.close(replies.STOPPING)

    def close(self, reply: Reply | None) -> None:
        """Say a last reply, if any, and end the session; a message under way is dropped."""
        if self.closing:
            return
        if reply is not None:
            self.say(reply)
        self.closing = True
        self.reset(Phase.CLOSED)
        self.exchange = None
        self.data = b""
        self.position = 0
        self.reader = Dialog._read_nothing

    def reset(self, phase: Phase) -> None:
        """Drop the transaction and enter `phase`."""
        if self.body is not None:
            self.body.release()
            self.body = None
        if self.envelope.body is not None:
            self.envelope.body.release()
        self.envelope = Envelope()
        self.phase = phase

    @property
    def waiting_bytes(self) -> int:
        """How many received bytes are not yet handled."""
        return len(self.data) - self.position

    @property
    def busy(self) -> bool:
        """Whether a message is under way that should not be cut: between 354, or the first BDAT, and its last reply."""
        return self.phase in (Phase.DATA, Phase.CHUNKS)

    @property
    def body_bytes(self) -> int | None:
        """How many bytes of the body under way have arrived, kept or not; None when no body is being read."""
        if self.reader is read_skipped:
            return self.skipped
        reading = self.reader is read_data or self.reader is read_chunk
        return self.body.size if reading and self.body is not None else None

    @property
    def state(self) -> str:
        """One word for people: the phase, or what the session is waiting for within it."""
        return "auth" if self.exchange is not None else self.phase.value

    # Reading. A reader handles one piece of the input and says whether there may be another.

    def expect_command(self) -> None:
        """Read commands from here on."""
        self.reader = Dialog._read_command

    def _run(self) -> None:
        while self.position < len(self.data) and self.reader(self):
            pass
        if self.position >= len(self.data):
            self.data = b""
            self.position = 0

    def _resume(self) -> None:
        if not self.closing:
            self.expect_command()
            self._run()

    def wait_for(self, event: Event) -> bool:
        """Leave the input where it is until the caller has done its part."""
        self.event = event
        self.reader = Dialog._read_nothing
        return False

    def _read_nothing(self) -> bool:
        """Leave the input where it is: an event is not answered yet, or the session is over."""
        if self.closing:
            self.data = b""
            self.position = 0
        return False

    def read_line(self, limit: int) -> bytes | None:
        """Return the next line without its end, None when it is not complete, or longer than `limit` bytes."""
        data = self.data
        start = self.position
        end = data.find(b"\n", start)
        if end >= 0:
            self.position = end + 1
            return data[start : end - 1] if end > start and data[end - 1] == 13 else data[start:end]
        if len(data) - start > limit:
            self.position = len(data)
            word = data[start : start + 10].partition(b" ")[0].upper()
            if word in _WEB:
                self._not_smtp()
            else:
                asks = self.exchange is not None or word == b"AUTH"
                self._too_long = replies.AUTH_TOO_LONG if asks else replies.LINE_TOO_LONG
                self.reader = Dialog._read_rest_of_line
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
        self.refuse(self._too_long)
        return True

    def _read_command(self) -> bool:
        if self.data[self.position] == _TLS_RECORD:
            return self._not_smtp()
        line = self.read_line(MAX_AUTH)
        if line is None:
            return False
        word, _, argument = line.partition(b" ")
        verb = word.upper()
        entry = self.phase.verbs.get(verb)
        if entry is None or len(line) > MAX_COMMAND - 2 or verb in self.rules.delegated:
            return self._read_unusual(line)
        if self.trace is not None:
            self._asked_auth |= verb == b"AUTH"
            self.trace(self.session, _shown(line))
        handler, then = entry
        if handler(self, argument.strip(_BLANKS)):
            self.phase = then
        return True

    def _read_unusual(self, line: bytes) -> bool:
        """Handle what is not plainly one of our verbs in its usual length."""
        line = line.rstrip(_BLANKS)
        word, _, argument = line.partition(b" ")
        verb = word.upper()
        entry = self.phase.verbs.get(verb)
        if self.trace is not None:
            # Behind a refused AUTH a client may go on with its secrets.
            secret = entry is None and self._asked_auth
            self._asked_auth |= verb[:4] == b"AUTH"
            self.trace(self.session, "***" if secret else _shown(line))
        if verb in _WEB:
            return self._not_smtp()
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

    def _not_smtp(self) -> bool:
        """Refuse a client that speaks something else: a web page must not be able to talk to a local SMTP port."""
        self.say(replies.NOT_SMTP)
        self.close(None)
        return False

    # What the verbs use.

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._out.append(data)

    def say(self, reply: Reply) -> None:
        """Say a reply."""
        self._out.append(reply.extended if self._form else reply.plain)
        if reply.code >= 400 and self.rules.tally is not None:
            self.rules.tally.refused(reply)

    def refuse(self, reply: Reply) -> bool:
        """Refuse a command, and close the session where it was one too many. Always False, for a verb to return."""
        self.say(reply)
        if reply.refused:
            self._errors += 1
            if self._errors >= self.rules.max_errors > 0:
                self.close(replies.TOO_MANY_ERRORS)
        return False

    # State.

    def end_transaction(self) -> None:
        """Drop the transaction, and the session with it where it was waited for."""
        self.reset(Phase.READY if self.session.host_name else Phase.CONNECTED)
        if self._draining:
            self.close(replies.STOPPING)

    def refuse_message(self, reply: Reply) -> None:
        """Refuse a message behind its end: in LMTP for every recipient."""
        for _ in self.envelope.rcpt_tos if self.rules.lmtp else (None,):
            self.say(reply)
        if self.rules.tally is not None:
            self.rules.tally.ended(reply)
        self.end_transaction()

    def finish(self, body: Body) -> bool:
        """Hand over a message that is complete, or refuse it for its size."""
        if not body.kept:
            self.refuse_message(replies.TOO_BIG if body.too_big else replies.OUT_OF_STORAGE)
            return True
        envelope = self.envelope
        envelope.content = envelope.original_content = body.content()
        envelope.body = body
        self.body = None
        return self.wait_for(Event.DELIVER)


def _shown(line: bytes) -> str:
    """Return a command line as the log may show it: on one line, without credentials, however AUTH is written."""
    words = line.split(None, 2)
    if words and words[0][:4].upper() == b"AUTH":
        named = len(words) > 1 and words[0].upper() == b"AUTH" and words[1].decode("latin-1").upper() in MECHANISMS
        if not named and line.upper() != b"AUTH":
            line = b"AUTH ***"
        elif len(words) > 2:
            line = b" ".join([*words[:2], b"***"])
    text = line.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
