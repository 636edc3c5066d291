"""The tools. Each is a model of its arguments: its docstring describes the tool, its fields describe the arguments.

`run` asks the inbox, and returns what the agent gets. All that a mail has is bounded and marked (`untrusted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta, Struct

from .protocols import Inbox, ToolFailed
from .results import (
    LINK,
    LISTED,
    MAX_MAILS,
    SHOWN,
    WHOLE,
    Result,
    bounded_list,
    found_of,
    listed,
    mail_of,
)
from .untrusted import MAX_TEXT, bounded

MAX_WAIT: Final = 300
"""Seconds of a wait."""
_FORMS: Final = "a part; after `=` the whole; after `~` a regular expression (RE2). Case does not count"

_Seconds = Annotated[float, Meta(ge=0, le=MAX_WAIT)]
Id = Annotated[
    str, Meta(pattern="^[A-Za-z0-9_-]{1,100}$", description="the mail's id, or `latest` for the newest mail")
]
"""A part of a path, so none with dots or slashes."""
Limit = Annotated[int, Meta(ge=1, le=MAX_MAILS, description="the number of mails at most")]
Before = Annotated[int | None, Meta(description="`next` of the previous answer, for the mails before it")]


class Call(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A call of a tool. `writes`: it changes the inbox."""

    writes: ClassVar[bool] = False

    mailbox: Annotated[str, Meta(max_length=1000, description="only this mailbox; empty for all")] = ""

    def query(self, **values: Any) -> dict[str, Any]:
        """Return the parameters of a request, without those that have no value."""
        return {name: value for name, value in {**values, "mailbox": self.mailbox}.items() if value not in (None, "")}

    async def run(self, inbox: Inbox) -> Result:
        """Return the result. Raises ToolFailed."""
        raise NotImplementedError


class ListMail(Call, frozen=True):
    """List the caught mails, newest first: id, time, sender, recipients, subject and the first words of each."""

    limit: Limit = 20
    before: Before = None

    async def run(self, inbox: Inbox) -> Result:
        """Return a part of the list."""
        return listed(await inbox.ask("GET", "/messages", self.query(limit=self.limit, before=self.before)))


class SearchMail(Call, frozen=True):
    """Search the caught mails, newest first. A mail must have all words; quotes keep words together, `-` excludes.

    Operators: `from:ann`, `to:`, `subject:`, `body:`, `header:x-tag:welcome`, `has:attachment`, `is:unread`,
    `before:2026-11`, `after:2h`, `larger:1MB`.
    """

    search: Annotated[str, Meta(min_length=1, max_length=256, description="words and operators")]
    limit: Limit = 20
    before: Before = None

    async def run(self, inbox: Inbox) -> Result:
        """Return a part of what fits."""
        return listed(
            await inbox.ask("GET", "/messages", self.query(search=self.search, limit=self.limit, before=self.before))
        )


class WaitForMail(Call, frozen=True):
    """Wait for a mail that fits all arguments, and return it; with `count` a list. A mail that is there fits too.

    When the time is over, the error lists what came instead, and why each does not fit.
    """

    to: Annotated[str, Meta(description=f"a recipient: {_FORMS}")] = ""
    from_: Annotated[str, Meta(description="the sender, in the same way")] = msgspec.field(name="from", default="")
    subject: Annotated[str, Meta(description="the subject, in the same way")] = ""
    body: Annotated[str, Meta(description="the text, or the words of the HTML, in the same way")] = ""
    header: Annotated[list[str], Meta(max_length=20, description="`Name: value`, the value in the same way")] = []
    after: Annotated[
        int | Literal["now", "latest"],
        Meta(description="only mails with a `number` above this one; `now`: only mails that arrive from now on"),
    ] = 0
    order: Annotated[
        Literal["newest", "oldest"], Meta(description="which of the mails that are there already and fit")
    ] = "newest"
    claim: Annotated[str, Meta(max_length=100, description="a name: no other wait of this name gets the mail")] = ""
    count: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_MAILS)] | None, Meta(description="wait for so many mails, and list them")
    ] = None
    none: Annotated[bool, Meta(description="succeed when no mail that fits comes `within` so many seconds")] = False
    within: Annotated[_Seconds | None, Meta(description="seconds, with `none`; 5 by default")] = None
    timeout: Annotated[_Seconds | None, Meta(description="seconds to wait; 30 by default")] = None

    async def run(self, inbox: Inbox) -> Result:
        """Return the mail, or the list."""
        texts = {"to": self.to, "from": self.from_, "subject": self.subject, "body": self.body, "claim": self.claim}
        query = self.query(**texts, header=self.header or None, after=str(self.after), order=self.order)
        query |= self.query(count=self.count, within=self.within, timeout=self.timeout)
        seconds = max(self.within or 0, 30 if self.timeout is None else self.timeout)
        if self.none:
            await inbox.ask("GET", "/wait", {**query, "none": "1"}, timeout=seconds)
            return Result("No mail that fits has come.", {"found": False})
        # With `count` the answer is small, however large the mail: many waits may end at once.
        found = await inbox.ask("GET", "/wait", {"count": 1, **query}, timeout=seconds)
        if self.count:
            return listed({"messages": found["messages"], "next": None, "total": len(found["messages"])})
        mail = await inbox.ask("GET", _path(found["messages"][0]["id"]), self.query())
        return mail_of(mail, "text", 0, SHOWN)


class GetMail(Call, frozen=True):
    """Get a mail: its sender, recipients, subject, attachments, and its text; `format` for its HTML or its headers."""

    id: Id
    format: Annotated[
        Literal["text", "html", "headers"],
        Meta(description="`text`: the plain text, or the words of the HTML of a mail without one"),
    ] = "text"
    offset: Annotated[int, Meta(ge=0, description="`next_offset` of the previous answer, for the rest")] = 0
    max_chars: Annotated[int, Meta(ge=1, le=MAX_TEXT, description="characters of the text at most")] = SHOWN

    async def run(self, inbox: Inbox) -> Result:
        """Return the mail."""
        mail = await inbox.ask("GET", _path(self.id), self.query())
        return mail_of(mail, self.format, self.offset, self.max_chars)


class GetLink(Call, frozen=True):
    """Get the link of a mail that fits all arguments; without them all its links. In doubt the error lists them."""

    id: Id
    text: Annotated[str, Meta(description=f"the words of the link: {_FORMS}")] = ""
    host: Annotated[str, Meta(description="its host, whole; `*` stands for any text")] = ""
    pattern: Annotated[str, Meta(description="a regular expression (RE2) that finds something in its address")] = ""

    async def run(self, inbox: Inbox) -> Result:
        """Return the links."""
        query = self.query(text=self.text, host=self.host, pattern=self.pattern)
        found = await inbox.ask("GET", f"{_path(self.id)}/links", query)
        return found_of({"links": bounded_list(found["links"], LINK)})


class GetCode(Call, frozen=True):
    """Get the code of a mail: of a sign-in, a confirmation, a second factor. In doubt the error lists candidates."""

    id: Id
    length: Annotated[int, Meta(ge=0, le=100, description="its characters; 0 for any number")] = 0
    pattern: Annotated[str, Meta(description="a regular expression (RE2) that the whole code fits")] = ""

    async def run(self, inbox: Inbox) -> Result:
        """Return the code."""
        query = self.query(length=self.length or None, pattern=self.pattern)
        found = await inbox.ask("GET", f"{_path(self.id)}/code", query)
        return found_of({"code": bounded(found["code"], *LISTED)})


class CheckMail(Call, frozen=True):
    """Check a mail without a network: headers, HTML, links, unsubscribing, DKIM. It names each fault and its remedy."""

    id: Id

    async def run(self, inbox: Inbox) -> Result:
        """Return the findings."""
        checked = await inbox.ask("GET", f"{_path(self.id)}/check", self.query())
        return found_of({"findings": bounded_list(checked["findings"], WHOLE)})


class DeleteMail(Call, frozen=True):
    """Delete a mail from the inbox. This cannot be undone."""

    writes: ClassVar[bool] = True

    id: Id

    async def run(self, inbox: Inbox) -> Result:
        """Delete it."""
        await inbox.ask("DELETE", _path(self.id), self.query())
        return Result("The mail is deleted.", {"deleted": True})


class ListRules(Call, frozen=True):
    """List the rules by which the mail server fails on purpose, each with its number and its hits."""

    async def run(self, inbox: Inbox) -> Result:
        """Return the rules."""
        found = await inbox.ask("GET", "/rules", self.query())
        return found_of({"rules": bounded_list(found["rules"], WHOLE)})


class AddRule(Call, frozen=True):
    """Add a rule by which the mail server fails on purpose, to test how the software of your user copes with it.

    For example `{"at": "rcpt", "to": "*@full.example", "reply": "452 4.2.2 Mailbox full", "times": 2}`, or
    `{"preset": "greylist"}`. Stages: connect, hello, starttls, auth, mail, rcpt, data, message. Effects: reply, delay,
    drop, partial, throttle; `times`, `after` and `chance` bound them. A wrong rule is an error that names the fault.
    """

    writes: ClassVar[bool] = True

    rule: Annotated[dict[str, Any], Meta(description="the keys of the rule")]

    async def run(self, inbox: Inbox) -> Result:
        """Return the rule with its number."""
        found = await inbox.ask("POST", "/rules", self.query(), body=self.rule)
        return found_of({"rule": bounded(found["rule"], *WHOLE)})


class RemoveRule(Call, frozen=True):
    """Remove a rule of the mail server by its number; without one all rules."""

    writes: ClassVar[bool] = True

    number: Annotated[int, Meta(ge=0, description="of the rule; 0 for all of them")] = 0

    async def run(self, inbox: Inbox) -> Result:
        """Remove it."""
        await inbox.ask("DELETE", f"/rules/{self.number}" if self.number else "/rules", self.query())
        return Result("Removed.", {"removed": True})


CALLS: Final[Mapping[str, type[Call]]] = {
    "list_mail": ListMail,
    "search_mail": SearchMail,
    "wait_for_mail": WaitForMail,
    "get_mail": GetMail,
    "get_link": GetLink,
    "get_code": GetCode,
    "check_mail": CheckMail,
    "list_rules": ListRules,
    "delete_mail": DeleteMail,
    "add_rule": AddRule,
    "remove_rule": RemoveRule,
}


def schema_of(call: type[Call]) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments."""
    _, schemas = msgspec.json.schema_components([call])
    schema = dict(schemas[call.__name__])
    for key in ("title", "description"):
        schema.pop(key, None)
    return schema


def description_of(call: type[Call]) -> str:
    """Return what a tool does, for agents."""
    return " ".join((call.__doc__ or "").split())


async def call_tool(inbox: Inbox, name: str, arguments: Mapping[str, Any]) -> Result:
    """Call a tool. Raises ToolFailed."""
    call = CALLS.get(name)
    if call is None:
        raise ToolFailed(f"there is no tool {name[:100]!r}; there are {', '.join(CALLS)}")
    try:
        made = msgspec.convert(arguments, call)
    except msgspec.ValidationError as error:
        raise ToolFailed(f"the arguments of {name} are wrong: {error}") from None
    try:
        if call.writes and not await may_write(inbox):
            raise ToolFailed(f"the inbox does not permit {name}: inbox.mcp.write is false")
        return await made.run(inbox)
    except (AttributeError, KeyError, IndexError, TypeError):
        raise ToolFailed("the answer of the inbox has another form; is it an inbox of this version of rrpy?") from None


async def may_write(inbox: Inbox) -> bool:
    """Return whether agents may change the inbox."""
    info = await inbox.ask("GET", "/info", {})
    return isinstance(info, Mapping) and bool(info.get("agents_write"))


def _path(identifier: str) -> str:
    return f"/messages/{identifier}"
