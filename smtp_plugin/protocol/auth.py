"""AUTH (RFC 4954): base64, '*' and the lines of the exchange. `sasl` holds the mechanisms."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Final

from . import replies
from .address import Refused
from .conversation import Conversation
from .failures import Stage
from .sasl import MECHANISMS, Exchange

MAX_AUTH: Final = 12288
"""Longest line of AUTH and of its responses in bytes, CR LF included: RFC 4954 section 4."""


def auth(conversation: Conversation, argument: bytes) -> bool:
    """Accept AUTH: begin the exchange of a mechanism."""
    session, rules = conversation.session, conversation.rules
    words = argument.split()
    if rules.tls_required:
        return conversation.refuse(replies.ENCRYPTION_REQUIRED)
    if session.authenticated:
        return conversation.refuse(replies.ALREADY_AUTHENTICATED)
    if not 1 <= len(words) <= 2:
        return conversation.refuse(replies.AUTH_SYNTAX)
    mechanism = words[0].decode("ascii", "replace").upper()
    if mechanism not in rules.mechanisms:
        return conversation.refuse(replies.unknown_mechanism(rules.mechanisms))
    initial: bytes | None = None
    if len(words) == 2:
        try:
            initial = b"" if words[1] == b"=" else _decoded(words[1])
        except Base64Error:
            return conversation.refuse(replies.BAD_BASE64)
    conversation.exchange = MECHANISMS[mechanism](initial)
    _step(conversation, next)
    return False


def _read_response(conversation: Conversation) -> bool:
    line = conversation.read_line(MAX_AUTH)
    if line is None:
        return False
    if conversation.trace is not None:
        conversation.trace("***")
    if len(line) > MAX_AUTH - 2:
        _end_exchange(conversation)
        conversation.refuse(replies.AUTH_TOO_LONG)
    elif line.strip() == b"*":
        _end_exchange(conversation)
        conversation.refuse(replies.AUTH_CANCELLED)
    else:
        _respond(conversation, line.strip())
    return True


def _respond(conversation: Conversation, line: bytes) -> None:
    try:
        response = _decoded(line)
    except Base64Error:
        _end_exchange(conversation)
        conversation.refuse(replies.BAD_BASE64)
    else:
        _step(conversation, lambda exchange: exchange.send(response))


def padded(text: bytes) -> bytes:
    """Return a base64 text with its padding, which boards and printers leave out. `=` and `*` alone have a meaning."""
    return text if text in (b"=", b"*") else text + b"=" * (-len(text) % 4)


def _decoded(text: bytes) -> bytes:
    """Return the bytes of a base64 text. Raises binascii.Error."""
    return a2b_base64(padded(text), strict_mode=True)


def _step(conversation: Conversation, advance: Callable[[Exchange], bytes]) -> None:
    assert conversation.exchange is not None
    try:
        challenge = advance(conversation.exchange)
    except StopIteration as stop:
        _end_exchange(conversation)
        _capture(conversation, *stop.value)
    except Refused as refused:
        _end_exchange(conversation)
        conversation.refuse(refused.reply)
    else:
        conversation.write(b"334 " + b2a_base64(challenge, newline=False) + b"\r\n")
        conversation.reader = _read_response


def _end_exchange(conversation: Conversation) -> None:
    conversation.exchange = None
    conversation.expect_command()


def _capture(conversation: Conversation, mechanism: str, username: bytes, secret: bytes) -> None:
    user = username.decode("utf-8", "surrogateescape")
    if conversation.rules.credentials is not None and not conversation.rules.credentials(user, secret):
        conversation.refuse(replies.WRONG_CREDENTIALS)
        return
    if conversation.rules.failures.rules and conversation.fails(Stage.AUTH, user=user):
        return
    conversation.session.capture(mechanism, username, secret)
    if conversation.rules.tally is not None:
        conversation.rules.tally.captured(mechanism)
    conversation.reply(replies.AUTHENTICATED)
