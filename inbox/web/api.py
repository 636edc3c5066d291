"""The API: HTTP around the mailbox and the mail servers. Each method is one route of `routes.ROUTES`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ...container.version import VERSION
from ...mime.check.check import check
from ...mime.check.rules import SEVERITIES
from ...mime.message import Attachment, Message
from ...mime.message import parse as parse_message
from ..config import InboxConfig
from ..feed import EVENTS
from ..mail_servers import MailServers
from ..mailbox import Mailbox
from ..records import Stored
from ..relay.exchange import RelayError
from ..relay.release import Releaser
from ..waiting import Awaited
from . import extracts, models, routes
from .answers import Answers
from .archive import MAX_ARCHIVE, archive_of
from .disconnect import while_connected
from .downloads import attachment_name, download, message_name, shown
from .html import COLOR_SCHEMES, POLICY, REMOTE_POLICY, Rewriter
from .images import shown_images
from .login import MAILBOX
from .mailboxes import mailbox_of, permitted
from .openapi import openapi
from .parameters import MAX_NUMBER, chosen, flag, marked, number, search_of
from .posting import posted_mail
from .previews import preview_of
from .problems import Problem
from .route import JSON
from .rules import RuleRequests
from .stream import TYPE as STREAM_TYPE
from .stream import EventStream
from .waits import wait, wait_request

MAX_ANSWERS = 8
"""Large answers with a message at the same time, and as many with a list. The others wait, and hold no content."""
REWRITERS = 2
"""Messages whose HTML is rewritten at the same time, each in slices; or that are checked."""


class API:
    """The endpoints, one for each route. A request that cannot be answered raises Problem."""

    def __init__(
        self, mailbox: Mailbox, servers: MailServers, config: InboxConfig, releaser: Releaser, *, is_open: bool
    ) -> None:
        self._is_open = is_open
        self._mailbox = mailbox
        self._servers = servers
        self._config = config
        self._releaser = releaser
        self._messages = Answers(MAX_ANSWERS)
        self._lists = Answers(MAX_ANSWERS)
        self._rules = RuleRequests(servers)
        self._rewriting = anyio.Semaphore(REWRITERS)
        self._document = msgspec.json.encode(openapi(VERSION, EVENTS))

    async def list_messages(self, request: Request) -> Response:
        """Return a part of the list."""
        limit = number(request, "limit", 50, 1, routes.MAX_LIMIT)
        before = number(request, "before", None, 0, MAX_NUMBER)
        search = search_of(request)
        mailbox = mailbox_of(request)

        async def make() -> Response:
            found = await self._mailbox.list_messages(limit=limit, before=before, search=search, mailbox=mailbox)
            return _json(found)

        return self._lists.answer(request, make)

    async def delete_messages(self, request: Request) -> Response:
        """Delete every message, or the chosen ones."""
        return _json(models.Cleared(await self._mailbox.delete_many(*chosen(request), mailbox_of(request))))

    async def post(self, request: Request) -> Response:
        """Put a message in."""
        mailbox = mailbox_of(request)
        query = request.query_params
        mail = await anyio.to_thread.run_sync(posted_mail, request.state.body, query.get("from"), query.getlist("to"))
        await self._mailbox.add(mail, mailbox)
        return Response(msgspec.json.encode(models.Posted(mail.id)), 201, media_type=JSON)

    async def mark_messages(self, request: Request) -> Response:
        """Mark every message, or the chosen ones, as read or unread."""
        read = bool(number(request, "read", 1, 0, 1))
        return _json(models.Marked(await self._mailbox.mark(read, *chosen(request), mailbox_of(request))))

    async def list_mailboxes(self, request: Request) -> Response:
        """Return the mailboxes."""
        only = request.scope.get(MAILBOX)
        found = await self._mailbox.mailboxes()
        return _json(models.MailboxList([each for each in found if only in (None, each.name)]))

    async def delete_mailbox(self, request: Request) -> Response:
        """Delete a mailbox."""
        name = permitted(request, request.path_params["name"])
        if not await self._mailbox.delete_mailbox(name):
            raise Problem(404, f"there is no mailbox {name}")
        return Response(status_code=204)

    async def list_refusals(self, request: Request) -> Response:
        """Return the refusals."""
        return _json(self._mailbox.refusals.newest_first(mailbox_of(request)))

    async def clear_refusals(self, request: Request) -> Response:
        """Delete every refusal."""
        return _json(models.Cleared(self._mailbox.clear_refusals(mailbox_of(request))))

    async def get(self, request: Request) -> Response:
        """Return a whole message."""
        return self._messages.answer(request, partial(self._get, request))

    async def _get(self, request: Request) -> Response:
        return _response(await anyio.to_thread.run_sync((await self._read(request)).detail))

    async def delete(self, request: Request) -> Response:
        """Delete a message."""
        if not await self._mailbox.delete(request.path_params["id"], mailbox_of(request)):
            raise _no_message(request)
        return Response(status_code=204)

    async def raw(self, request: Request) -> Response:
        """Return a message as it arrived."""
        return self._messages.answer(request, partial(self._raw, request))

    async def _raw(self, request: Request) -> Response:
        stored = await self._read(request)
        return download(stored.content, "message/rfc822", message_name(stored.listed().subject))

    async def html(self, request: Request) -> Response:
        """Return the page that shows a message's HTML."""
        remote = flag(request, "remote_images")
        if remote and self._config.remote_images == "never":
            raise Problem(403, "inbox.remote_images is never")
        scheme = request.query_params.get("color_scheme", COLOR_SCHEMES[0])
        if scheme not in COLOR_SCHEMES:
            raise Problem(400, f"color_scheme is {scheme!r}; it is {' or '.join(COLOR_SCHEMES)}")
        return self._messages.answer(request, partial(self._html, request, remote, scheme, marked(request)))

    async def _html(self, request: Request, remote: bool, scheme: str, hits: Sequence[str]) -> Response:
        rewriter = await self._rewrite(request, remote, scheme, hits)
        headers = {"Content-Security-Policy": REMOTE_POLICY if remote else POLICY, "Referrer-Policy": "no-referrer"}
        page = await anyio.to_thread.run_sync(rewriter.page)
        return Response(page, headers=headers, media_type="text/html")

    async def blocked(self, request: Request) -> Response:
        """Return the number of things that the page of a message's HTML leaves out."""
        return self._messages.answer(request, partial(self._blocked, request))

    async def _blocked(self, request: Request) -> Response:
        return _json((await self._rewrite(request)).blocked)

    async def _rewrite(
        self, request: Request, remote: bool = False, scheme: str = COLOR_SCHEMES[0], hits: Sequence[str] = ()
    ) -> Rewriter:
        """Rewrite the HTML of a message. Each slice of the work waits for a thread anew."""
        async with self._rewriting:
            message = await self._parsed(await self._read(request))
            if not message.html_body:
                raise Problem(404, "the message has no HTML")
            rewriter = Rewriter(message.html_body, shown_images(message), remote, scheme, hits)
            while not await anyio.to_thread.run_sync(rewriter.work):
                pass
        return rewriter

    async def check(self, request: Request) -> Response:
        """Return what is wrong with a message."""
        return self._messages.answer(request, partial(self._check, request))

    async def _check(self, request: Request) -> Response:
        async with self._rewriting:
            stored = await self._read(request)
            findings = await anyio.to_thread.run_sync(check, stored.content)
        errors, warnings, hints = (sum(found.severity == each for found in findings) for each in SEVERITIES)
        return _json(models.Checked(findings, errors, warnings, hints))

    async def links(self, request: Request) -> Response:
        """Return the links of a message."""
        conditions = {name: request.query_params[name] for name in extracts.CONDITIONS if name in request.query_params}
        return self._messages.answer(request, partial(self._extract, request, extracts.links, conditions))

    async def code(self, request: Request) -> Response:
        """Return the code of a message."""
        length = number(request, "length", None, 1, 64)
        conditions = length, request.query_params.get("pattern"), flag(request, "optional")
        return self._messages.answer(request, partial(self._extract, request, extracts.code, *conditions))

    async def _extract(self, request: Request, extract: Callable[..., object], *conditions: object) -> Response:
        content = (await self._read(request)).content
        return _json(await anyio.to_thread.run_sync(extract, content, *conditions))

    async def attachment(self, request: Request) -> Response:
        """Return an attachment."""
        return self._messages.answer(request, partial(self._attachment, request))

    async def _attachment(self, request: Request) -> Response:
        number, found = await self._part(request)
        content = await anyio.to_thread.run_sync(found.content)
        return download(content, routes.BYTES, attachment_name(found.filename, number, found.content_type))

    async def preview(self, request: Request) -> Response:
        """Return a preview of an attachment."""
        return self._messages.answer(request, partial(self._preview, request))

    async def _preview(self, request: Request) -> Response:
        number, found = await self._part(request)
        made = await anyio.to_thread.run_sync(lambda: preview_of(found.content(), found.parameters.get("charset", "")))
        if made is None:
            raise Problem(404, f"attachment {number} is neither a picture, a PDF nor a text")
        return shown(made.content, made.media_type)

    async def _part(self, request: Request) -> tuple[int, Attachment]:
        """Return the attachment of a request, and its number. Raises Problem."""
        number = request.path_params["number"]
        position = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0
        stored = await self._mailbox.read(request.path_params["id"], mailbox_of(request))
        if stored is not None:
            attachments = (await self._parsed(stored)).attachments
            if 1 <= position <= len(attachments):
                return position, attachments[position - 1]
        raise Problem(404, f"there is no attachment {number} of message {request.path_params['id']}")

    async def archive(self, request: Request) -> Response:
        """Return all attachments as one file."""
        return self._messages.answer(request, partial(self._archive, request))

    async def _archive(self, request: Request) -> Response:
        stored = await self._read(request)
        attachments = (await self._parsed(stored)).attachments
        if not attachments:
            raise Problem(404, "the message has no attachments")
        size = sum(each.size for each in attachments)
        if size > MAX_ARCHIVE:
            raise Problem(413, f"the attachments have {size} bytes; an archive takes {MAX_ARCHIVE}, so get each alone")
        summary = stored.listed()
        content = await anyio.to_thread.run_sync(archive_of, attachments, summary.received_at)
        return download(content, "application/zip", message_name(summary.subject, ".zip"))

    async def release(self, request: Request) -> Response:
        """Send a message to real addresses."""
        try:
            wanted = msgspec.json.decode(request.state.body, type=models.ReleaseTo)
        except ValueError as error:  # msgspec.MsgspecError is one, UnicodeDecodeError too
            raise Problem(400, f'the body is not {{"to": ["ann@example.com"]}}: {error}') from None
        try:
            release = await self._releaser.release(request.path_params["id"], wanted.to)
        except RelayError as error:
            raise Problem(error.status, str(error)) from None
        if release is None:
            raise _no_message(request)
        return _json(release)

    async def wait(self, request: Request) -> Response:
        """Return the message that fits, or several, as soon as they are there."""
        wanted = wait_request(request)
        if request.method == "HEAD":
            return _response(b"")
        waited = await while_connected(request, lambda: wait(self._mailbox, wanted))
        if waited is None:
            return Response(status_code=204)
        if wanted.count is None:
            return self._messages.answer(request, partial(self._awaited, waited[0]))
        return self._lists.answer(request, partial(self._all_awaited, waited))

    async def _awaited(self, found: Awaited) -> Response:
        stored = found.message or await self._mailbox.read(found.id)
        if stored is None:
            raise Problem(404, "the message that fits was deleted")
        return _response(await anyio.to_thread.run_sync(stored.detail))

    async def _all_awaited(self, found: Sequence[Awaited]) -> Response:
        stored = [await self._mailbox.read(each.id) for each in found]
        return _json(models.AwaitedList([msgspec.Raw(each.summary) for each in stored if each is not None]))

    async def stream(self, request: Request) -> Response:
        """Follow the events of the inbox."""
        mailbox = mailbox_of(request)
        if self._mailbox.feed.full:
            raise Problem(503, "the stream has as many readers as it takes", {"Retry-After": "5"})
        if request.method == "HEAD":
            return Response(media_type=STREAM_TYPE)
        await self._mailbox.all_stored()
        last = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
        return EventStream(self._mailbox.feed, last, mailbox)

    async def list_connections(self, _: Request) -> Response:
        """List the open connections."""
        return _json(models.ConnectionList(self._servers.connections()))

    async def close_connection(self, request: Request) -> Response:
        """Close a connection."""
        if not self._servers.close_connection(request.path_params["uuid"]):
            raise Problem(404, "connection not found")
        return Response(status_code=204)

    async def list_rules(self, request: Request) -> Response:
        """Return the rules by which the mail server fails on purpose."""
        return _json(self._rules.list(request))

    async def add_rule(self, request: Request) -> Response:
        """Add a rule."""
        return _json(self._rules.add(request))

    async def set_rules(self, request: Request) -> Response:
        """Put rules in place of the others."""
        return _json(self._rules.replace(request))

    async def clear_rules(self, request: Request) -> Response:
        """Remove the rules."""
        return _json(self._rules.clear(request))

    async def remove_rule(self, request: Request) -> Response:
        """Remove a rule."""
        self._rules.remove(request)
        return Response(status_code=204)

    async def info(self, request: Request) -> Response:
        """Return the host's version, its address for mail, and the limits of the inbox."""
        config = self._config
        relay = models.RelayInfo(config.relay.address, config.relay.allow) if config.relay else None
        return _json(
            models.Info(
                version=VERSION,
                smtp_address=self._servers.smtp_address,
                max_messages=config.max_messages,
                max_bytes=config.max_bytes,
                max_age=float(config.max_age),
                persistent=bool(config.path),
                connections=bool(self._servers),
                open=self._is_open,
                relay=relay,
                remote_images=config.remote_images == "click",
                agents_write=config.mcp.write,
                mailbox_by=config.mailbox_by,
                max_mailboxes=config.max_mailboxes,
                mailbox=request.scope.get(MAILBOX, ""),
            )
        )

    async def openapi(self, _: Request) -> Response:
        """Return the API's own document."""
        return _response(self._document)

    async def _read(self, request: Request) -> Stored:
        found = await self._mailbox.read(request.path_params["id"], mailbox_of(request))
        if found is None:
            raise _no_message(request)
        return found

    async def _parsed(self, stored: Stored) -> Message:
        return await anyio.to_thread.run_sync(parse_message, stored.content)


def _no_message(request: Request) -> Problem:
    name = request.path_params["id"]
    return Problem(404, "the inbox is empty" if name == "latest" else f"there is no message {name}")


def _json(value: object) -> Response:
    return _response(msgspec.json.encode(value))


def _response(content: bytes) -> Response:
    return Response(content, media_type=JSON)
