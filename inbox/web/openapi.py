"""The API's OpenAPI document, from its routes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..records import SCHEMAS, SessionInfo, Summary
from ..refusals import Refusal
from .extracts import ExtractFailure
from .models import CONNECTION, TEXT, AwaitedList
from .problems import PROBLEM_TYPE, ProblemBody
from .route import JSON, Answer, Route
from .routes import PREFIX, ROUTES
from .rules import RULE
from .waits import WaitFailure

ERRORS: Final = {
    400: "a parameter, the body or the Host header is wrong",
    401: "the inbox has users or tokens, and the request has no right login",
    403: "the request is from another web page, or for a host name or an address that is not allowed; or a token may "
    "not do it",
    404: "it does not exist",
    408: "the message did not arrive in time; `received` has what came instead",
    409: "the inbox has released the message before, and it came back; or a message came where none was wanted",
    413: "the message or the body is too large",
    422: "the message has no such link or code, or several; the error lists what it has",
    429: "the client has tried too many wrong passwords; Retry-After has the seconds until the next try",
    500: "the inbox failed",
    502: "the relay refuses the message, or cannot be reached",
    503: "the stream has too many readers, the host stops, or its database fails",
    504: "the relay does not answer in time",
}
SECURITY: Final = {
    "user": {"type": "http", "scheme": "basic", "description": "a user of `inbox.users`, or a token by its name"},
    "token": {"type": "http", "scheme": "bearer", "description": "a token of `inbox.tokens`"},
}
"""The logins. An inbox without users and tokens needs none."""
EVERYWHERE: Final = (400, 401, 403, 429, 500, 503)


def openapi(version: str, events: dict[str, str]) -> dict[str, Any]:
    """Return the API's OpenAPI 3.1 document. `version`: of the host; `events`: of the stream."""
    models = [
        ProblemBody,
        WaitFailure,
        ExtractFailure,
        AwaitedList,
        Summary,
        SessionInfo,
        Refusal,
        *(route.answer.model for route in ROUTES if route.answer.model is not None),
        *(route.body for route in ROUTES if route.body is not None),
    ]
    _, schemas = msgspec.json.schema_components(models, ref_template=f"{SCHEMAS}{{name}}")
    schemas["Connection"] = CONNECTION
    schemas["Rule"] = RULE
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route, events)
    info = {"title": "rrpy inbox", "version": version, "description": "The mail that the host has caught."}
    components = {"schemas": schemas, "securitySchemes": SECURITY}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}


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
        "security": [{}, {"user": []}, *([] if route.users_only else [{"token": []}])],
    }
    if route.body is not None:
        schema = {"$ref": f"{SCHEMAS}{route.body.__name__}"}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    if route.raw_body:
        operation["requestBody"] = {"required": True, "content": {route.raw_body: {"schema": TEXT}}}
    if route.name == "stream":
        operation["description"] = "\n".join(f"- `{name}`: {meaning}" for name, meaning in events.items())
    for status in sorted({*EVERYWHERE, *route.errors}):
        model: type[ProblemBody] = ExtractFailure if status == 422 else ProblemBody
        if route.name == "wait" and status in (408, 409):
            model = WaitFailure
        problem = {"schema": {"$ref": f"{SCHEMAS}{model.__name__}"}}
        operation["responses"][str(status)] = {"description": ERRORS[status], "content": {PROBLEM_TYPE: problem}}
    return operation


def _schema(answer: Answer) -> dict[str, Any]:
    if answer.model is not None:
        return {"$ref": f"{SCHEMAS}{answer.model.__name__}"}
    return {"type": "object"} if answer.media_type == JSON else TEXT
