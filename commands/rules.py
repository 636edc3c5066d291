"""`rrpy rules`: the rules by which a running host fails on purpose (docs/how-to/failures.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..container.text import printable
from .console import fail, say, to_json
from .running import RunningHost

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that a host has for each answer."""
ACTIONS: Final = ("add", "remove", "clear")


def run_rules(
    host: RunningHost, action: str | None, words: Sequence[str], mailbox: str | None, *, as_json: bool
) -> None:
    """Show the rules, or change them. `words`: of the action. `mailbox`: show and change its rules alone.

    Raises HostError; ends with a sentence for words that the action does not take.
    """
    if action == "add":
        rule = rule_of(words)
        if mailbox and rule.setdefault("mailbox", mailbox) != mailbox:
            fail(printable(f"mailbox is {rule['mailbox']!r}; the rule must be of {mailbox!r}"), 2)
        found = [_call(host, "smtp.AddRule", rule)]
    elif action == "remove":
        if not words or not all(each.isascii() and each.isdecimal() for each in words):
            fail("give the numbers of the rules: rrpy rules remove 3", 2)
        known = {str(each["number"]) for each in _call(host, "smtp.Rules", mailbox)} if mailbox else set(words)
        for each in words:
            if each not in known:
                fail(printable(f"the mailbox {mailbox} has no rule {each}"), 1)
            _call(host, "smtp.RemoveRule", int(each))
            say(f"rule {each} is removed")
        return
    elif words:
        fail(f"{action or 'rrpy rules'} takes no {printable(words[0])}", 2)
    elif action == "clear":
        count = _call(host, "smtp.ClearRules", mailbox or "")
        say(f"{count:,} rule{'' if count == 1 else 's'} removed")
        return
    else:
        found = _call(host, "smtp.Rules", mailbox or "")
    if as_json:
        say(to_json(found))
    elif found:
        from .table import printed

        say(printed(_table(found)))
    else:
        say("This host has no rules.")


def rule_of(words: Sequence[str]) -> dict[str, Any]:
    """Return the rule of these words: `KEY=VALUE` each, the name of a preset, or JSON."""
    if not words:
        fail('give the rule: rrpy rules add at=rcpt "reply=452 4.2.2 Mailbox full", or the name of a preset', 2)
    if len(words) == 1 and words[0].startswith("{"):
        try:
            return dict(json.loads(words[0]))
        except ValueError as error:
            fail(f"the rule is not JSON: {error}", 2)
    rule: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            rule[key] = _value(key, value)
        elif "preset" in rule or "=" in "".join(words[:1]):
            fail(f"{printable(word)} is not KEY=VALUE, such as at=rcpt", 2)
        else:
            rule["preset"] = word
    return rule


def _value(key: str, text: str) -> Any:
    if key == "at" and "," in text:
        return text.split(",")
    return {"true": True, "false": False}.get(text, text)


def _call(host: RunningHost, method: str, argument: Any) -> Any:
    with host.connect(ANSWER_TIMEOUT) as client:
        return client.call(method, argument)


def _table(found: Sequence[Mapping[str, Any]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for column, right in (("NUMBER", True), ("HITS", True), ("SEEN", True), ("RULE", False)):
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for each in found:
        rule = " ".join(_shown(key, value) for key, value in each["rule"].items())
        table.add_row(*(f"{each[name]:,}" for name in ("number", "hits", "seen")), Text(printable(rule)))
    return table


def _shown(key: str, value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    if isinstance(value, bool):
        text = text.lower()
    return f"{key}={json.dumps(text, ensure_ascii=False) if ' ' in text else text}"
