"""`rrpy wait`: wait for a mail of an inbox, and print it, its code or its link, for shell scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from ..container.errors import HostError
from ..container.text import printable
from .console import complain, say, to_json
from .inbox import Answer, Inbox

GRACE: Final = 30.0
"""Seconds that an answer may take beyond the wait."""


class Printed(NamedTuple):
    """What to print of a mail: JSON where none of these is set. `link`: the words of the link, empty for any."""

    text: bool = False
    code: bool = False
    link: str | None = None


def wait(url: str, parameters: Mapping[str, Any], printed: Printed) -> int:
    """Wait, print, and return the exit code: 1 for no mail in time, for an unwanted mail, for no code or link.

    The inbox decides about the parameters of its API: None and an empty list are not sent.
    """
    inbox = Inbox(url)
    given = {name: value for name, value in parameters.items() if value not in (None, ())}
    seconds = max(given.get("timeout", 30.0), given.get("within", 0.0))
    answer = inbox.ask(f"wait?{urlencode(given, doseq=True)}", timeout=seconds + GRACE)
    if answer.status == 204:
        return 0
    if answer.status != 200:
        return _fail(answer)
    try:
        found = json.loads(answer.content)
    except ValueError:
        raise HostError("the answer is not that of an inbox") from None
    if "messages" not in found:
        return _print(inbox, found, printed)
    codes: list[int] = []
    for each in found["messages"]:
        if printed.text and codes:
            say("")
        codes.append(_print(inbox, _whole(inbox, each["id"]), printed))
    return max(codes)


def _whole(inbox: Inbox, message_id: str) -> dict[str, Any]:
    answer = inbox.ask(f"messages/{message_id}")
    if answer.status != 200:
        raise HostError("the mail was deleted meanwhile")
    whole: dict[str, Any] = json.loads(answer.content)
    return whole


def _print(inbox: Inbox, found: Mapping[str, Any], printed: Printed) -> int:
    path = f"messages/{found['summary']['id']}"
    if printed.code:
        return _print_found(inbox.ask(f"{path}/code"), lambda answer: answer["code"])
    if printed.link is not None:
        query = urlencode({"text": printed.link}) if printed.link else "host=*"
        return _print_found(inbox.ask(f"{path}/links?{query}"), lambda answer: answer["links"][0]["href"])
    say(_as_text(found) if printed.text else to_json(found))
    return 0


def _print_found(answer: Answer, value: Any) -> int:
    if answer.status != 200:
        return _fail(answer)
    say(printable(value(json.loads(answer.content))))
    return 0


def _as_text(found: Mapping[str, Any]) -> str:
    """Return the mail for a person: sender, recipients, subject, and the text."""
    summary = found["summary"]
    head = [f"From: {summary['from']}", f"To: {', '.join(summary['to'])}", f"Subject: {summary['subject']}", ""]
    body = (found["text"] or found["text_from_html"]).splitlines()
    return "\n".join(map(printable, [*head, *body]))


def _fail(answer: Answer) -> int:
    """Report an answer that is an error: its sentence, and what came instead."""
    try:
        error = json.loads(answer.content)
        lines = [str(error["detail"])]
    except (ValueError, KeyError, TypeError):
        raise HostError(f"the inbox answered {answer.status}") from None
    for each in error.get("received", ()):
        lines.append(f"  <{each['from']}> -> {', '.join(each['to'])} | {each['subject']}")
        lines += [f"      {reason}" for reason in each["why"]]
    lines += [f"  {each['value']} | {each['points']} points: {each['reason']}" for each in error.get("candidates", ())]
    lines += [f"  {each['href']} | {each['text']}" for each in error.get("links", ())]
    complain(*lines)
    return 2 if answer.status == 400 else 1
