"""The rules by which the mail server fails on purpose: their routes and answers (docs/how-to/failures.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request

from ..mail_servers import MailServers
from ..protocols import RuleTable
from ..records import SCHEMAS
from .mailboxes import mailbox_of
from .models import TEXT
from .problems import Problem
from .route import MAILBOX_PARAMETER, Answer, Parameter, Route

_KEYS: Final = {"type": "object", "description": "the keys of a rule of `smtp.rules`"}
RULE: Final[dict[str, Any]] = {
    "title": "Rule",
    "description": "A rule. `hits`: how often it had its effect; `seen`: how often its conditions held.",
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "hits": {"type": "integer"},
        "seen": {"type": "integer"},
        "rule": _KEYS,
    },
    "required": ["number", "hits", "seen", "rule"],
}
"""The JSON of a rule, as the mail server gives it."""
_RULE = msgspec.Meta(extra_json_schema={"$ref": f"{SCHEMAS}Rule"})


class RuleList(msgspec.Struct, frozen=True):
    """The rules, in their order: the first one that fits decides."""

    rules: Sequence[Annotated[Any, _RULE]]


class AddedRule(msgspec.Struct, frozen=True):
    """The rule that was added."""

    rule: Annotated[Any, _RULE]


class NewRule(msgspec.Struct, frozen=True):
    """The keys of a rule of `smtp.rules`, such as `at` and `reply`; or its `preset`."""


class NewRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules: their keys, or the names of presets."""

    rules: list[dict[str, Any] | str]


class RemovedRules(msgspec.Struct, frozen=True):
    """The number of rules that were removed."""

    removed: int


RULE_ROUTES: Final = (
    Route(
        "GET",
        "/rules",
        "list_rules",
        "List the rules by which the mail server fails on purpose",
        Answer(200, "the rules", RuleList),
        (MAILBOX_PARAMETER,),
        (404,),
    ),
    Route(
        "POST",
        "/rules",
        "add_rule",
        "Add a rule after the others",
        Answer(200, "the rule", AddedRule),
        (MAILBOX_PARAMETER,),
        (400, 404, 413),
        NewRule,
    ),
    Route(
        "PUT",
        "/rules",
        "set_rules",
        "Put rules in place of the others; with a wrong one nothing changes",
        Answer(200, "the rules", RuleList),
        (MAILBOX_PARAMETER,),
        (400, 404, 413),
        NewRules,
    ),
    Route(
        "DELETE",
        "/rules/{rule}",
        "remove_rule",
        "Remove a rule",
        Answer(204, "it is removed"),
        (Parameter("rule", "path", TEXT, "its number"), MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "DELETE",
        "/rules",
        "clear_rules",
        "Remove the rules",
        Answer(200, "they are removed", RemovedRules),
        (MAILBOX_PARAMETER,),
        (404,),
    ),
)


class RuleRequests:
    """Answers the requests about rules. With `mailbox`, or a token for one, they are those of this mailbox alone."""

    def __init__(self, servers: MailServers) -> None:
        self._servers = servers

    def list(self, request: Request) -> RuleList:
        """Return the rules. Raises Problem."""
        mailbox, table = self._asked(request)
        return RuleList(table.list(mailbox))

    def add(self, request: Request) -> AddedRule:
        """Add a rule. Raises Problem."""
        mailbox, table = self._asked(request)
        try:
            return AddedRule(table.add(msgspec.json.decode(request.state.body), mailbox))
        except ValueError as error:  # msgspec.MsgspecError is one, UnicodeDecodeError too
            raise Problem(400, str(error)) from None

    def replace(self, request: Request) -> RuleList:
        """Put rules in place of the others. Raises Problem."""
        mailbox, table = self._asked(request)
        try:
            return RuleList(table.replace(msgspec.json.decode(request.state.body, type=NewRules).rules, mailbox))
        except ValueError as error:
            raise Problem(400, str(error)) from None

    def clear(self, request: Request) -> RemovedRules:
        """Remove the rules. Raises Problem."""
        mailbox, table = self._asked(request)
        return RemovedRules(table.clear(mailbox))

    def remove(self, request: Request) -> None:
        """Remove a rule. Raises Problem."""
        mailbox, table = self._asked(request)
        text = request.path_params["rule"]
        known = text.isascii() and text.isdecimal() and len(text) < 20
        if not known or not table.remove(int(text), mailbox):
            raise Problem(404, f"there is no rule {text}")

    def _asked(self, request: Request) -> tuple[str, RuleTable]:
        """Return the mailbox that a request is confined to, empty for all, and the rules."""
        mailbox = mailbox_of(request) or ""
        table = self._servers.rules
        if table is None:
            raise Problem(404, "the host has no mail server that fails by rule")
        return mailbox, table
