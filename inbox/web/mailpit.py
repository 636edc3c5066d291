"""Mailpit's REST API below `/mailpit`, for the client libraries of Mailpit: the mail of the inbox in Mailpit's JSON.

`docs/how-to/from-mailpit.md` has what is served. The guard and the login stand before it as before our own API. Names,
types and defaults are those of Mailpit's `server/apiv1`; an error is one of ours, with Mailpit's status.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ...container.version import VERSION
from ...mime.extract.links import links_of
from ...mime.message import parse
from ..config import InboxConfig
from ..mailbox import Mailbox
from ..records import Stored, Summary
from ..store.query import EVERYTHING, Query
from .answers import Answers
from .downloads import POLICY, attachment_name, download, message_name
from .mailboxes import mailbox_of
from .mailpit_json import head_of, message_of, query_of, summary_of, text_of
from .mailpit_send import sent_mail
from .problems import Problem
from .routes import MAX_LIMIT

PREFIX: Final = "/mailpit"
SEND: Final = f"{PREFIX}/api/v1/send"
MAX_START: Final = 1_000_000
"""Messages that an answer leaves out at most."""
_LATEST: Final = "latest"
_ANSWERS: Final = 4
"""Answers with messages at the same time."""

_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)

Endpoint = Callable[[Request], Awaitable[Response]]


class Change(msgspec.Struct, frozen=True):
    """The body of a request that changes messages. `search`: those that fit it."""

    ids: list[str] | None = msgspec.field(name="IDs", default=None)
    read: bool = msgspec.field(name="Read", default=False)
    search: str = msgspec.field(name="Search", default="")


class Mailpit:
    """The endpoints. A request that cannot be answered raises Problem."""

    def __init__(self, mailbox: Mailbox, config: InboxConfig) -> None:
        self._mailbox = mailbox
        self._config = config
        self._answers = Answers(_ANSWERS)

    def endpoints(self) -> Mapping[str, Mapping[str, Endpoint]]:
        """Return the endpoints by path and method."""
        api, message = f"{PREFIX}/api/v1", f"{PREFIX}/api/v1/message/{{id}}"
        views = f"{PREFIX}/view", f"{PREFIX}//view"  # cypress-mailpit asks for the second one
        absent = dict.fromkeys(("GET", "POST", "PUT", "DELETE"), _not_served)
        return {
            f"{api}/messages": {"GET": self.list, "PUT": self.mark, "DELETE": self.delete},
            f"{api}/search": {"GET": self.search, "DELETE": self.delete_found},
            f"{api}/info": {"GET": self.info},
            f"{api}/webui": {"GET": self.web_ui},
            SEND: {"POST": self.send},
            f"{api}/tags": {"GET": self.tags, "PUT": _not_served},
            message: {"GET": partial(self._answer, self.get)},
            f"{message}/headers": {"GET": partial(self._answer, self.headers)},
            f"{message}/raw": {"GET": partial(self._answer, self.raw)},
            f"{message}/part/{{part}}": {"GET": partial(self._answer, self.part)},
            f"{message}/link-check": {"GET": partial(self._answer, self.links)},
            **{f"{place}/{{id}}.html": {"GET": partial(self._answer, self.html)} for place in views},
            **{f"{place}/{{id}}.txt": {"GET": partial(self._answer, self.text)} for place in views},
            f"{PREFIX}/{{path:path}}": absent,
        }

    async def _answer(self, endpoint: Callable[[Request, Stored], Awaitable[Response]], request: Request) -> Response:
        """Answer with a message, in its turn."""

        async def make() -> Response:
            return await endpoint(request, await self._read(request))

        return self._answers.answer(request, make)

    # Lists

    async def list(self, request: Request) -> Response:
        """Return a part of the list, newest first."""
        return self._answers.answer(request, partial(self._list, request, EVERYTHING))

    async def search(self, request: Request) -> Response:
        """Return a part of the messages that fit a search."""
        return self._answers.answer(request, partial(self._list, request, _query_of(request)))

    async def _list(self, request: Request, search: Query | None) -> Response:
        """Return a part of the messages that fit a search; None for a search that none fits."""
        start = _whole(request, "start", 0, MAX_START)
        end = start + min(_whole(request, "limit", 50, MAX_LIMIT) or MAX_LIMIT, MAX_LIMIT)
        mailbox = mailbox_of(request)
        found: list[Summary] = []
        count = unread = 0
        before = None
        while True:
            most = end - count if search == EVERYTHING else MAX_LIMIT  # the messages that fit are counted, too
            part = await self._mailbox.list_messages(
                limit=min(most, MAX_LIMIT), before=before, search=search or EVERYTHING, mailbox=mailbox
            )
            before = part.next
            if search is None:
                break
            for each in part.messages:
                listed = msgspec.json.decode(each, type=Summary)
                found += [listed] if start <= count < end else []
                count += 1
                unread += not listed.read
            if before is None or (search == EVERYTHING and count >= end):
                break
        if search == EVERYTHING:
            count, unread = part.total, part.unread
        messages = [shown for each in found if (shown := await self._summary(each, mailbox)) is not None]
        return _json(
            {
                "total": part.total,
                "unread": part.unread,
                "count": len(messages),
                "messages_count": count,
                "messages_unread": unread,
                "start": start,
                "tags": [],
                "messages": messages,
            }
        )

    async def _summary(self, listed: Summary, mailbox: str | None) -> dict[str, Any] | None:
        """Return a message as the list has it; None for one that was deleted meanwhile."""
        stored = await self._mailbox.read(listed.id, mailbox)
        return None if stored is None else await anyio.to_thread.run_sync(summary_of, listed, stored)

    # Changes

    async def mark(self, request: Request) -> Response:
        """Mark all messages, those of the ids, or those of the search."""
        change = _change_of(request)
        if change.ids and change.search:
            raise Problem(400, "You may specify either IDs or a search query, not both")
        mailbox = mailbox_of(request)
        for chosen in _chosen(change):
            await self._mailbox.mark(change.read, chosen, None, mailbox)
        return PlainTextResponse("ok")

    async def delete(self, request: Request) -> Response:
        """Delete all messages, or those of the ids."""
        mailbox = mailbox_of(request)
        for chosen in _chosen(msgspec.structs.replace(_change_of(request), search="")):
            await self._mailbox.delete_many(chosen, None, mailbox)
        return PlainTextResponse("ok")

    async def delete_found(self, request: Request) -> Response:
        """Delete the messages that fit a search."""
        search = _query_of(request)
        if search is not None:
            await self._mailbox.delete_many(search, None, mailbox_of(request))
        return PlainTextResponse("ok")

    # One message

    async def _read(self, request: Request) -> Stored:
        name, mailbox = request.path_params["id"], mailbox_of(request)
        if name == _LATEST and request.query_params.get("query"):
            search = _query_of(request)
            listed = search and await self._mailbox.list_messages(limit=1, before=None, search=search, mailbox=mailbox)
            if not listed or not listed.messages:
                raise Problem(404, "message not found")
            name = msgspec.json.decode(listed.messages[0], type=Summary).id
        found = await self._mailbox.read(name, mailbox)
        if found is None:
            raise Problem(404, "message not found")
        return found

    async def get(self, request: Request, stored: Stored) -> Response:
        """Return a whole message, and mark it as read."""
        message = await anyio.to_thread.run_sync(message_of, stored)
        if request.method == "GET":
            await self._mailbox.mark(True, [message["ID"]], None, mailbox_of(request))
        return _json(message)

    async def headers(self, _: Request, stored: Stored) -> Response:
        """Return the headers, still encoded, by their names in Go's spelling."""
        found: dict[str, list[str]] = {}
        for name, value in head_of(stored).headers_list:
            found.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value.strip())
        return _json(dict(sorted(found.items())))

    async def raw(self, request: Request, stored: Stored) -> Response:
        """Return a message as it arrived."""
        response = download(stored.content, "text/plain; charset=utf-8", message_name(stored.listed().subject))
        if request.query_params.get("dl") != "1":
            del response.headers["Content-Disposition"]
        return response

    async def part(self, request: Request, stored: Stored) -> Response:
        """Return an attachment, decoded, as its own type. A browser saves it: it may be anything."""
        message = await anyio.to_thread.run_sync(parse, stored.content)
        for number, each in enumerate(message.attachments, 1):
            if str(number) == request.path_params["part"]:
                media_type = each.content_type if _TYPE.fullmatch(each.content_type) else "application/octet-stream"
                content = await anyio.to_thread.run_sync(each.content)
                return download(content, media_type, attachment_name(each.filename, number, each.content_type))
        raise Problem(404, "part not found")

    async def links(self, _: Request, stored: Stored) -> Response:
        """Return the links of the web in a message. rrpy requests none of them, so none has a status or an error."""
        message = await anyio.to_thread.run_sync(parse, stored.content)
        links = [each.href for each in links_of(message) if each.href.startswith(("http://", "https://"))]
        shown = [{"URL": each, "StatusCode": 0, "Status": "not requested"} for each in links]
        return _json({"Errors": 0, "Links": shown})

    async def html(self, _: Request, stored: Stored) -> Response:
        """Return the HTML as it is in the mail, for a program. A browser runs and loads nothing of it."""
        message = await anyio.to_thread.run_sync(parse, stored.content)
        if not message.html_body:
            raise Problem(404, "This message does not contain a HTML part")
        headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
        return Response(message.html_body, headers=headers, media_type="text/html")

    async def text(self, _: Request, stored: Stored) -> Response:
        """Return the text."""
        message = await anyio.to_thread.run_sync(parse, stored.content)
        return PlainTextResponse(text_of(message), headers={"Content-Security-Policy": POLICY})

    # The host

    async def send(self, request: Request) -> Response:
        """Keep a message, as if a client had sent it."""
        mail = await anyio.to_thread.run_sync(sent_mail, request.state.body)
        await self._mailbox.add(mail, mailbox_of(request))
        return _json({"ID": mail.id})

    async def tags(self, _: Request) -> Response:
        """Return the tags: there are none."""
        return _json([])

    async def info(self, request: Request) -> Response:
        """Return the host as Mailpit describes itself. What rrpy does not count is 0."""
        listed = await self._mailbox.list_messages(limit=1, before=None, mailbox=mailbox_of(request))
        counted = ("Uptime", "Memory", "MessagesDeleted", "SMTPAccepted", "SMTPAcceptedSize", "SMTPRejected")
        return _json(
            {
                "Version": f"rrpy {VERSION}",
                "LatestVersion": "",
                "Database": self._config.path,
                "DatabaseSize": listed.bytes,
                "Messages": listed.total,
                "Unread": listed.unread,
                "Tags": {},
                "RuntimeStats": dict.fromkeys((*counted, "SMTPIgnored"), 0),
            }
        )

    async def web_ui(self, _: Request) -> Response:
        """Return what Mailpit's page asks for. It offers neither a relay, chaos nor SpamAssassin."""
        texts = ("SMTPServer", "ReturnPath", "AllowedRecipients", "BlockedRecipients", "OverrideFrom")
        relay = {"Enabled": False, **dict.fromkeys(texts, ""), "PreserveMessageIDs": False, "RecipientAllowlist": ""}
        flags = ("SpamAssassin", "ChaosEnabled", "DuplicatesIgnored", "HideDeleteAllButton")
        return _json({"Label": "rrpy", "MessageRelay": relay, **dict.fromkeys(flags, False)})


async def _not_served(request: Request) -> Response:
    raise Problem(501, f"rrpy does not serve {request.method} {request.url.path} of Mailpit's API")


# Requests


def _whole(request: Request, name: str, default: int, most: int) -> int:
    """Return a number of a request; the default for another text, as Mailpit does."""
    text = request.query_params.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 10 else default


def _change_of(request: Request) -> Change:
    body = request.state.body
    try:
        return msgspec.json.decode(body, type=Change) if body.strip() else Change()
    except ValueError as error:  # msgspec.MsgspecError is one, UnicodeDecodeError too
        raise Problem(400, f"the body is not that of Mailpit's API: {error}") from None


def _chosen(change: Change) -> Sequence[Query | Sequence[str]]:
    """Return what a change is for: a search, or its ids in parts."""
    if change.search:
        search = query_of(change.search)
        return [] if search is None else [search]
    ids = change.ids or []
    return [ids[at : at + MAX_LIMIT] for at in range(0, len(ids), MAX_LIMIT)] or [EVERYTHING]


def _query_of(request: Request) -> Query | None:
    text = request.query_params.get("query", "").strip()
    if not text:
        raise Problem(400, "Error: no search query")
    return query_of(text)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
