"""A message that a client puts into the inbox by HTTP, without a mail server."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence

import msgspec

from ...mime.message import Message, parse
from .problems import Problem


class PostedRecipient(msgspec.Struct, frozen=True):
    """A recipient. It has no parameters: there was no RCPT."""

    address: str
    parameters: Mapping[str, str | bool] = {}


class PostedMail(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the inbox keeps it, with the session that it did not have (inbox.protocols.IncomingMail)."""

    id: str
    at: float
    sender: str
    to: Sequence[str]
    content: bytes
    message: Message
    uuid: str = ""
    remote_addr: str = ""
    helo: str = ""
    authentication: tuple[str, str, str] | None = None
    parameters: Mapping[str, str | bool] = {}
    recipients: Sequence[PostedRecipient] = ()
    tls: object | None = None
    code: int = 250
    reply: str = "put in by HTTP"
    reason: str = ""
    transcript: Sequence[str] = ()


def posted_mail(content: bytes, sender: str | None, to: Sequence[str]) -> PostedMail:
    """Return a message for the inbox. Parses it: call it in a thread. Raises Problem.

    `sender`: None for that of the header From; `to`: empty for those of To, Cc and Bcc.
    """
    if not content.strip():
        raise Problem(400, "the body is empty; it is a message, as RFC 5322 has it")
    for name, address in (*(("to", each) for each in to), ("from", sender or "")):
        if '"' not in address and any(map(str.isspace, address)):
            raise Problem(400, f"{name} is {address!r}; an address has no white space, and + in a URL is %2B")
    message = parse(content)
    if not to:
        fields = (*message.to, *message.cc, *message.bcc)
        to = list(dict.fromkeys(each.address for each in fields if each.address))
    if not to:
        raise Problem(400, "the message has no recipient in To, Cc or Bcc; give one: to=ann@example.com")
    if sender is None:
        sender = next((each.address for each in message.from_), "")
    return PostedMail(
        id=str(uuid.uuid4()),
        at=time.time(),
        sender=sender,
        to=to,
        content=content,
        message=message,
        recipients=[PostedRecipient(address) for address in to],
    )
