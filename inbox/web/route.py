"""One operation of the API as data: its parameters and its answer."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from .models import TEXT

MAX_BODY: Final = 64 * 1024
"""Bytes of a request's body, where the route does not say."""
JSON: Final = "application/json"


class Parameter(NamedTuple):
    """A parameter of a request. `place`: path, query or header."""

    name: str
    place: str
    schema: dict[str, Any]
    description: str


class Answer(NamedTuple):
    """The answer of a route that succeeds. `model`: of its JSON, None for another type."""

    status: int
    description: str
    model: type[msgspec.Struct] | None = None
    media_type: str = JSON


class Route(NamedTuple):
    """One operation.

    `name`: of the API's method; `errors`: statuses that not every route has; `body`: its JSON; `max_body`: its
    bytes; `raw_body`: its type, where it is not JSON. `users_only`: no token may ask for it. A token for one
    mailbox may ask for a route with MAILBOX_PARAMETER. It may ask for one that is `of_all` too: its answer has
    nothing of other mailboxes.
    """

    method: str
    path: str
    name: str
    summary: str
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[int, ...] = ()
    body: type[msgspec.Struct] | None = None
    users_only: bool = False
    of_all: bool = False
    max_body: int = MAX_BODY
    raw_body: str = ""


MAILBOX_PARAMETER: Final = Parameter("mailbox", "query", TEXT, "the mailbox; without it all of them")
"""What confines a request to one mailbox. Read it with `mailboxes.mailbox_of`."""
