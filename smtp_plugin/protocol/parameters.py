"""The parameters of MAIL and RCPT: each keyword with its check, as a table. Pure; a refusal is a `Refused`.

Each check returns the value that the envelope keeps. ENVID, ORCPT and AUTH are xtext, which is decoded. The other
values are keywords and numbers, in upper case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from . import replies
from .address import MAX_KEYWORD, Refused, decode_xtext

_Parameters = dict[str, str | None]


def mail_parameters(parameters: _Parameters, max_message_size: int, *, smtputf8: bool) -> None:
    """Check MAIL's parameters and decode their values in place.

    `max_message_size`: bytes, 0 for no limit. `smtputf8`: whether the server offers it. Raises Refused: 555 for an
    unknown keyword, 552 for a SIZE over the limit, 501 for a bad value.
    """
    _apply(parameters, MAIL)
    size = parameters.get("SIZE")
    if size is not None and 0 < max_message_size < int(size):
        raise Refused(replies.too_big(max_message_size))
    if "SMTPUTF8" in parameters and not smtputf8:
        raise Refused(replies.UNKNOWN_PARAMETER.naming("SMTPUTF8"))


def rcpt_parameters(parameters: _Parameters) -> _Parameters:
    """Check RCPT's parameters, decode their values in place, and return them.

    Raises Refused as `mail_parameters` does.
    """
    _apply(parameters, RCPT)
    return parameters


def _apply(parameters: _Parameters, table: dict[str, Callable[[str | None], str | None]]) -> None:
    for key, value in parameters.items():
        check = table.get(key)
        if check is None:
            raise Refused(replies.UNKNOWN_PARAMETER.naming(key[:MAX_KEYWORD]))
        try:
            parameters[key] = check(value)
        except Refused as refused:
            raise Refused(refused.reply.naming(key)) from None


def _matching(pattern: str) -> Callable[[str | None], str]:
    """Return a check that accepts a matching value and returns it in upper case."""
    compiled = re.compile(pattern, re.IGNORECASE | re.ASCII)

    def check(value: str | None) -> str:
        if value is None or not compiled.fullmatch(value):
            raise Refused(replies.BAD_PARAMETER)
        return value.upper()

    return check


def _bare(value: str | None) -> None:
    if value is not None:
        raise Refused(replies.BAD_PARAMETER)


def _xtext(value: str | None) -> str:
    if value is None:
        raise Refused(replies.BAD_PARAMETER)
    return decode_xtext(value)


def _original_recipient(value: str | None) -> str:
    """ORCPT=rfc822;user+40example.com (RFC 3461 section 4.2; utf-8 addresses by RFC 6533)."""
    kind, separator, address = (value or "").partition(";")
    if not kind or not separator or not address:
        raise Refused(replies.BAD_PARAMETER)
    return f"{kind};{address if kind.lower() == 'utf-8' else decode_xtext(address)}"


MAIL: Final[dict[str, Callable[[str | None], str | None]]] = {
    "SIZE": _matching(r"\d{1,20}"),  # RFC 1870 section 4
    "BODY": _matching("7BIT|8BITMIME|BINARYMIME"),  # RFC 6152 section 2, RFC 3030 section 3
    "SMTPUTF8": _bare,  # RFC 6531 section 3.4
    "AUTH": _xtext,  # RFC 4954 section 5
    "RET": _matching("FULL|HDRS"),  # RFC 3461 section 4.3
    "ENVID": _xtext,  # RFC 3461 section 4.4
}
RCPT: Final[dict[str, Callable[[str | None], str | None]]] = {
    "NOTIFY": _matching("NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*"),  # RFC 3461 section 4.1
    "ORCPT": _original_recipient,
}
