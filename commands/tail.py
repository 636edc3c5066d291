"""`rrpy tail`: the past and the new mail of a running host, from its method `smtp.Wait`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime
from typing import Any, Final

from ..container.errors import HostError
from ..container.text import printable, printable_json, size_text
from ..rpc.client import ReconnectingClient
from .console import complain, say
from .running import NO_ANSWER, RunningHost

WAIT: Final = 30.0
"""Seconds that one call waits for the next mail."""
ANSWER_TIMEOUT: Final = WAIT + 15
"""Seconds that a host has for its answer to one call."""
RETRY_DELAY: Final = 1.0
"""Seconds between two attempts to reach a host that went away."""
NO_SERVICE: Final = "rpc: can't find service smtp.Wait"
"""What a host without an smtp plugin answers (docs/reference/wire.md, 'RPC over tcp:// or unix://')."""


def show_mail(host: RunningHost, count: int, *, once: bool, as_json: bool) -> None:
    """Print the last `count` messages, then new ones until Ctrl+C. `once`: only the last ones. Raises HostError."""
    client = ReconnectingClient(lambda: host.connect(ANSWER_TIMEOUT))
    with closing(client), suppress(KeyboardInterrupt):
        known = _past(client)
        last = known["messages"][max(0, len(known["messages"]) - count) :]
        if not all(_show(mail, as_json) for mail in last) or once:
            return
        for mail in _new(client, known):
            if not _show(mail, as_json):
                return


def _past(client: ReconnectingClient) -> dict[str, Any]:
    """Return the answer of `smtp.Wait` with every message that the host remembers."""
    found: dict[str, Any] = {"cursor": 0, "history": "", "messages": []}
    while True:
        try:
            more = client.call("smtp.Wait", {**_position(found), "timeout": 0})
        except HostError as error:
            if str(error) == NO_SERVICE:
                raise HostError("this host has no smtp plugin, so it gets no mail; add the section smtp") from None
            raise
        if not more["messages"]:
            return {**more, "messages": found["messages"]}
        found = {**more, "messages": found["messages"] + more["messages"]}


def _new(client: ReconnectingClient, known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every message after the known ones, for ever. It waits for a host that goes away."""
    away = False
    while True:
        try:
            known = client.call("smtp.Wait", {**_position(known), "timeout": WAIT})
        except HostError:
            if not away:
                complain(NO_ANSWER)
            away = True
            time.sleep(RETRY_DELAY)
            continue
        away = False
        yield from known["messages"]


def _position(known: Mapping[str, Any]) -> dict[str, Any]:
    return {"cursor": known["cursor"], "history": known["history"]}


def _show(mail: Mapping[str, Any], as_json: bool) -> bool:
    """Print a message, and return whether stdout has a reader."""
    text = printable_json(json.dumps(mail)) if as_json else line(mail)
    return say(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))


def line(mail: Mapping[str, Any]) -> str:
    """Return a message as one line: time, sender, recipients, subject, size, and the reply with its reason."""
    when = datetime.fromisoformat(mail["received_at"]).astimezone()
    reply = f"{mail['code']} {mail['reply']}" + (f" ({mail['reason']})" if mail["reason"] else "")
    to = ", ".join(mail["to"])
    subject, size = mail["subject"] or "-", size_text(mail["size"])
    return printable(f"{when:%H:%M:%S} <{mail['from']}> -> {to} | {subject} | {size} | {reply}")
