"""The API, as data: every route with what it takes and gives. The server and its OpenAPI document come from this."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from .connections import Connection
from .problems import PROBLEM_TYPE, ProblemBody
from .records import Detail, Summary

PREFIX: Final = "/api/v1"
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
MAX_LIMIT: Final = 500
"""Messages in one answer."""
MAX_SEARCH: Final = 256
"""Characters: what a search costs, and keeps the mail waiting, grows with them."""
MAX_WAIT: Final = 300
"""Seconds."""
TEXT: Final[dict[str, Any]] = {"type": "string"}


class MessageList(msgspec.Struct, frozen=True):
    """A part of the list, newest first.

    `next`: the value of `before` for those behind these, null where there are none. `total`, `bytes`: of the whole
    inbox; bytes are what `inbox.max_bytes` counts.
    """

    messages: list[Summary]
    next: int | None
    total: int
    bytes: int


class ConnectionList(msgspec.Struct, frozen=True):
    """The connections that are open, oldest first."""

    connections: list[Connection]


class Cleared(msgspec.Struct, frozen=True):
    """How many messages went."""

    deleted: int


class Info(msgspec.Struct, frozen=True):
    """The host: its version, where it takes mail (empty when that is not known), and what the inbox keeps, 0 for all.

    `connections`: whether it can tell of them.
    """

    version: str
    smtp_address: str
    max_messages: int
    max_bytes: int
    persistent: bool
    connections: bool


class Parameter(NamedTuple):
    """A parameter of a request. `place`: path, query or header."""

    name: str
    place: str
    schema: dict[str, Any]
    description: str


class Answer(NamedTuple):
    """What a route gives when all is well. `model`: the JSON, None for what is not JSON."""

    status: int
    description: str
    model: type[msgspec.Struct] | None = None
    media_type: str = JSON


class Route(NamedTuple):
    """One operation. `name`: the method of the API that does it; `errors`: the statuses beside those of every route."""

    method: str
    path: str
    name: str
    summary: str
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[int, ...] = ()


_ID = Parameter("id", "path", TEXT, "the message's id, or `latest` for the newest")
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50}
_NUMBER = {"type": "integer", "minimum": 0}
_SEARCH = {"type": "string", "maxLength": MAX_SEARCH}
_TIMEOUT = {"type": "number", "minimum": 0, "maximum": MAX_WAIT, "default": 30}

ROUTES: Final = (
    Route(
        "GET",
        "/messages",
        "list_messages",
        "List the messages, newest first",
        Answer(200, "the messages", MessageList),
        (
            Parameter("limit", "query", _LIMIT, "how many at most"),
            Parameter("before", "query", _NUMBER, "`next` of the answer before"),
            Parameter(
                "search", "query", _SEARCH, "words that are all in the subject, an address, the text or a file's name"
            ),
        ),
        (400,),
    ),
    Route("DELETE", "/messages", "clear", "Delete every message", Answer(200, "they are gone", Cleared)),
    Route("GET", "/messages/{id}", "get", "Get a message", Answer(200, "the message", Detail), (_ID,), (404,)),
    Route("DELETE", "/messages/{id}", "delete", "Delete a message", Answer(204, "it is gone"), (_ID,), (404,)),
    Route(
        "GET",
        "/messages/{id}/raw",
        "raw",
        "Get a message as it came, byte for byte",
        Answer(200, "the message", media_type="message/rfc822"),
        (_ID,),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/html",
        "html",
        "Get a message's HTML, made safe to be shown",
        Answer(200, "a page that runs nothing and loads nothing", media_type="text/html"),
        (_ID,),
        (404,),
    ),
    Route(
        "GET",
        "/messages/{id}/attachments/{number}",
        "attachment",
        "Get an attachment, decoded",
        Answer(200, "its bytes, as a download", media_type=BYTES),
        (_ID, Parameter("number", "path", {"type": "integer", "minimum": 1}, "its number in the message")),
        (404,),
    ),
    Route(
        "GET",
        "/wait",
        "wait",
        "Get the newest message that fits, as soon as there is one",
        Answer(200, "the message", Detail),
        (
            Parameter("to", "query", TEXT, "one of its recipients, whatever its case"),
            Parameter("from", "query", TEXT, "its sender, whatever its case"),
            Parameter("subject", "query", TEXT, "what its subject holds, whatever its case"),
            Parameter("after", "query", _NUMBER, "only one whose number is above this"),
            Parameter("timeout", "query", _TIMEOUT, "seconds to wait; the answer is 404 when they are over"),
        ),
        (400, 404),
    ),
    Route(
        "GET",
        "/stream",
        "stream",
        "Follow what happens, as server-sent events",
        Answer(200, "events, until the host stops", media_type="text/event-stream"),
        (Parameter("Last-Event-ID", "header", TEXT, "the last event that is known"),),
    ),
    Route(
        "GET",
        "/connections",
        "list_connections",
        "List the connections that are open",
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
    Route("GET", "/info", "info", "Get what the host says of itself", Answer(200, "the host", Info)),
    Route("GET", "/openapi.json", "openapi", "Get this document", Answer(200, "OpenAPI 3.1")),
)
ERRORS: Final = {
    400: "a parameter or the Host header is wrong",
    403: "the request is from another web page, or for a host name that is not allowed",
    404: "there is no such thing, or none came in time",
    500: "the inbox failed",
    503: "too many follow the stream, the host stops, or its database fails",
}
EVERYWHERE: Final = (400, 403, 500, 503)


def openapi(version: str, events: dict[str, str]) -> dict[str, Any]:
    """Return the API's OpenAPI 3.1 document. `version`: of the host; `events`: those of the stream."""
    models = [ProblemBody, *(route.answer.model for route in ROUTES if route.answer.model is not None)]
    _, schemas = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route, events)
    info = {"title": "rrpy inbox", "version": version, "description": "The mail that a host has caught."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _operation(route: Route, events: dict[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.answer.description}
    if route.answer.status != 204:
        answer["content"] = {route.answer.media_type: {"schema": _schema(route.answer)}}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [
            {
                "name": each.name,
                "in": each.place,
                "required": each.place == "path",
                "schema": each.schema,
                "description": each.description,
            }
            for each in route.parameters
        ],
        "responses": {str(route.answer.status): answer},
    }
    if route.name == "stream":
        operation["description"] = "\n".join(f"- `{name}`: {meaning}" for name, meaning in events.items())
    problem = {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
    for status in sorted({*EVERYWHERE, *route.errors}):
        operation["responses"][str(status)] = {"description": ERRORS[status], "content": {PROBLEM_TYPE: problem}}
    return operation


def _schema(answer: Answer) -> dict[str, Any]:
    if answer.model is not None:
        return {"$ref": f"#/components/schemas/{answer.model.__name__}"}
    return {"type": "object"} if answer.media_type == JSON else TEXT
