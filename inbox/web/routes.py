"""The API as data: every route, its parameters and its answers. The server and the OpenAPI document come from this."""

from __future__ import annotations

from typing import Final

from ..records import Detail, MessageList, Release
from ..refusals import RefusalList
from ..store.query import OPERATORS
from ..wait_request import MAX_WAIT, WITHIN
from ..waiting import MAX_COUNT
from .html import COLOR_SCHEMES, Blocked
from .models import (
    TEXT,
    Checked,
    Cleared,
    CodeFound,
    ConnectionList,
    Info,
    LinkList,
    MailboxList,
    Marked,
    Posted,
    ReleaseTo,
)
from .route import MAILBOX_PARAMETER, Answer, Parameter, Route
from .rules import RULE_ROUTES

PREFIX: Final = "/api/v1"
BYTES: Final = "application/octet-stream"
MAX_LIMIT: Final = 500
"""Messages of one answer."""
MAX_POSTED: Final = 25 * 1024 * 1024
"""Bytes of a message that a client puts in."""
MAX_SEARCH: Final = 256
"""Characters of a search. Its cost grows with them, and mail waits for it."""
MAX_MARKED: Final = 5000
"""Characters of the texts that the page of a message's HTML marks; the `hits` of any search have fewer."""


_FORMS = "a part, after `=` the whole, after `~` a regular expression of RE2; case does not count"
_ID = Parameter("id", "path", TEXT, "the message's id, or `latest` for the newest message")
_PART = Parameter("number", "path", {"type": "integer", "minimum": 1}, "its number in the message")
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50}
_NUMBER = {"type": "integer", "minimum": 0}
_ONCE = {"type": "integer", "minimum": 0, "maximum": 1, "default": 0}
_SCHEME = {"type": "string", "enum": list(COLOR_SCHEMES), "default": COLOR_SCHEMES[0]}
_SEARCH = {"type": "string", "maxLength": MAX_SEARCH}
_READ = {"type": "integer", "minimum": 0, "maximum": 1, "default": 1}
_CHOSEN = (
    MAILBOX_PARAMETER,
    Parameter("id", "query", TEXT, f"the message's id; several times for several, at most {MAX_LIMIT}"),
    Parameter("search", "query", _SEARCH, "those that fit this search, as the list has it"),
    Parameter("before", "query", _NUMBER, "those with a number below this one"),
)
_LENGTH = {"type": "integer", "minimum": 1, "maximum": 64}
_TIMEOUT = {"type": "number", "minimum": 0, "maximum": MAX_WAIT, "default": 30}

_AFTER = {"oneOf": [_NUMBER, {"type": "string", "enum": ["now", "latest"]}], "default": 0}
_ORDER = {"type": "string", "enum": ["newest", "oldest"], "default": "newest"}
_COUNT = {"type": "integer", "minimum": 1, "maximum": MAX_COUNT}
_WITHIN = {"type": "number", "minimum": 0, "maximum": MAX_WAIT, "default": WITHIN}
_WAIT = (
    Parameter("to", "query", TEXT, f"a recipient: {_FORMS}"),
    Parameter("from", "query", TEXT, "the sender, in the same way"),
    Parameter("subject", "query", TEXT, "the subject, in the same way"),
    Parameter("body", "query", TEXT, "the text, or the text of the HTML, in the same way"),
    Parameter("header", "query", TEXT, "`Name: value`, the value in the same way; several times for several"),
    Parameter("after", "query", _AFTER, "a number: only a later message fits; `now`: one that arrives from now on"),
    Parameter("order", "query", _ORDER, "which of the messages that are there"),
    Parameter("count", "query", _COUNT, "wait for so many, and answer a list"),
    Parameter("claim", "query", {"type": "string", "maxLength": 100}, "no other request of this name gets the message"),
    Parameter("none", "query", _ONCE, "1: wait for none; a message that fits is an error, 409"),
    Parameter("within", "query", _WITHIN, "seconds, with `none`; then the answer is 204"),
    Parameter("timeout", "query", _TIMEOUT, "seconds to wait; then the answer is 408"),
    MAILBOX_PARAMETER,
)

ROUTES: Final = (
    Route(
        "GET",
        "/messages",
        "list_messages",
        "List the messages, newest first",
        Answer(200, "the messages", MessageList),
        (
            MAILBOX_PARAMETER,
            Parameter("limit", "query", _LIMIT, "the number of messages at most"),
            Parameter("before", "query", _NUMBER, "`next` of the previous answer"),
            Parameter(
                "search", "query", _SEARCH, f"words and operators: {', '.join(f'{name}:' for name in OPERATORS)}"
            ),
        ),
        (400,),
    ),
    Route(
        "DELETE",
        "/messages",
        "delete_messages",
        "Delete every message, or those that `id`, or `search` and `before`, choose",
        Answer(200, "they are deleted", Cleared),
        _CHOSEN,
        (400,),
    ),
    Route(
        "POST",
        "/messages",
        "post",
        "Put a message in, as if a mail server had received it",
        Answer(201, "it is stored", Posted),
        (
            Parameter("from", "query", TEXT, "the sender; without it that of the header From"),
            Parameter("to", "query", TEXT, "a recipient; may come several times; without it those of To, Cc and Bcc"),
            MAILBOX_PARAMETER,
        ),
        (400, 413),
        max_body=MAX_POSTED,
        raw_body="message/rfc822",
    ),
    Route(
        "PATCH",
        "/messages",
        "mark_messages",
        "Mark every message, or those that `id`, or `search` and `before`, choose",
        Answer(200, "they are marked", Marked),
        (Parameter("read", "query", _READ, "1: as read; 0: as unread"), *_CHOSEN),
        (400,),
    ),
    Route(
        "GET",
        "/messages/{id}",
        "get",
        "Get a message",
        Answer(200, "the message", Detail),
        (_ID, MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "DELETE",
        "/messages/{id}",
        "delete",
        "Delete a message",
        Answer(204, "it is deleted"),
        (_ID, MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/raw",
        "raw",
        "Get a message as it arrived, byte for byte",
        Answer(200, "the message", media_type="message/rfc822"),
        (_ID, MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/html",
        "html",
        "Get a message's HTML, rewritten so that it is safe to show",
        Answer(200, "a page that runs nothing and loads nothing", media_type="text/html"),
        (
            _ID,
            MAILBOX_PARAMETER,
            Parameter("remote_images", "query", _ONCE, "1: the browser may load the images that are not in the mail"),
            Parameter("color_scheme", "query", _SCHEME, "the scheme that the mail is shown in, whatever the browser's"),
            Parameter(
                "mark", "query", TEXT, "a text that is marked, as the `hits` of a search; several times for several"
            ),
        ),
        (400, 403, 404),
    ),
    Route(
        "GET",
        "/messages/{id}/blocked",
        "blocked",
        "Get the number of things that the page of a message's HTML leaves out",
        Answer(200, "the numbers", Blocked),
        (_ID, MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/check",
        "check",
        "Check a message without a network: its headers, its HTML, its links",
        Answer(200, "what is wrong", Checked),
        (_ID, MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/attachments/{number}",
        "attachment",
        "Get an attachment, decoded",
        Answer(200, "its bytes, as a download", media_type=BYTES),
        (_ID, _PART, MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/attachments/{number}/preview",
        "preview",
        "Get a preview of an attachment: of a picture, a PDF or a text, whatever its declared type",
        Answer(200, "a picture, a PDF, or plain text in UTF-8, its first megabyte", media_type="*/*"),
        (_ID, _PART, MAILBOX_PARAMETER),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/attachments.zip",
        "archive",
        "Get all attachments as one zip file, under names that are safe and given once",
        Answer(200, "the file, as a download", media_type="application/zip"),
        (_ID, MAILBOX_PARAMETER),
        (404, 413),
    ),
    Route(
        "GET",
        "/messages/{id}/links",
        "links",
        "Get a message's links, or the one that fits",
        Answer(200, "the links", LinkList),
        (
            _ID,
            Parameter("text", "query", TEXT, f"the words of the link: {_FORMS}"),
            Parameter("host", "query", TEXT, "its host, whole; `*` stands for any text"),
            Parameter("pattern", "query", TEXT, "a regular expression of RE2 that finds something in its address"),
            MAILBOX_PARAMETER,
        ),
        (400, 404, 422),
    ),
    Route(
        "GET",
        "/messages/{id}/code",
        "code",
        "Get the code of a message: of a sign-in, a confirmation, a second factor",
        Answer(200, "the code", CodeFound),
        (
            _ID,
            Parameter("length", "query", _LENGTH, "its characters"),
            Parameter("pattern", "query", TEXT, "a regular expression of RE2 that the whole code fits"),
            Parameter("optional", "query", _ONCE, "1: for no code, or for several, the answer has an empty `code`"),
            MAILBOX_PARAMETER,
        ),
        (400, 404, 422),
    ),
    Route(
        "POST",
        "/messages/{id}/release",
        "release",
        "Send a message to real addresses, through the relay of `inbox.relay`",
        Answer(200, "the relay has taken it for all addresses", Release),
        (_ID,),
        (400, 403, 404, 409, 413, 502, 504),
        ReleaseTo,
        users_only=True,
    ),
    Route(
        "GET",
        "/wait",
        "wait",
        "Get the message that fits, as soon as there is one",
        Answer(200, "the message; with `count` an AwaitedList; status 204 for `none=1`", Detail),
        _WAIT,
        (400, 404, 408, 409),
    ),
    Route(
        "GET",
        "/refusals",
        "list_refusals",
        "List the refusals, newest first: commands, messages and sessions that the server refused",
        Answer(200, "the refusals", RefusalList),
        (MAILBOX_PARAMETER,),
    ),
    Route(
        "DELETE",
        "/refusals",
        "clear_refusals",
        "Delete every refusal",
        Answer(200, "they are deleted", Cleared),
        (MAILBOX_PARAMETER,),
    ),
    Route(
        "GET",
        "/mailboxes",
        "list_mailboxes",
        "List the mailboxes, the one with the newest message first",
        Answer(200, "the mailboxes", MailboxList),
        of_all=True,
    ),
    Route(
        "DELETE",
        "/mailboxes/{name}",
        "delete_mailbox",
        "Delete a mailbox, with its messages and refusals; `default` stays, empty",
        Answer(204, "it is deleted"),
        (Parameter("name", "path", TEXT, "its name, in any case"),),
        (404,),
        of_all=True,
    ),
    Route(
        "GET",
        "/stream",
        "stream",
        "Follow the events of the inbox, as server-sent events",
        Answer(200, "events, until the host stops", media_type="text/event-stream"),
        (
            MAILBOX_PARAMETER,
            Parameter("Last-Event-ID", "header", TEXT, "the last event that the client has"),
            Parameter("last_event_id", "query", TEXT, "the same, for a client that cannot send the header"),
        ),
    ),
    Route(
        "GET",
        "/connections",
        "list_connections",
        "List the open connections",
        Answer(200, "the connections", ConnectionList),
    ),
    Route(
        "DELETE",
        "/connections/{uuid}",
        "close_connection",
        "Close a connection at once",
        Answer(204, "it is closed"),
        (Parameter("uuid", "path", TEXT, "the connection's"),),
        (404,),
    ),
    Route(
        "GET",
        "/info",
        "info",
        "Get the host's version, its address and its limits",
        Answer(200, "the host", Info),
        of_all=True,
    ),
    *RULE_ROUTES,
    Route("GET", "/openapi.json", "openapi", "Get this document", Answer(200, "OpenAPI 3.1"), of_all=True),
)
