"""`rrpy tail`: the past and the new mail and refusals of a running host, from its method `smtp.Wait`."""

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


def show_mail(host: RunningHost, count: int, *, once: bool, refused: bool, as_json: bool) -> None:
    """Print the last `count` messages and refusals, then new ones until Ctrl+C. Raises HostError.

    `once`: only the last ones. `refused`: only refusals, and messages that a worker refused.
    """
    client = ReconnectingClient(lambda: host.connect(ANSWER_TIMEOUT))
    with closing(client), suppress(KeyboardInterrupt):
        known, entries = _past(client)
        past = [entry for entry in entries if not refused or _is_refused(entry)]
        if not all(_show(entry, as_json) for entry in past[max(0, len(past) - count) :]) or once:
            return
        for entry in _new(client, known):
            if (not refused or _is_refused(entry)) and not _show(entry, as_json):
                return


def _is_refused(entry: Mapping[str, Any]) -> bool:
    return bool(entry["kind"] == "refusal" or entry["code"] >= 400)


def _past(client: ReconnectingClient) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """Return the last answer of `smtp.Wait`, and all that the host remembers, in order."""
    known: Mapping[str, Any] = {"cursor": 0, "refusal_cursor": 0, "history": ""}
    found: list[Mapping[str, Any]] = []
    while True:
        try:
            known = client.call("smtp.Wait", {**_position(known), "timeout": 0})
        except HostError as error:
            if str(error) == NO_SERVICE:
                raise HostError("this host has no smtp plugin, so it gets no mail; add the section smtp") from None
            raise
        more = _entries(known)
        if not more:
            return known, sorted(found, key=_time)
        found += more


def _new(client: ReconnectingClient, known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every message and refusal after the known ones, for ever. It waits for a host that goes away."""
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
        yield from _entries(known)


def _position(known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: known[name] for name in ("cursor", "refusal_cursor", "history")}


def _entries(known: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return messages and refusals of an answer, in order."""
    return sorted([*known["messages"], *known["refusals"]], key=_time)


def _time(entry: Mapping[str, Any]) -> str:
    return str(entry["at"] if entry["kind"] == "refusal" else entry["received_at"])


def _show(entry: Mapping[str, Any], as_json: bool) -> bool:
    """Print a message or a refusal, and return whether stdout has a reader."""
    if as_json:
        text = printable_json(json.dumps(entry))
    else:
        text = refusal_line(entry) if entry["kind"] == "refusal" else line(entry)
    return say(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))


def line(mail: Mapping[str, Any]) -> str:
    """Return a message as one line: time, sender, recipients, subject, size, and the reply with its reason."""
    when = datetime.fromisoformat(mail["received_at"]).astimezone()
    reply = f"{mail['code']} {mail['reply']}" + (f" ({mail['reason']})" if mail["reason"] else "")
    to = ", ".join(mail["to"])
    subject, size = mail["subject"] or "-", size_text(mail["size"])
    return printable(f"{when:%H:%M:%S} <{mail['from']}> -> {to} | {subject} | {size} | {reply}")


def refusal_line(refusal: Mapping[str, Any]) -> str:
    """Return a refusal as one line: time, client, command, and the reply or the reason, with the setting."""
    when = datetime.fromisoformat(refusal["at"]).astimezone()
    what = "session ended" if refusal["ended"] else "refused"
    client = " ".join(filter(None, (refusal["remote_addr"], refusal["helo"])))
    said = f"{refusal['code']} {refusal['reply']}" if refusal["code"] else refusal["reason"]
    setting = f" ({refusal['setting']})" if refusal["setting"] else ""
    more = f" | {refusal['left_out']} more before" if refusal["left_out"] else ""
    return printable(f"{when:%H:%M:%S} {what}: {client} | {refusal['command'] or '-'} | {said}{setting}{more}")
