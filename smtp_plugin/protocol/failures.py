"""Failures on purpose: rules by which the server refuses, delays or cuts, for the tests of mail clients. Pure.

A rule is a row of a table: the stages of a session at which it looks, tests of the facts that are known there, and an
effect. The first rule of the table that fits decides. The dialog asks at each stage; its caller delays and cuts,
because the protocol has no clock and no socket.

The counts of a rule belong to one server and to all its sessions. `after` counts the steps that fit, `times` those at
which the rule had its effect: a step that `after` or `chance` spares does not count for `times`.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from .replies import Reply

MAX_TRIPLETS: Final = 10_000
"""Triplets that one rule knows; the one that it has not seen for the longest time is forgotten first."""


class Stage(enum.StrEnum):
    """Where a rule looks, in the order of a session. The end of BDAT counts as the one of DATA."""

    CONNECT = "connect"
    """The connection is made: the reply is the greeting."""
    HELLO = "hello"
    """HELO, EHLO or LHLO."""
    STARTTLS = "starttls"
    AUTH = "auth"
    """The client has sent its credentials."""
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """DATA, or the first BDAT of a message."""
    MESSAGE = "message"
    """The message is complete, and not delivered."""


class Facts(NamedTuple):
    """What is known at a stage. Texts are empty, `size` is None and `to` has nothing before they are known.

    `ip`: the client's number. `user`: of AUTH. `sender`: of the envelope. `to`: at `rcpt` the recipient of the command,
    later all of the transaction. `size`: in bytes, before the message as SIZE declares it. `content`: the message.
    `known`: what a test has read of the content, for the tests of the other rules.
    """

    stage: Stage
    ip: str
    helo: str
    user: str
    sender: str
    to: Sequence[str]
    size: int | None
    content: bytes
    known: dict[str, Any]


class Drop(enum.StrEnum):
    """When the connection is cut: at once, with no reply, or after the reply."""

    BEFORE = "before"
    AFTER = "after"


class Effect(NamedTuple):
    """What a rule does to one reply. `rule`: its number.

    `reply`: refuses, None to leave the server's own reply. `delay`: seconds before the reply. `drop`: None to go on.
    `partial`: only half of the reply's bytes are sent, then the connection is cut. `throttle`: bytes of the reply a
    second, 0 for no limit.
    """

    rule: int
    reply: Reply | None = None
    delay: float = 0.0
    drop: Drop | None = None
    partial: bool = False
    throttle: int = 0

    @property
    def refuses(self) -> bool:
        """Whether the command or message is not accepted."""
        return self.reply is not None or self.drop is Drop.BEFORE

    @property
    def spoils(self) -> bool:
        """Whether the caller of the dialog has something to do."""
        return bool(self.delay or self.drop or self.partial or self.throttle)


Test = Callable[[Facts], bool]


class Rule:
    """One row. `number`: in the table. `seen`: the steps that fitted. `hits`: those at which the rule had its effect.

    `tests`: all must hold. `after`: steps that are spared first. `times`: hits at most, 0 for no limit. `chance`: of a
    hit, 0 to 1; `random` decides. `per_triplet`: `after` and `times` count for each client, sender and recipient alone.
    `instructions`: of its regular expressions.
    """

    def __init__(
        self,
        stages: Collection[Stage],
        tests: Sequence[Test],
        effect: Effect,
        *,
        times: int = 0,
        after: int = 0,
        chance: float = 1.0,
        random: Random | None = None,
        per_triplet: bool = False,
        instructions: int = 0,
    ) -> None:
        self.number = effect.rule
        self.seen = 0
        self.hits = 0
        self.instructions = instructions
        self._stages = frozenset(stages)
        self._tests = tests
        self._effect = effect
        self._times = times
        self._after = after
        self._chance = chance
        self._random = random or Random()  # noqa: S311 - no secret depends on it
        self._counts: OrderedDict[object, tuple[int, int]] = OrderedDict()
        self._per_triplet = per_triplet

    def effect_at(self, facts: Facts) -> Effect | None:
        """Count a step; return the effect on it, None for a step that the rule does not fit or spares."""
        if facts.stage not in self._stages or not all(test(facts) for test in self._tests):
            return None
        # The hash alone: a hundred recipients of each of MAX_TRIPLETS would take 250 MB.
        key = hash((facts.ip, facts.sender, *facts.to)) if self._per_triplet else None
        seen, hits = self._counts.get(key, (0, 0))
        hit = (
            seen >= self._after
            and not 0 < self._times <= hits
            and (self._chance >= 1 or self._random.random() < self._chance)
        )
        self._counts[key] = seen + 1, hits + hit
        self._counts.move_to_end(key)
        if len(self._counts) > MAX_TRIPLETS:
            self._counts.popitem(last=False)
        self.seen += 1
        self.hits += hit
        return self._effect if hit else None


class Failures:
    """The rules of a server, in their order. `rules`: empty without one, which is all that a session then looks at."""

    __slots__ = ("rules",)

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)

    def effect_at(self, facts: Facts) -> Effect | None:
        """Return the effect of the first rule that has one on this step."""
        for rule in self.rules:
            effect = rule.effect_at(facts)
            if effect is not None:
                return effect
        return None
