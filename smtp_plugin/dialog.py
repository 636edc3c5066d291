"""The SMTP dialog: a synchronous state machine without I/O. Bytes go in, replies and events come out.

The caller (`server.SMTP`, or a test) does this:

- `greet()` once, when the connection is ready for it.
- `receive(data)` with whatever arrives. Every complete command in it is handled in one go.
- After each call: while `event` is not None, take it with `next_event()` and do what it says; then send `take_output()`;
  and when `closing` is set, close once that is sent.

While an event is not answered, the bytes that arrive wait in the dialog (`waiting_bytes` says how many), so that order is
kept; the caller pauses reading when they are many.

The order of commands is a table (`SEQUENCE`): for each phase, what each verb leads to, or the reply that refuses it.
"""

from __future__ import annotations

import enum
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Final

from aiosmtpd.smtp import LoginPassword

from . import replies
from .address import PLAIN_MAIL, PLAIN_RCPT, Refused, parse_parameters, parse_path
from .body import PATIENCE, Body, ChunkBody, DataBody
from .parameters import mail_parameters, rcpt_parameters
from .replies import Reply
from .rules import Rules
from .sasl import MECHANISMS, Credentials, Exchange
from .session import Envelope, Session

MAX_COMMAND: Final = 512
"""Longest command line in bytes, CR LF included: RFC 5321 section 4.5.3.1.4."""
MAX_TRANSACTION_COMMAND: Final = 2048
"""The same for MAIL and RCPT, whose extensions (RFC 1870, 3461, 4954, 6531) each ask for more."""
MAX_AUTH: Final = 12288
"""The same for AUTH and its responses: RFC 4954 section 4."""

_LONGER: Final = {b"MAIL": MAX_TRANSACTION_COMMAND, b"RCPT": MAX_TRANSACTION_COMMAND, b"AUTH": MAX_AUTH}
_WEB: Final = frozenset((b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE"))
_TLS_RECORD: Final = 0x16  # the first byte of a TLS ClientHello


class Phase(enum.Enum):
    """Where a session is in its mail transaction."""

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


_ANYWHERE: Final[dict[str, Phase]] = {"HELO": Phase.READY, "EHLO": Phase.READY, "LHLO": Phase.READY, "QUIT": Phase.CLOSED}
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

Trace = Callable[[Session, str], None]
_Handler = Callable[["Dialog", bytes], bool]


class Dialog:
    """One connection's side of the conversation.

    `session` and `envelope` are the connection's state, which a caller may read and, for a delegated command, change.
    `phase`: where the transaction is. `closing`: nothing more is read; close when the output is sent. `quit`: it was the
    client who ended the session, so nothing more is to be expected from it.
    `trace`: called with the session and each command line (credentials masked), None to switch it off.
    """

    __slots__ = (
        "_body",
        "_data",
        "_draining",
        "_errors",
        "_exchange",
        "_form",
        "_out",
        "_position",
        "_read",
        "_skipping",
        "_verbs",
        "closing",
        "delegated",
        "envelope",
        "event",
        "phase",
        "quit",
        "rules",
        "session",
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
        self._verbs = _TABLES[Phase.CONNECTED]
        self._read: Callable[[Dialog], bool] = Dialog._read_command
        self._data = b""
        self._position = 0
        self._out: list[bytes] = []
        self._errors = 0
        self._skipping = 0
        self._body: Body | None = None
        self._exchange: Exchange | None = None
        self._draining = False
        self._form = rules.enhanced

    # What the caller calls.

    def greet(self) -> None:
        """Say the greeting."""
        self._out.append(self.rules.greeting)

    def receive(self, data: bytes) -> None:
        """Take bytes as they arrived, cut anywhere, and handle every command that is complete."""
        if self._position < len(self._data):
            data = self._data[self._position :] + data
        self._data = data
        self._position = 0
        self._run()

    def take_output(self) -> bytes:
        """Return the replies that are to be sent now, and forget them."""
        out = self._out
        if len(out) == 1:
            data = out[0]
        else:
            data = b"".join(out)
        out.clear()
        return data

    def next_event(self) -> Event | None:
        """Return what the caller must do, and forget it."""
        event, self.event = self.event, None
        return event

    def answer(self, reply: Reply, *more: Reply, close: Reply | None = None) -> None:
        """Answer a delivered message: one reply, or in LMTP one for every recipient; `close`: then this, and the end."""
        if self.closing:
            return
        for each in (reply, *more):
            self._say(each)
        if not reply.refused:
            self._errors = 0
        self._end_transaction()
        if close is not None:
            self.close(close)
        self._resume()

    def tls_started(self) -> None:
        """Say that the TLS handshake is done: everything the client said before it is forgotten (RFC 3207 section 4.2)."""
        session = self.session
        session.host_name = None
        session.extended_smtp = False
        session.authenticated = None
        session.auth_data = None
        session.credentials = None
        self.tls = True
        self.rules = self.rules.inside_tls()
        self.reset(Phase.CONNECTED)
        self._resume()

    def settle(self) -> None:
        """Go on after a delegated command: the phase is read off what it left in the session and the envelope."""
        envelope = self.envelope
        if envelope.rcpt_tos:
            phase = Phase.RECIPIENTS
        elif envelope.mail_from is not None:
            phase = Phase.SENDER
        else:
            phase = Phase.READY if self.session.host_name else Phase.CONNECTED
        self._enter(phase)
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
            self._say(reply)
        self.closing = True
        self.reset(Phase.CLOSED)
        self._exchange = None
        self._data = b""
        self._position = 0
        self._read = Dialog._read_nothing

    def reset(self, phase: Phase) -> None:
        """Drop the transaction and enter `phase`."""
        if self._body is not None:
            self._body.release()
            self._body = None
        if self.envelope.body is not None:
            self.envelope.body.release()
        self.envelope = Envelope()
        self._enter(phase)

    @property
    def waiting_bytes(self) -> int:
        """How many received bytes are not yet handled."""
        return len(self._data) - self._position

    @property
    def busy(self) -> bool:
        """Whether a message is under way that should not be cut: between 354, or the first BDAT, and its last reply."""
        return self.phase in (Phase.DATA, Phase.CHUNKS)

    @property
    def body_bytes(self) -> int | None:
        """How many bytes of the body under way have arrived; None when no body is being read."""
        reading = self._read is Dialog._read_data or self._read is Dialog._read_chunk
        return self._body.size if reading and self._body is not None else None

    @property
    def state(self) -> str:
        """One word for people: the phase, or what the session is waiting for within it."""
        return "auth" if self._exchange is not None else self.phase.value

    # Reading. A reader handles one piece of the input and says whether there may be another.

    def _run(self) -> None:
        while self._position < len(self._data) and self._read(self):
            pass

    def _resume(self) -> None:
        if not self.closing:
            self._read = Dialog._read_command
            self._run()

    def _wait_for(self, event: Event) -> bool:
        self.event = event
        self._read = Dialog._read_nothing
        return False

    def _read_nothing(self) -> bool:
        """Leave the input where it is: an event is not answered yet, or the session is over."""
        if self.closing:
            self._data = b""
            self._position = 0
        return False

    def _read_line(self, limit: int) -> bytes | None:
        """Return the next line without its end, None when it is not complete (or not worth waiting for)."""
        data = self._data
        start = self._position
        end = data.find(b"\n", start)
        if end >= 0:
            self._position = end + 1
            return data[start : end - 1] if end > start and data[end - 1] == 13 else data[start:end]
        if len(data) - start > limit:
            self._position = len(data)
            self._read = Dialog._read_rest_of_line
        elif data[start] == _TLS_RECORD:
            self._say(replies.NOT_SMTP)
            self.close(None)
        return None

    def _read_rest_of_line(self) -> bool:
        """Drop a line that is too long, up to its end; then refuse it."""
        end = self._data.find(b"\n", self._position)
        if end < 0:
            self._position = len(self._data)
            return False
        self._position = end + 1
        self._end_exchange()
        self._refuse(replies.LINE_TOO_LONG)
        return True

    def _read_command(self) -> bool:
        line = self._read_line(MAX_AUTH)
        if line is None:
            return False
        word, _, argument = line.partition(b" ")
        verb = word.upper()
        entry = self._verbs.get(verb)
        if entry is None or len(line) > MAX_COMMAND - 2 or verb in self.rules.delegated:
            return self._read_unusual(line)
        if self.trace is not None:
            self.trace(self.session, _shown(verb, line))
        handler, then = entry
        if handler(self, argument) and then is not self.phase:
            self._enter(then)
        return True

    def _read_unusual(self, line: bytes) -> bool:
        """Handle what is not plainly one of our verbs in its usual length."""
        line = line.rstrip()
        word, _, argument = line.partition(b" ")
        verb = word.upper()
        if self.trace is not None:
            self.trace(self.session, _shown(verb, line))
        entry = self._verbs.get(verb)
        if len(line) > _LONGER.get(verb, MAX_COMMAND) - 2:
            self._refuse(replies.LINE_TOO_LONG)
        elif verb in self.rules.delegated:
            self.delegated = (verb.decode("ascii"), argument.strip().decode("utf-8", "surrogateescape"))
            return self._wait_for(Event.DELEGATE)
        elif entry is not None:
            handler, then = entry
            if handler(self, argument.strip()) and then is not self.phase:
                self._enter(then)
        elif verb in _WEB:
            self._say(replies.NOT_SMTP)
            self.close(None)
        else:
            self._refuse(replies.UNKNOWN_COMMAND if line and line.isascii() else replies.BAD_SYNTAX)
        return True

    def _read_auth(self) -> bool:
        line = self._read_line(MAX_AUTH)
        if line is None:
            return False
        if self.trace is not None:
            self.trace(self.session, "***")
        if len(line) > MAX_AUTH - 2:
            self._end_exchange()
            self._refuse(replies.LINE_TOO_LONG)
        elif line.strip() == b"*":
            self._end_exchange()
            self._refuse(replies.AUTH_CANCELLED)
        else:
            self._respond(line.strip())
        return True

    def _read_data(self) -> bool:
        body = self._body
        assert isinstance(body, DataBody)
        end = body.feed(self._data, self._position)
        if body.smuggled:
            self._say(replies.SMUGGLING)
            self.close(None)
            return False
        if end < 0:
            self._position = len(self._data)
            if body.hopeless:
                self.close(replies.FLOOD)
            return False
        self._position = end
        self._read = Dialog._read_command
        if body.bare_newline and self.rules.strict:
            self._refuse_message(replies.BARE_NEWLINE)
            return True
        return self._finish(body)

    def _read_chunk(self) -> bool:
        body = self._body
        assert isinstance(body, ChunkBody)
        end = body.feed(self._data, self._position)
        if end < 0:
            self._position = len(self._data)
            if body.hopeless:
                self.close(replies.FLOOD)
            return False
        self._position = end
        return self._end_chunk(body)

    # Replies.

    def _say(self, reply: Reply) -> None:
        self._out.append(reply.extended if self._form else reply.plain)

    def _refuse(self, reply: Reply) -> bool:
        self._say(reply)
        if reply.refused:
            self._errors += 1
            if self._errors >= self.rules.max_errors > 0:
                self.close(replies.TOO_MANY_ERRORS)
        return False

    # State.

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._verbs = _TABLES[phase]

    def _end_transaction(self) -> None:
        self.reset(Phase.READY)
        if self._draining:
            self.close(replies.STOPPING)

    def _refuse_message(self, reply: Reply) -> None:
        """Refuse a message behind its end: in LMTP for every recipient."""
        for _ in self.envelope.rcpt_tos if self.rules.lmtp else (None,):
            self._say(reply)
        self._end_transaction()

    def _finish(self, body: Body) -> bool:
        if not body.kept:
            self._refuse_message(replies.TOO_BIG if body.too_big else replies.OUT_OF_STORAGE)
            return True
        envelope = self.envelope
        envelope.content = envelope.original_content = body.content()
        envelope.body = body
        self._body = None
        return self._wait_for(Event.DELIVER)

    def _end_chunk(self, body: ChunkBody) -> bool:
        """Answer a chunk whose last byte is there."""
        self._read = Dialog._read_command
        if body.kept:
            if body.last:
                return self._finish(body)
            self._say(replies.CHUNK_OK)
        else:
            self._lose_transaction(replies.OUT_OF_STORAGE, last=body.last)
        return True

    def _lose_transaction(self, reply: Reply, *, last: bool) -> None:
        """Refuse a chunk and with it the message: RSET is due, unless that was its end."""
        if last:
            self._refuse_message(reply)
        else:
            self.reset(Phase.FAILED)
            self._refuse(reply)

    # The verbs. Each takes its argument and says whether the phase that SEQUENCE names is to be entered.

    def _helo(self, argument: bytes) -> bool:
        if self.rules.lmtp:
            return self._refuse(replies.UNKNOWN_COMMAND)
        return self._hello(argument, replies.HELO_SYNTAX, extended=False)

    def _ehlo(self, argument: bytes) -> bool:
        if self.rules.lmtp:
            return self._refuse(replies.UNKNOWN_COMMAND)
        return self._hello(argument, replies.EHLO_SYNTAX, extended=True)

    def _lhlo(self, argument: bytes) -> bool:
        if not self.rules.lmtp:
            return self._refuse(replies.UNKNOWN_COMMAND)
        return self._hello(argument, replies.LHLO_SYNTAX, extended=True)

    def _hello(self, argument: bytes, syntax: Reply, *, extended: bool) -> bool:
        name = argument.decode("utf-8", "surrogateescape")
        if not name or not name.isprintable():
            return self._refuse(syntax)
        self.session.host_name = name
        self.session.extended_smtp = extended
        self._out.append(self.rules.ehlo if extended else self.rules.helo)
        self._end_transaction()
        return False

    def _mail(self, argument: bytes) -> bool:
        rules = self.rules
        if rules.tls_required:
            return self._refuse(replies.TLS_REQUIRED)
        if rules.budget.spent:
            return self._refuse(replies.OUT_OF_STORAGE)
        envelope = self.envelope
        plain = PLAIN_MAIL.match(argument)
        if plain is not None:
            envelope.mail_from = plain[1].decode("ascii")
        else:
            try:
                address, rest = parse_path(argument, "FROM:", replies.BAD_SENDER, replies.MAIL_SYNTAX)
                parameters = parse_parameters(rest)
                mail_parameters(envelope, parameters, rules.max_message_size)
                if not (address.isascii() or envelope.smtp_utf8):
                    raise Refused(replies.NON_ASCII_ADDRESS)
            except Refused as refused:
                self.envelope = Envelope()
                return self._refuse(refused.reply)
            envelope.mail_from = address
            envelope.mail_options = rest.split()
            envelope.parameters = parameters
        self._say(replies.SENDER_OK)
        return True

    def _rcpt(self, argument: bytes) -> bool:
        envelope = self.envelope
        plain = PLAIN_RCPT.match(argument)
        parameters: dict[str, str | None] = {}
        if plain is not None:
            address, rest = plain[1].decode("ascii"), ""
        else:
            try:
                address, rest = parse_path(argument, "TO:", replies.BAD_RECIPIENT, replies.RCPT_SYNTAX)
                if not address:
                    raise Refused(replies.BAD_RECIPIENT)
                parameters = rcpt_parameters(parse_parameters(rest))
                if not (address.isascii() or envelope.smtp_utf8):
                    raise Refused(replies.NON_ASCII_ADDRESS)
            except Refused as refused:
                return self._refuse(refused.reply)
        if len(envelope.rcpt_tos) >= self.rules.max_recipients > 0:
            return self._refuse(replies.TOO_MANY_RECIPIENTS)
        envelope.rcpt_tos.append(address)
        if rest:
            envelope.rcpt_options += rest.split()
        envelope.recipients.append(parameters)
        self._say(replies.RECIPIENT_OK)
        return True

    def _data_command(self, argument: bytes) -> bool:
        if argument:
            return self._refuse(replies.NO_PARAMETERS)
        if self.envelope.parameters.get("BODY") == "BINARYMIME":
            return self._refuse(replies.BODY_NEEDS_BDAT)
        self._body = DataBody(self.rules.max_message_size, self.rules.budget)
        self._read = Dialog._read_data
        self._say(replies.START_MAIL)
        return True

    def _bdat(self, argument: bytes) -> bool:
        chunk = self._chunk(argument)
        if chunk is None:
            return False
        size, last = chunk
        limit, budget = self.rules.max_message_size, self.rules.budget
        body = self._body if isinstance(self._body, ChunkBody) else ChunkBody(limit, budget)
        refusal = replies.TOO_BIG if limit and body.size + size > limit else None
        if budget.limit and budget.used + size > budget.limit:
            refusal = replies.OUT_OF_STORAGE
        if refusal is not None:
            self._lose_transaction(refusal, last=last)
            return self._skip_chunk(size)
        self._body = body
        body.remaining = size
        body.last = last
        self._enter(Phase.CHUNKS)
        self._read = Dialog._read_chunk
        if size == 0:
            self._end_chunk(body)
        return False

    def _bdat_refused(self, argument: bytes, reply: Reply) -> bool:
        """Refuse a BDAT that comes at the wrong moment: its chunk is consumed and never run as commands."""
        chunk = self._chunk(argument)
        if chunk is None:
            return False
        size, last = chunk
        self._refuse(reply)
        if last and self.phase is Phase.FAILED:
            self._end_transaction()
        return self._skip_chunk(size)

    def _chunk(self, argument: bytes) -> tuple[int, bool] | None:
        """Return a chunk's size and whether it is the last; None after closing, since nobody knows where it ends."""
        words = argument.split()
        if words and words[0].isdigit() and len(words[0]) <= 19:
            if len(words) == 1:
                return int(words[0]), False
            if len(words) == 2 and words[1].upper() == b"LAST":
                return int(words[0]), True
        self._say(replies.BDAT_SYNTAX)
        self.close(None)
        return None

    def _skip_chunk(self, size: int) -> bool:
        if self.closing:
            return False
        limit = self.rules.max_message_size
        if 0 < PATIENCE * limit < size:
            self.close(replies.FLOOD)
        elif size:
            self._skipping = size
            self._read = Dialog._read_skipped
        return False

    def _read_skipped(self) -> bool:
        step = min(self._skipping, len(self._data) - self._position)
        self._position += step
        self._skipping -= step
        if self._skipping:
            return False
        self._read = Dialog._read_command
        return True

    def _rset(self, argument: bytes) -> bool:
        if argument:
            return self._refuse(replies.NO_PARAMETERS)
        self._say(replies.OK)
        self._end_transaction()
        return False

    def _noop(self, argument: bytes) -> bool:  # noqa: ARG002 - RFC 5321 section 4.1.1.9: the argument is ignored
        self._say(replies.OK)
        return False

    def _quit(self, argument: bytes) -> bool:
        if argument:
            return self._refuse(replies.NO_PARAMETERS)
        self.quit = True
        self.close(replies.BYE)
        return False

    def _vrfy(self, argument: bytes) -> bool:
        if not argument:
            return self._refuse(replies.VRFY_SYNTAX)
        self._say(replies.CANNOT_VERIFY)
        return False

    def _expn(self, argument: bytes) -> bool:  # noqa: ARG002 - whatever the list is called
        return self._refuse(replies.NOT_IMPLEMENTED)

    def _help(self, argument: bytes) -> bool:  # noqa: ARG002 - one answer for every topic
        self._say(replies.HELP)
        return False

    def _starttls(self, argument: bytes) -> bool:
        if self.tls:
            return self._refuse(replies.ALREADY_TLS)
        if not self.rules.tls_available:
            return self._refuse(replies.NOT_IMPLEMENTED)
        if argument:
            return self._refuse(replies.NO_PARAMETERS)
        self._say(replies.READY_FOR_TLS)
        # What came in clear behind the command is not to be believed inside TLS (RFC 3207 section 6).
        self._data = b""
        self._position = 0
        return self._wait_for(Event.START_TLS)

    # AUTH (RFC 4954): the exchange is a generator of `sasl`, base64 and '*' are ours.

    def _auth(self, argument: bytes) -> bool:
        session = self.session
        words = argument.split()
        if self.rules.tls_required:
            return self._refuse(replies.ENCRYPTION_REQUIRED)
        if not session.extended_smtp:
            return self._refuse(replies.EHLO_FIRST)
        if session.authenticated:
            return self._refuse(replies.ALREADY_AUTHENTICATED)
        if not 1 <= len(words) <= 2:
            return self._refuse(replies.AUTH_SYNTAX)
        mechanism = words[0].decode("ascii", "replace").upper()
        if mechanism not in self.rules.mechanisms:
            return self._refuse(replies.UNKNOWN_MECHANISM)
        initial: bytes | None = None
        if len(words) == 2:
            try:
                initial = b"" if words[1] == b"=" else a2b_base64(words[1], strict_mode=True)
            except Base64Error:
                return self._refuse(replies.BAD_BASE64)
        self._exchange = MECHANISMS[mechanism](initial)
        self._step(lambda exchange: next(exchange))
        return False

    def _respond(self, line: bytes) -> None:
        try:
            response = a2b_base64(line, strict_mode=True)
        except Base64Error:
            self._end_exchange()
            self._refuse(replies.BAD_BASE64)
        else:
            self._step(lambda exchange: exchange.send(response))

    def _step(self, advance: Callable[[Exchange], bytes]) -> None:
        assert self._exchange is not None
        try:
            challenge = advance(self._exchange)
        except StopIteration as stop:
            self._end_exchange()
            self._capture(stop.value)
        except Refused as refused:
            self._end_exchange()
            self._refuse(refused.reply)
        else:
            self._out.append(b"334 " + b2a_base64(challenge, newline=False) + b"\r\n")
            self._read = Dialog._read_auth

    def _end_exchange(self) -> None:
        self._exchange = None
        self._read = Dialog._read_command

    def _capture(self, credentials: Credentials) -> None:
        session = self.session
        session.credentials = credentials
        session.authenticated = True
        session.auth_data = LoginPassword(credentials.username, credentials.secret)
        self._say(replies.AUTHENTICATED)


def _shown(verb: bytes, line: bytes) -> str:
    """Return a command line as the log may show it: on one line, without credentials."""
    if verb == b"AUTH":
        words = line.split(None, 2)
        line = b" ".join([*words[:2], b"***"]) if len(words) > 2 else line
    return line.decode("utf-8", "backslashreplace")


_HANDLERS: Final[dict[str, _Handler]] = {
    "HELO": Dialog._helo,
    "EHLO": Dialog._ehlo,
    "LHLO": Dialog._lhlo,
    "MAIL": Dialog._mail,
    "RCPT": Dialog._rcpt,
    "DATA": Dialog._data_command,
    "BDAT": Dialog._bdat,
    "RSET": Dialog._rset,
    "NOOP": Dialog._noop,
    "QUIT": Dialog._quit,
    "VRFY": Dialog._vrfy,
    "EXPN": Dialog._expn,
    "HELP": Dialog._help,
    "AUTH": Dialog._auth,
    "STARTTLS": Dialog._starttls,
}


def _refusal(verb: str, reply: Reply) -> _Handler:
    if verb == "BDAT":
        return lambda dialog, argument: dialog._bdat_refused(argument, reply)
    return lambda dialog, argument: dialog._refuse(reply)


def _compile(phase: Phase) -> dict[bytes, tuple[_Handler, Phase]]:
    """Turn one row of SEQUENCE into what `_read_command` looks up."""
    row = SEQUENCE[phase]
    table = {}
    for verb, handler in _HANDLERS.items():
        then = row.get(verb, phase)
        table[verb.encode()] = (_refusal(verb, then), phase) if isinstance(then, Reply) else (handler, then)
    return table


_TABLES: Final = {phase: _compile(phase) for phase in Phase}
