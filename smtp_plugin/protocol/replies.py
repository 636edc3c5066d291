"""Every reply of the server, in one table: code, enhanced code, text, and the section that defines it.

A `Reply` is rendered once, in two forms. Without `enhanced_status_codes`, success texts are bare and refusals carry
their enhanced code ('552 5.3.4 Message too big'). With it, every reply for which RFC 2034 wants the code carries it
(not the greeting, not HELO and EHLO, not 3xx).

`clean` guards the wire: text from a client, a worker or an exception gets no CR, LF or other control byte through it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

MAX_TEXT: Final = 500
"""Longest text of one reply line in bytes: RFC 5321 section 4.5.3.1.5 allows 512 with code and CR LF."""

_EVENTS: Final = "docs/reference/events.md"
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class Reply:
    """One reply, rendered in both forms.

    `enhanced`: the enhanced status code of RFC 3463, '' for a reply without one (RFC 2034). `source`: RFC and section.
    `setting`: the setting that decides a refusal, and its value, as in rr.yaml: 'smtp.max_recipients: 100'; else ''.
    `plain` and `extended`: the bytes for the wire, CR LF included, without and with `enhanced_status_codes`.
    """

    __slots__ = ("code", "enhanced", "extended", "plain", "setting", "source", "text")

    def __init__(self, code: int, enhanced: str, text: str, source: str, *, setting: str = "") -> None:
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.source = source
        self.setting = setting
        coded = f"{enhanced} {text}" if enhanced else text
        self.extended = f"{code} {coded}\r\n".encode("ascii")
        self.plain = f"{code} {text}\r\n".encode("ascii") if code < 400 else self.extended

    @property
    def refused(self) -> bool:
        """Whether the command failed for good; `max_errors` counts these."""
        return self.code >= 500

    @property
    def wire_text(self) -> str:
        """The text after the code on the wire, without `enhanced_status_codes`."""
        return self.plain[4:-2].decode("ascii")

    def naming(self, detail: str, *, setting: str = "") -> Reply:
        """Return this reply with a detail after its text, cleaned, on which its reader can act.

        `setting`: as the class has it.
        """
        return Reply(self.code, self.enhanced, clean(f"{self.text}: {detail}"), self.source, setting=setting)

    def decided_by(self, setting: str) -> Reply:
        """Return this reply with the setting that decides, whose limit is not for the client to know."""
        return Reply(self.code, self.enhanced, self.text, self.source, setting=setting)

    def __repr__(self) -> str:
        return f"<Reply {self.extended[:-2].decode()}>"


def clean(text: str) -> str:
    """Return `text` as a reply line allows it: printable US-ASCII, one line, at most `MAX_TEXT` characters."""
    return _UNPRINTABLE.sub("?", text)[:MAX_TEXT]


def custom(code: int, text: str, source: str = _EVENTS, *, default: str = "") -> Reply:
    """Return a reply with the code and the cleaned text of a worker or a handler.

    An enhanced code at the head of the text becomes the reply's own. `default`: replaces an empty text. Raises
    ValueError for a code outside 200 to 599.
    """
    if not 200 <= code <= 599:
        raise ValueError(f"{code} is not an SMTP reply code")
    words = clean(text).split(" ", 1)
    if re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", words[0]):
        # Its class follows the reply's code: RFC 2034 section 4.
        return Reply(code, f"{code // 100}{words[0][1:]}", words[1] if len(words) > 1 else default, source)
    enhanced = f"{code // 100}.0.0" if code // 100 in (2, 4, 5) else ""
    return Reply(code, enhanced, clean(text) or default, source)


def multiline(code: int, lines: Iterable[str]) -> bytes:
    """Return a reply of several lines ('250-first', ..., '250 last'), cleaned."""
    *head, last = [clean(line) for line in lines]
    return "".join([*(f"{code}-{line}\r\n" for line in head), f"{code} {last}\r\n"]).encode("ascii")


OK = Reply(250, "2.0.0", "OK", "RFC 5321 4.1.1.9")
SENDER_OK = Reply(250, "2.1.0", "OK", "RFC 5321 4.1.1.2")
RECIPIENT_OK = Reply(250, "2.1.5", "OK", "RFC 5321 4.1.1.3")
CHUNK_OK = Reply(250, "2.0.0", "OK", "RFC 3030 2")
ACCEPTED = Reply(250, "2.0.0", "OK: message accepted", "RFC 5321 4.1.1.4")
START_MAIL = Reply(354, "", "Start mail input", "RFC 5321 4.1.1.4")
BYE = Reply(221, "2.0.0", "Bye", "RFC 5321 4.1.1.10")
AUTHENTICATED = Reply(235, "2.7.0", "Authentication successful", "RFC 4954 6")
HELP = Reply(
    214,
    "2.0.0",
    "Commands: AUTH BDAT DATA EHLO EXPN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY",
    "RFC 5321 4.1.1.8",
)
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS", "RFC 3207 4")
CANNOT_VERIFY = Reply(252, "2.0.0", "Cannot verify the user, but will take the message", "RFC 5321 3.5.3")

STOPPING = Reply(421, "4.3.2", "Service is shutting down", "RFC 5321 3.8")
CLOSED_BY_ADMIN = Reply(421, "4.3.2", "Connection closed by the administrator", "RFC 5321 3.8")
CLOSED_BY_WORKER = Reply(421, "4.3.0", "Closing connection", _EVENTS)
TOO_MANY_CONNECTIONS = Reply(421, "4.3.2", "Too many connections, try again later", "RFC 5321 3.8")
MAKING_ROOM = Reply(421, "4.3.2", "Idle for too long while many clients are connected", "RFC 5321 3.8")
TIMEOUT = Reply(421, "4.4.2", "Timeout, closing connection", "RFC 5321 4.5.3.2")
TOO_SLOW = Reply(421, "4.4.2", "Message too slow, closing connection", "RFC 5321 4.5.3.2")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors", "RFC 5321 3.8")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands without a message", "RFC 5321 3.8")
FLOOD = Reply(421, "4.3.4", "Message far too big, closing connection", "RFC 5321 4.5.3.1.7")
TEMPORARY_FAILURE = Reply(451, "4.3.0", "Temporary failure", "RFC 5321 4.2.3")
OUT_OF_STORAGE = Reply(452, "4.3.1", "Insufficient system storage, try again later", "RFC 5321 4.2.3")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients", "RFC 5321 4.5.3.1.10")
TLS_NOT_AVAILABLE = Reply(454, "4.7.0", "TLS not available now", "RFC 3207 4")

LINE_TOO_LONG = Reply(
    500, "5.5.2", "Line too long: the limit is 512 bytes, for MAIL and RCPT 2048", "RFC 5321 4.5.3.1.4"
)
AUTH_TOO_LONG = Reply(500, "5.5.6", "Authentication exchange line is too long: the limit is 12288 bytes", "RFC 4954 4")
BAD_SYNTAX = Reply(500, "5.5.2", "Syntax error", "RFC 5321 4.2.3")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Command not recognized", "RFC 5321 4.2.4")
NO_PARAMETERS = Reply(501, "5.5.4", "No parameters allowed", "RFC 5321 4.2.3")
HELO_SYNTAX = Reply(501, "5.5.4", "Syntax: HELO hostname", "RFC 5321 4.1.1.1")
EHLO_SYNTAX = Reply(501, "5.5.4", "Syntax: EHLO hostname", "RFC 5321 4.1.1.1")
LHLO_SYNTAX = Reply(501, "5.5.4", "Syntax: LHLO hostname", "RFC 2033 4.1")
MAIL_SYNTAX = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]", "RFC 5321 4.1.1.2")
RCPT_SYNTAX = Reply(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]", "RFC 5321 4.1.1.3")
BAD_SENDER = Reply(501, "5.1.7", "Bad sender address syntax", "RFC 5321 4.1.2")
BAD_RECIPIENT = Reply(501, "5.1.3", "Bad recipient address syntax", "RFC 5321 4.1.2")
BAD_PARAMETER = Reply(501, "5.5.4", "Bad parameter value", "RFC 5321 4.1.1.11")
DUPLICATE_PARAMETER = Reply(501, "5.5.4", "Parameter given twice", "RFC 5321 4.1.1.11")
AUTH_SYNTAX = Reply(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]", "RFC 4954 4")
AUTH_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled", "RFC 4954 4")
BAD_BASE64 = Reply(501, "5.5.2", "Cannot decode response", "RFC 4954 4")
BAD_CREDENTIALS = Reply(501, "5.5.2", "Malformed credentials", "RFC 4616 2")
VRFY_SYNTAX = Reply(501, "5.5.4", "Syntax: VRFY address", "RFC 5321 4.1.1.6")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented", "RFC 5321 4.2.4")
HELO_FIRST = Reply(503, "5.5.1", "Send HELO or EHLO first", "RFC 5321 4.1.4")
LHLO_FIRST = Reply(503, "5.5.1", "Send LHLO first", "RFC 2033 4.1")
NESTED_MAIL = Reply(503, "5.5.1", "Nested MAIL command", "RFC 5321 4.1.4")
NEED_MAIL = Reply(503, "5.5.1", "Need MAIL command", "RFC 5321 4.1.4")
NEED_RCPT = Reply(503, "5.5.1", "Need RCPT command", "RFC 5321 4.1.4")
MIXED_BODY = Reply(503, "5.5.1", "DATA and BDAT cannot be mixed", "RFC 3030 2")
CHUNKS_STARTED = Reply(503, "5.5.1", "The message has begun with BDAT", "RFC 3030 2")
BODY_NEEDS_BDAT = Reply(503, "5.6.1", "A BINARYMIME message needs BDAT", "RFC 3030 3")
TRANSACTION_FAILED = Reply(503, "5.5.1", "The message was refused, send RSET", "RFC 3030 2")
AUTH_IN_TRANSACTION = Reply(503, "5.5.1", "AUTH is not allowed in a mail transaction", "RFC 4954 4")
ALREADY_AUTHENTICATED = Reply(503, "5.5.1", "Already authenticated", "RFC 4954 4")
TLS_IN_TRANSACTION = Reply(503, "5.5.1", "STARTTLS is not allowed in a mail transaction", "RFC 3207 4")
ALREADY_TLS = Reply(503, "5.5.1", "TLS is already active", "RFC 3207 4.2")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Unrecognized authentication type", "RFC 4954 4")
SMUGGLING = Reply(521, "5.5.2", "Bare CR or LF at the end of data, see RFC 5321 section 2.3.8", "RFC 5321 2.3.8")
BDAT_SYNTAX = Reply(521, "5.5.4", "Syntax: BDAT size [LAST]", "RFC 3030 2")
TLS_REQUIRED = Reply(
    530, "5.7.0", "Must issue a STARTTLS command first", "RFC 3207 4", setting="smtp.tls.required: true"
)
AUTH_REQUIRED = Reply(530, "5.7.0", "Authentication required", "RFC 4954 6")
WRONG_CREDENTIALS = Reply(535, "5.7.8", "Authentication credentials invalid", "RFC 4954 6")
ENCRYPTION_REQUIRED = Reply(
    538, "5.7.11", "Encryption required for authentication", "RFC 4954 6", setting="smtp.tls.required: true"
)
BARE_NEWLINE = Reply(
    550, "5.6.11", "Bare CR or LF in the message", "RFC 5321 2.3.8", setting="smtp.line_endings: strict"
)
TOO_BIG = Reply(552, "5.3.4", "Message too big", "RFC 1870 6.3")
NON_ASCII_ADDRESS = Reply(553, "5.6.7", "Non-ASCII address needs SMTPUTF8", "RFC 6531 3.5")
BAD_UTF8 = Reply(553, "5.6.7", "Address is not valid UTF-8", "RFC 6531 3.3")
NOT_SMTP = Reply(554, "5.7.0", "This is an SMTP server", "RFC 5321 4.2.3")
TLS_ON_PLAIN_PORT = Reply(
    554,
    "5.7.0",
    "TLS on a port that speaks plain SMTP; use STARTTLS or tls.mode: implicit",
    "RFC 8314 3",
)
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Unknown parameter", "RFC 5321 4.1.1.11")


@lru_cache(maxsize=8)  # a client can have thousands of them
def too_big(limit: int) -> Reply:
    """Return TOO_BIG with the limit, in bytes."""
    return TOO_BIG.naming(f"the limit is {limit} bytes", setting=f"smtp.max_message_size: {limit}")


def flood(limit: int) -> Reply:
    """Return FLOOD with the limit of a message, in bytes."""
    return FLOOD.naming(f"the limit is {limit} bytes", setting=f"smtp.max_message_size: {limit}")


@lru_cache(maxsize=8)  # a client can have thousands of them
def too_many_recipients(limit: int) -> Reply:
    """Return TOO_MANY_RECIPIENTS with the limit."""
    return TOO_MANY_RECIPIENTS.naming(f"the limit is {limit}", setting=f"smtp.max_recipients: {limit}")


def too_many_errors(limit: int) -> Reply:
    """Return TOO_MANY_ERRORS with the limit."""
    return TOO_MANY_ERRORS.naming(f"the limit is {limit}", setting=f"smtp.max_errors: {limit}")


def too_many_connections(limit: int) -> Reply:
    """Return TOO_MANY_CONNECTIONS with the limit of all clients together."""
    return TOO_MANY_CONNECTIONS.naming(f"the limit is {limit}", setting=f"smtp.max_connections: {limit}")


def too_many_from_client(limit: int) -> Reply:
    """Return TOO_MANY_CONNECTIONS with the limit of one client."""
    setting = f"smtp.max_connections_per_ip: {limit}"
    return TOO_MANY_CONNECTIONS.naming(f"the limit of one client is {limit}", setting=setting)


def timeout(key: str, seconds: float) -> Reply:
    """Return TIMEOUT with its limit. `key`: of the setting, below `smtp`."""
    return TIMEOUT.naming(f"the limit is {seconds:g} s", setting=f"smtp.{key}: {seconds:g}s")


def too_slow(rate: float) -> Reply:
    """Return TOO_SLOW with the least rate, in bytes a second."""
    return TOO_SLOW.naming(f"the least rate is {rate:g} bytes a second", setting=f"smtp.min_data_rate: {rate:g}")


def making_room(limit: int) -> Reply:
    """Return MAKING_ROOM with the setting that decides."""
    return MAKING_ROOM.decided_by(f"smtp.max_connections: {limit}")


@lru_cache(maxsize=8)  # a client can have thousands of them
def out_of_storage(limit: int) -> Reply:
    """Return OUT_OF_STORAGE with the setting that decides: the bytes of all messages."""
    return OUT_OF_STORAGE.decided_by(f"smtp.max_inflight_bytes: {limit}")


@lru_cache(maxsize=8)  # a client can have thousands of them
def queue_full(limit: int) -> Reply:
    """Return OUT_OF_STORAGE with the setting that decides: the messages that wait for workers."""
    return OUT_OF_STORAGE.decided_by(f"smtp.pool.max_queue_size: {limit}")


def unknown_mechanism(offered: Sequence[str]) -> Reply:
    """Return UNKNOWN_MECHANISM with the mechanisms that the server offers."""
    return UNKNOWN_MECHANISM.naming(f"use {' or '.join(offered)}") if offered else UNKNOWN_MECHANISM


def table() -> dict[str, Reply]:
    """Return every reply of this module by its name, for documents and tests."""
    return {name: value for name, value in globals().items() if isinstance(value, Reply)}
