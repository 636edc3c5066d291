"""What `rrpy tail` prints: mail as it comes, asked of a running host by `smtp.Wait`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from ..container.errors import HostError

WAIT: Final = 30.0
"""Seconds that one question waits for the next mail."""
PATIENCE: Final = WAIT + 15
"""Seconds that a client waits for the answer to it."""
RETRY: Final = 1.0
NO_SERVICE: Final = "rpc: can't find service smtp.Wait"
"""What a host without an smtp plugin answers (docs/reference/rpc.md, 'On the wire')."""
AWAY: Final = "the host does not answer; trying again"


class Caller(Protocol):
    """A connection to the host's RPC bus. `call` raises a HostError when there is no answer, or an error for one."""

    def call(self, method: str, argument: object = True) -> Any:
        """Call `plugin.Method` and return its result."""
        ...

    def close(self) -> None:
        """Close the connection. Idempotent."""
        ...


def past(caller: Caller) -> dict[str, Any]:
    """Return all that the host remembers, as `smtp.Wait` gives it, in one piece. Raises HostError.

    One without an smtp plugin gets a sentence of its own.
    """
    found: dict[str, Any] = {"cursor": 0, "history": "", "messages": []}
    while True:
        asked = {"cursor": found["cursor"], "history": found["history"], "timeout": 0}
        try:
            more = caller.call("smtp.Wait", asked)
        except HostError as error:
            if str(error) == NO_SERVICE:
                raise HostError("this host has no smtp plugin, so no mail comes to it; add the section smtp") from None
            raise
        if not more["messages"]:
            return {**more, "messages": found["messages"]}
        found = {**more, "messages": found["messages"] + more["messages"]}


def follow(
    connect: Callable[[], Caller], caller: Caller, known: Mapping[str, Any], away: Callable[[], None]
) -> Iterator[Mapping[str, Any]]:
    """Yield every mail that comes behind what is known, for ever.

    A host that goes away is waited for, and connected to again; `away` is called once for it.
    """
    cursor, history = known["cursor"], known["history"]
    lost = False
    try:
        while True:
            try:
                if lost:
                    caller = connect()
                result = caller.call("smtp.Wait", {"cursor": cursor, "history": history, "timeout": WAIT})
            except HostError:
                caller.close()
                if not lost:
                    away()
                lost = True
                time.sleep(RETRY)
                continue
            lost = False
            cursor, history = result["cursor"], result["history"]
            yield from result["messages"]
    finally:
        caller.close()


def line(mail: Mapping[str, Any]) -> str:
    """Return a mail as one line: when, from whom, to whom, what about, how large, and what the client was told."""
    when = datetime.fromisoformat(mail["received_at"]).astimezone()
    told = f"{mail['code']} {mail['reply']}" + (f" ({mail['reason']})" if mail["reason"] else "")
    to = ", ".join(mail["to"])
    text = f"{when:%H:%M:%S} <{mail['from']}> -> {to} | {mail['subject'] or '-'} | {_size(mail['size'])} | {told}"
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _size(size: float) -> str:
    for unit in ("B", "KB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} MB"
