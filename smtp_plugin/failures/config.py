"""One rule as its author writes it: its keys, and what is wrong with it. The same in rr.yaml, RPC, HTTP and pytest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from ...container.config.fields import Duration, decode_field
from ...container.errors import ConfigError
from ...mime.matching import FilterError
from ..protocol.failures import Drop, Stage
from ..protocol.replies import MAX_TEXT, Reply
from .conditions import CONDITIONS, KNOWN_AT
from .presets import PRESETS

StageName = Literal["connect", "hello", "starttls", "auth", "mail", "rcpt", "data", "message"]
PresetName = Literal["flaky", "full", "greylist", "slow", "spamtrap"]
Count = Annotated[int, Meta(ge=0)]

_KNOWN: Final[dict[str, Iterable[str]]] = {
    "at": Stage,
    "preset": PRESETS,
    "drop": ("true", "false", *Drop),
    "count": ("all", "triplet"),
}
_REPLY: Final = re.compile(r"(?P<code>[0-9]{3}) (?:(?P<enhanced>[0-9]\.[0-9]{1,3}\.[0-9]{1,3}) )?(?P<text>\S.*)")
_ANYWHERE: Final = frozenset((421, 450, 451, 550, 554))
_ORDER: Final = (*_ANYWHERE, 500, 501, 502, 503, 504)
CODES: Final[dict[Stage, frozenset[int]]] = {
    Stage.CONNECT: frozenset((*_ANYWHERE, 521)),
    Stage.HELLO: frozenset((*_ORDER, 521)),
    Stage.STARTTLS: frozenset((*_ORDER, 454)),
    Stage.AUTH: frozenset((*_ORDER, 432, 454, 530, 534, 535, 538)),
    Stage.MAIL: frozenset((*_ORDER, 452, 455, 530, 552, 553, 555)),
    Stage.RCPT: frozenset((*_ORDER, 452, 455, 521, 530, 551, 552, 553, 555, 556)),
    Stage.DATA: frozenset((*_ORDER, 452, 530, 552)),
    Stage.MESSAGE: frozenset((*_ANYWHERE, 452, 552)),
}
"""The codes that refuse at each stage: RFC 5321 section 4.3.2, RFC 3207, 3463, 4954, 7504, and common practice."""


class RuleConfig(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule by which the server fails on purpose. The first rule that fits decides."""

    at: Annotated[
        StageName | list[StageName],
        Meta(description="the stage of a session, or several; may be absent with a preset"),
    ] = []
    preset: Annotated[
        PresetName | None,
        Meta(description="the keys of a rule that has a name; a key beside it replaces its own"),
    ] = None
    ip: Annotated[
        str,
        Meta(
            description="the client's IP address, or a network such as `192.0.2.0/24`. Here and in the next keys a "
            "text fits the whole value, `*` in it stands for any text, and a text after `~` is a regular expression of "
            "RE2. Case does not count."
        ),
    ] = ""
    helo: Annotated[str, Meta(description="the name in HELO or EHLO")] = ""
    user: Annotated[str, Meta(description="the user name of AUTH")] = ""
    sender: Annotated[str, Meta(description="the sender of the envelope")] = field(name="from", default="")
    to: Annotated[
        str, Meta(description="a recipient: at `rcpt` the one of the command, later one of the transaction")
    ] = ""
    subject: Annotated[str, Meta(description="the subject, decoded")] = ""
    header: Annotated[str, Meta(description="a header: `Name: value`, or `Name` for any value")] = ""
    size: Annotated[
        str | int,
        Meta(
            description="the bytes of the message, such as `>1000000`, `<100` or `5000`. Before the stage `message` "
            "they are those that SIZE of MAIL declares."
        ),
    ] = ""
    mailbox: Annotated[
        str,
        Meta(description="the mailbox, as `inbox.mailbox_by` names it. All mailboxes of a message must fit."),
    ] = ""
    reply: Annotated[
        str, Meta(description="the refusal: a code, perhaps an enhanced code, and a text; 421 ends the session")
    ] = ""
    delay: Annotated[Duration, Meta(description="the time before the reply")] = Duration(0)
    drop: Annotated[
        bool | Literal["before", "after"],
        Meta(
            description="close the connection. `before` or `true`: without a reply, and nothing is accepted; `after`: "
            "after the reply."
        ),
    ] = False
    partial: Annotated[bool, Meta(description="send half of the reply, then cut the connection")] = False
    throttle: Annotated[Count, Meta(description="bytes of the reply a second; 0 means no limit")] = 0
    times: Annotated[
        Count,
        Meta(description="how often the rule has its effect, over all sessions; 0 means no limit"),
    ] = 0
    after: Annotated[Count, Meta(description="how many steps that fit the rule spares first")] = 0
    count: Annotated[
        Literal["all", "triplet"],
        Meta(description="what `times` and `after` count: all steps, or those of each client, sender and recipient"),
    ] = "all"
    chance: Annotated[float, Meta(ge=0, le=1, description="the probability of the effect")] = 1.0
    seed: Annotated[
        int | None, Meta(description="makes `chance` decide the same in each run; absent means at random")
    ] = None

    def __post_init__(self) -> None:
        whole = self.whole()
        if not whole.at:
            raise ConfigError("is absent", key="at", hint=f"the stages are {', '.join(Stage)}")
        _check_effect(whole)
        for name in CONDITIONS:
            if whole.condition(name):
                _check_condition(whole, name)

    def whole(self) -> RuleConfig:
        """Return the rule with the keys of its preset."""
        if not self.preset:
            return self
        given = {name: value for name, value in plain_rule(self).items() if name != "preset"}
        return msgspec.convert({**PRESETS[self.preset], **given}, RuleConfig, dec_hook=decode_field)

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages of the whole rule."""
        at = self.whole().at
        return [Stage(each) for each in ([at] if isinstance(at, str) else at)]

    @property
    def when(self) -> Drop | None:
        """When the connection is cut."""
        return Drop.BEFORE if self.drop is True else Drop(self.drop) if self.drop else None

    def condition(self, name: str) -> str:
        """Return the text of a condition; empty for none."""
        return str(getattr(self, "sender" if name == "from" else name))

    def parsed_reply(self, number: int) -> Reply | None:
        """Return the reply. `number`: of the rule, which the log and the inbox name. Raises ConfigError."""
        if not self.reply:
            return None
        found = _REPLY.fullmatch(self.reply)
        if found is None or not (self.reply.isascii() and self.reply.isprintable()) or len(self.reply) > MAX_TEXT:
            hint = f'write it as in "452 4.2.2 Mailbox full": one line of ASCII, at most {MAX_TEXT} characters'
            raise ConfigError(f"is {self.reply[:80]!r}", key="reply", hint=hint)
        code, enhanced = int(found["code"]), found["enhanced"] or ""
        if code // 100 not in (4, 5):
            raise ConfigError(f"has the code {code}", key="reply", hint="a rule refuses: 4xx for now, 5xx for good")
        if enhanced and int(enhanced[0]) != code // 100:
            raise ConfigError(f"has {enhanced} beside {code}", key="reply", hint="both begin with the same digit")
        return Reply(code, enhanced, found["text"], "smtp.rules", setting=f"smtp.rules: {number}")


def read_rule(value: object) -> RuleConfig:
    """Return a rule of plain values, as JSON has them; a text is the name of a preset. Raises ValueError."""
    try:
        plain = {"preset": value} if isinstance(value, str) else value
        return msgspec.convert(plain, RuleConfig, strict=False, dec_hook=decode_field)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$.")
        key = place.rstrip("`")
        known = RuleConfig.__struct_encode_fields__ if "unknown field" in text else _KNOWN.get(key.partition("[")[0])
        hint = f"; known are {', '.join(known)}" if known else ""
        raise ValueError(f"the rule is wrong: {key and f'{key}: '}{text}{hint}") from None
    except ConfigError as error:
        raise ValueError(f"the rule is wrong: {error}") from None


def plain_rule(rule: RuleConfig) -> dict[str, Any]:
    """Return the keys of a rule that its author has given, as JSON has them."""
    found: dict[str, Any] = msgspec.to_builtins(rule, enc_hook=str)
    return found | ({"delay": str(rule.delay)} if "delay" in found else {})


def _check_effect(rule: RuleConfig) -> None:
    if not (rule.reply or rule.delay or rule.drop or rule.partial or rule.throttle):
        raise ConfigError("has no effect", hint="a rule needs reply, delay, drop, partial or throttle")
    if rule.when is Drop.BEFORE and (rule.reply or rule.partial or rule.throttle):
        raise ConfigError("is before, so there is no reply", key="drop", hint="leave reply, partial and throttle out")
    reply = rule.parsed_reply(0)
    for stage in rule.stages if reply is not None else ():
        if reply is not None and reply.code not in CODES[stage]:
            known = ", ".join(map(str, sorted(CODES[stage])))
            raise ConfigError(f"has {reply.code}, which does not fit {stage}", key="reply", hint=f"known are {known}")


def _check_condition(rule: RuleConfig, name: str) -> None:
    try:
        CONDITIONS[name](rule.condition(name))
    except FilterError as error:
        raise ConfigError(str(error).removeprefix(f"{name} "), key=name) from None
    known = KNOWN_AT[name]
    for stage in rule.stages:
        if [*Stage].index(stage) < [*Stage].index(known):
            raise ConfigError(f"is not known at {stage}", key=name, hint=f"it is from {known} on")
