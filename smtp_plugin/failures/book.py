"""The rules of a server: from the configuration, and as its clients of RPC, HTTP and pytest change them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol, runtime_checkable

import msgspec

from ...container.errors import ConfigError
from ...mime.mailboxes import MailboxBy, mailbox_name
from ..protocol.failures import Effect, Failures, Rule, Stage, Test
from .conditions import CONDITIONS, MAILBOX_KNOWN_AT, MAX_INSTRUCTIONS, instructions, mailbox_test
from .config import RuleConfig, plain_rule, read_rule

MAX_RULES = 1000
"""Rules of one server; each step of a session looks at them one by one."""


@runtime_checkable
class NamesMailboxes(Protocol):
    """A plugin that says what names the mailboxes of a mail."""

    @property
    def mailbox_by(self) -> MailboxBy:
        """What names them."""
        ...


class RuleInfo(msgspec.Struct, frozen=True):
    """A rule and its counts.

    `number`: of the rule, for its removal. `hits`: how often the rule had its effect. `seen`: how often its conditions
    held. `rule`: the keys that its author has given.
    """

    number: int
    hits: int
    seen: int
    rule: dict[str, Any]


class RuleBook:
    """The rules in their order. `failures`: what sessions look at. `mailbox_by`: names the mailboxes of a mail."""

    def __init__(self, mailbox_by: Callable[[], MailboxBy] = MailboxBy) -> None:
        self.failures = Failures()
        self._mailbox_by = mailbox_by
        self._rules: list[tuple[Rule, RuleConfig]] = []
        self._last = 0

    def list(self, mailbox: str = "") -> list[RuleInfo]:
        """Return the rules, in their order. `mailbox`: those of this one alone; empty for all."""
        return [_info(rule, config) for rule, config in self._rules if _concerns(config, mailbox)]

    def add(self, value: object, mailbox: str = "") -> RuleInfo:
        """Add a rule after the others, as `read_rule` takes it. `mailbox`: the only one that it may touch.

        Raises ValueError.
        """
        return self._add(_confined(read_rule(value), mailbox))

    def running(self, number: int) -> Rule:
        """Return a rule itself, whose counts go on after its removal too. Raises KeyError for an unknown number."""
        return {rule.number: rule for rule, _ in self._rules}[number]

    def add_configured(self, configs: Sequence[RuleConfig | str]) -> None:
        """Add the rules of the configuration. Raises ConfigError."""
        for number, config in enumerate(configs):
            try:
                self._add(RuleConfig(preset=config) if isinstance(config, str) else config)  # type: ignore[arg-type]
            except ValueError as error:
                raise ConfigError(str(error), key=f"smtp.rules.{number}") from None

    def replace(self, values: Sequence[object], mailbox: str = "") -> Sequence[RuleInfo]:
        """Put these rules in place of all others; with a wrong one all stay as they are. Raises ValueError.

        `mailbox`: in place of those of this one alone.
        """
        configs = [_confined(read_rule(each), mailbox) for each in values]
        before = self._rules
        self._rules = [each for each in before if not _concerns(each[1], mailbox)]
        try:
            return [self._add(each) for each in configs]
        except ValueError:
            self._rules = before
            self._publish()
            raise
        finally:
            self._publish()

    def remove(self, number: int, mailbox: str = "") -> bool:
        """Remove a rule; return whether there was one of this number. `mailbox`: if it is of this one."""
        return self._remove(lambda rule, config: rule.number == number and _concerns(config, mailbox)) == 1

    def clear(self, mailbox: str = "") -> int:
        """Remove the rules, and return their number. `mailbox`: those of this one alone; empty for all."""
        return self._remove(lambda _, config: _concerns(config, mailbox))

    def _add(self, config: RuleConfig) -> RuleInfo:
        if len(self._rules) >= MAX_RULES:
            raise ValueError(f"there are {MAX_RULES} rules already")
        rule = self._compiled(config, self._last + 1)
        if rule.instructions + sum(each.instructions for each, _ in self._rules) > MAX_INSTRUCTIONS:
            raise ValueError(
                f"the regular expressions of all rules have more than {MAX_INSTRUCTIONS} instructions; "
                "give fewer rules with expressions, or shorter ones"
            )
        self._last += 1
        self._rules = [*self._rules, (rule, config)]
        self._publish()
        return _info(rule, config)

    def _remove(self, chosen: Callable[[Rule, RuleConfig], bool]) -> int:
        kept = [(rule, config) for rule, config in self._rules if not chosen(rule, config)]
        removed = len(self._rules) - len(kept)
        self._rules = kept
        self._publish()
        return removed

    def _publish(self) -> None:
        self.failures.rules = tuple(rule for rule, _ in self._rules)

    def _compiled(self, config: RuleConfig, number: int) -> Rule:
        whole = config.whole()
        effect = Effect(
            rule=number,
            reply=whole.parsed_reply(number),
            delay=float(whole.delay),
            drop=whole.when,
            partial=whole.partial,
            throttle=whole.throttle,
        )
        random = None if whole.seed is None else Random(whole.seed)  # noqa: S311 - no secret depends on it
        return Rule(
            whole.stages,
            self._tests(whole),
            effect,
            times=whole.times,
            after=whole.after,
            chance=whole.chance,
            random=random,
            per_triplet=whole.count == "triplet",
            instructions=sum(instructions(name, whole.condition(name)) for name in CONDITIONS),
        )

    def _tests(self, config: RuleConfig) -> Sequence[Test]:
        texts = {name: config.condition(name) for name in CONDITIONS}
        tests = [CONDITIONS[name](text) for name, text in texts.items() if text and name != "mailbox"]
        if config.mailbox:
            by = self._mailbox_by()
            known = MAILBOX_KNOWN_AT[by.form]
            for stage in config.stages:
                if [*Stage].index(stage) < [*Stage].index(known):
                    raise ValueError(f"mailbox is not known at {stage}; by inbox.mailbox_by it is from {known} on")
            tests.append(mailbox_test(config.mailbox, by))
        return tests


def _info(rule: Rule, config: RuleConfig) -> RuleInfo:
    return RuleInfo(rule.number, rule.hits, rule.seen, plain_rule(config))


def _confined(config: RuleConfig, mailbox: str) -> RuleConfig:
    """Return a rule of one mailbox alone. Raises ValueError for a rule of another one."""
    if not mailbox:
        return config
    if "*" in mailbox or mailbox.startswith(("~", "=")):
        raise ValueError(f"the mailbox {mailbox!r} can have no rules of its own: its name would fit others too")
    if config.mailbox and not _concerns(config, mailbox):
        raise ValueError(f"mailbox is {config.mailbox!r}; the rule must be of {mailbox!r}")
    return msgspec.structs.replace(config, mailbox=mailbox)


def _concerns(config: RuleConfig, mailbox: str) -> bool:
    return not mailbox or (config.mailbox != "" and mailbox_name(config.mailbox) == mailbox_name(mailbox))
