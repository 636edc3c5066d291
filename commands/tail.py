"""What `rrpy tail` prints: mail as it comes, asked of a running host by `smtp.Wait`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ..container.errors import HostError
from ..container.text import printable

if TYPE_CHECKING:
    from ..rpc.client import ReconnectingClient

WAIT: Final = 30.0
"""Seconds that one question waits for the next mail."""
ANSWER_TIMEOUT: Final = WAIT + 15
"""Seconds that a client waits for the answer to it."""
RETRY: Final = 1.0
"""Seconds between two attempts to reach a host that went away."""
NO_SERVICE: Final = "rpc: can't find service smtp.Wait"
"""What a host without an smtp plugin answers (docs/reference/wire.md, 'RPC over tcp:// or unix://')."""


def past(client: ReconnectingClient) -> dict[str, Any]:
    """Return all that the host remembers, as `smtp.Wait` gives it, in one piece. Raises HostError.

    One without an smtp plugin gets a sentence of its own.
    """
    found: dict[str, Any] = {"cursor": 0, "history": "", "messages": []}
    while True:
        asked = {"cursor": found["cursor"], "history": found["history"], "timeout": 0}
        try:
            more = client.call("smtp.Wait", asked)
        except HostError as error:
            if str(error) == NO_SERVICE:
                raise HostError("this host has no smtp plugin, so no mail comes to it; add the section smtp") from None
            raise
        if not more["messages"]:
            return {**more, "messages": found["messages"]}
        found = {**more, "messages": found["messages"] + more["messages"]}


def follow(
    client: ReconnectingClient, known: Mapping[str, Any], away: Callable[[], None]
) -> Iterator[Mapping[str, Any]]:
    """Yield every mail after those that are known, for ever.

    A host that goes away is waited for; `away` is called once for each time.
    """
    cursor, history = known["cursor"], known["history"]
    lost = False
    while True:
        try:
            result = client.call("smtp.Wait", {"cursor": cursor, "history": history, "timeout": WAIT})
        except HostError:
            if not lost:
                away()
            lost = True
            time.sleep(RETRY)
            continue
        lost = False
        cursor, history = result["cursor"], result["history"]
        yield from result["messages"]


def line(mail: Mapping[str, Any]) -> str:
    """Return a mail as one line: when, from whom, to whom, what about, how large, and what the client was told."""
    when = datetime.fromisoformat(mail["received_at"]).astimezone()
    told = f"{mail['code']} {mail['reply']}" + (f" ({mail['reason']})" if mail["reason"] else "")
    to = ", ".join(mail["to"])
    text = f"{when:%H:%M:%S} <{mail['from']}> -> {to} | {mail['subject'] or '-'} | {_size(mail['size'])} | {told}"
    return printable(text)


def _size(size: float) -> str:
    for unit in ("B", "KB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} MB"
