"""The tools. Each is a model of its arguments: its docstring describes the tool, its fields describe the arguments.

`run` asks the inbox, and returns what the agent gets. All that a mail has is bounded and marked (`untrusted`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from .protocols import Inbox, ToolFailed
from .untrusted import MAX_TEXT, NOTICE, bounded, cut, marked

MAX_WAIT: Final = 300
"""Seconds of a wait."""
MAX_MAILS: Final = 50
"""Mails of one answer."""
SHOWN: Final = 20_000
"""Characters of a mail's text that an agent gets without a word about it."""
_LISTED: Final = (200, 10)
"""Characters of a text, and items of a list, for each mail of a list."""
_WHOLE: Final = (500, 50)
"""The same for a mail alone."""
_FORMS: Final = "a part; after `=` the whole; after `~` a regular expression (RE2). Case does not count"

Id = Annotated[str, Meta(min_length=1, max_length=200, description="the mail's id, or `latest` for the newest mail")]
Limit = Annotated[int, Meta(ge=1, le=MAX_MAILS, description="the number of mails at most")]
Before = Annotated[int | None, Meta(description="`next` of the previous answer, for the mails before it")]


class Result(NamedTuple):
    """What an agent gets: a text, and the same as JSON."""

    text: str
    data: Mapping[str, Any]


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """A call of a tool. `writes`: it changes the inbox."""

    writes: ClassVar[bool] = False

    async def run(self, inbox: Inbox) -> Result:
        """Return the result. Raises ToolFailed."""
        raise NotImplementedError


class ListMail(Call, frozen=True):
    """List the caught mails, newest first: id, time, sender, recipients, subject and the first words of each."""

    limit: Limit = 20
    before: Before = None

    async def run(self, inbox: Inbox) -> Result:
        """Return a part of the list."""
        return await _list(inbox, {"limit": self.limit, "before": self.before})


class SearchMail(Call, frozen=True):
    """Search the caught mails, newest first. Words must all be in a mail; `word*` is the begin of a word.

    Operators: `from:`, `to:`, `subject:`, `has:attachment`, `before:2026-11-01`, `after:`, `larger:1M`; `-` excludes.
    """

    query: Annotated[str, Meta(min_length=1, max_length=256, description="words and operators")]
    limit: Limit = 20
    before: Before = None

    async def run(self, inbox: Inbox) -> Result:
        """Return a part of what fits."""
        return await _list(inbox, {"search": self.query, "limit": self.limit, "before": self.before})


class WaitForMail(Call, frozen=True):
    """Wait for a mail that fits all arguments, and return it. A mail that is there already fits too.

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
    none: Annotated[bool, Meta(description="wait for none: a mail that fits within `timeout` is the error")] = False
    timeout: Annotated[float, Meta(ge=0, le=MAX_WAIT, description="seconds to wait")] = 30

    async def run(self, inbox: Inbox) -> Result:
        """Return the mail."""
        texts = {"to": self.to, "from": self.from_, "subject": self.subject, "body": self.body, "claim": self.claim}
        query: dict[str, Any] = {name: text for name, text in texts.items() if text}
        query |= {
            "after": str(self.after),
            "order": self.order,
            "within" if self.none else "timeout": str(self.timeout),
        }
        if self.header:
            query["header"] = self.header
        if self.none:
            query["none"] = "1"
        mail = await inbox.ask("GET", "/wait", query, timeout=self.timeout)
        if mail is None:
            return Result("No mail that fits has come.", {"found": False})
        return _mail(mail, "text", 0, SHOWN)


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
        mail = await inbox.ask("GET", f"/messages/{quote(self.id, safe='')}", {})
        return _mail(mail, self.format, self.offset, self.max_chars)


class DeleteMail(Call, frozen=True):
    """Delete a mail from the inbox. This cannot be undone."""

    writes: ClassVar[bool] = True

    id: Id

    async def run(self, inbox: Inbox) -> Result:
        """Delete it."""
        await inbox.ask("DELETE", f"/messages/{quote(self.id, safe='')}", {})
        return Result("The mail is deleted.", {"deleted": True})


CALLS: Final[Mapping[str, type[Call]]] = {
    "list_mail": ListMail,
    "search_mail": SearchMail,
    "wait_for_mail": WaitForMail,
    "get_mail": GetMail,
    "delete_mail": DeleteMail,
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
    if call.writes and not await may_write(inbox):
        raise ToolFailed(f"the inbox does not permit {name}: inbox.mcp.write is false")
    return await made.run(inbox)


def failure_of(error: ToolFailed) -> Result:
    """Return what an agent gets of a failure: the reason, and the mails that came instead, marked."""
    if not error.received:
        return Result(str(error), {"error": str(error)})
    received = [bounded(each, *_LISTED) for each in error.received[:MAX_MAILS]]
    lines = [_line(f"{each.get('from')}  {each.get('subject')}  {'; '.join(each.get('why', []))}") for each in received]
    text = f"{error}\nThese came instead. {marked(chr(10).join(lines))}"
    return Result(text, {"error": str(error), "notice": NOTICE, "untrusted": {"received": received}})


async def may_write(inbox: Inbox) -> bool:
    """Return whether agents may change the inbox."""
    return bool((await inbox.ask("GET", "/info", {})).get("agents_write"))


async def _list(inbox: Inbox, query: Mapping[str, Any]) -> Result:
    page = await inbox.ask("GET", "/messages", query)
    mails = [_summary(each, *_LISTED) for each in page["messages"]]
    lines = [f"{each['id']}  {each['received_at']}  {each['header_from']}  {each['subject']}" for each in mails]
    text = marked("\n".join(line.replace("\n", " ") for line in lines)) if mails else "No mail."
    if page["next"] is not None:
        text += f"\nThere are more mails: say before={page['next']}."
    return Result(text, {"notice": NOTICE, "untrusted": {"mails": mails}, "next": page["next"], "total": page["total"]})


def _summary(summary: Mapping[str, Any], size: int, items: int) -> dict[str, Any]:
    keys = ("id", "number", "received_at", "from", "to", "header_from", "subject", "excerpt", "size", "attachments")
    found: dict[str, Any] = bounded({key: summary[key] for key in keys}, size, max(items, len(keys)))
    return found


def _mail(mail: Mapping[str, Any], form: str, offset: int, size: int) -> Result:
    """Return a mail for an agent. `form`: of GetMail."""
    described = _summary(mail["summary"], *_WHOLE)
    keys = ("number", "filename", "content_type", "size")
    described["attachments"] = bounded([{key: each[key] for key in keys} for each in mail["attachments"]], *_WHOLE)
    described["date"] = mail["date"]
    described.pop("excerpt")
    text, of = mail["text"] or mail["text_from_html"], "text"
    if form == "html":
        text, of = mail["html"], "html"
    elif form == "headers":
        text, of = _headers(mail["headers"]), "headers"
    piece, after = cut(text, offset, size)
    head = "\n".join(f"{key}: {_line(value)}" for key, value in described.items())
    shown = marked(f"{head}\n\n{piece}")
    if after is not None:
        shown += f"\nThis is not all of the {of}: say offset={after} for the rest."
    data = {"notice": NOTICE, "untrusted": {**described, of: piece}, "next_offset": after}
    return Result(shown, data)


def _headers(headers: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, values in headers.items() for value in values)


def _line(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text.replace("\n", " ")
