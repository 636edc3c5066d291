"""AUTH (RFC 4954): base64, '*' and the lines of the exchange; what is said in it is `sasl`'s."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..protocol import replies
from ..session import Credentials
from .address import Refused
from .sasl import MECHANISMS, Exchange

if TYPE_CHECKING:
    from .dialog import Dialog

MAX_AUTH: Final = 12288
"""Longest line of AUTH and of its responses in bytes, CR LF included: RFC 4954 section 4."""


def auth(dialog: Dialog, argument: bytes) -> bool:
    """Take AUTH: begin the exchange of a mechanism."""
    session = dialog.session
    words = argument.split()
    if dialog.rules.tls_required:
        return dialog.refuse(replies.ENCRYPTION_REQUIRED)
    if not session.extended_smtp:
        return dialog.refuse(replies.EHLO_FIRST)
    if session.authenticated:
        return dialog.refuse(replies.ALREADY_AUTHENTICATED)
    if not 1 <= len(words) <= 2:
        return dialog.refuse(replies.AUTH_SYNTAX)
    mechanism = words[0].decode("ascii", "replace").upper()
    if mechanism not in dialog.rules.mechanisms:
        return dialog.refuse(replies.UNKNOWN_MECHANISM)
    initial: bytes | None = None
    if len(words) == 2:
        try:
            initial = b"" if words[1] == b"=" else a2b_base64(words[1], strict_mode=True)
        except Base64Error:
            return dialog.refuse(replies.BAD_BASE64)
    dialog.exchange = MECHANISMS[mechanism](initial)
    _step(dialog, next)
    return False


def _read_auth(dialog: Dialog) -> bool:
    line = dialog.read_line(MAX_AUTH)
    if line is None:
        return False
    if dialog.trace is not None:
        dialog.trace(dialog.session, "***")
    if len(line) > MAX_AUTH - 2:
        _end_exchange(dialog)
        dialog.refuse(replies.AUTH_TOO_LONG)
    elif line.strip() == b"*":
        _end_exchange(dialog)
        dialog.refuse(replies.AUTH_CANCELLED)
    else:
        _respond(dialog, line.strip())
    return True


def _respond(dialog: Dialog, line: bytes) -> None:
    try:
        response = a2b_base64(line, strict_mode=True)
    except Base64Error:
        _end_exchange(dialog)
        dialog.refuse(replies.BAD_BASE64)
    else:
        _step(dialog, lambda exchange: exchange.send(response))


def _step(dialog: Dialog, advance: Callable[[Exchange], bytes]) -> None:
    assert dialog.exchange is not None
    try:
        challenge = advance(dialog.exchange)
    except StopIteration as stop:
        _end_exchange(dialog)
        _capture(dialog, stop.value)
    except Refused as refused:
        _end_exchange(dialog)
        dialog.refuse(refused.reply)
    else:
        dialog.write(b"334 " + b2a_base64(challenge, newline=False) + b"\r\n")
        dialog.reader = _read_auth


def _end_exchange(dialog: Dialog) -> None:
    dialog.exchange = None
    dialog.expect_command()


def _capture(dialog: Dialog, credentials: Credentials) -> None:
    dialog.session.capture(credentials)
    if dialog.rules.tally is not None:
        dialog.rules.tally.captured(credentials.mechanism)
    dialog.say(replies.AUTHENTICATED)
