"""The API's errors: one JSON object each (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response


class Problem(Exception):
    """A request fails. `status`: HTTP's; `detail`: one sentence that names the cause."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    def response(self) -> Response:
        """Return the error as a response."""
        body = ProblemBody(HTTPStatus(self.status).phrase, self.status, self.detail)
        return Response(
            msgspec.json.encode(body), self.status, self.headers | {"Cache-Control": "no-store"}, PROBLEM_TYPE
        )


class ProblemBody(msgspec.Struct, frozen=True):
    """An error. `title`: HTTP's words for the status; `detail`: the cause in one sentence."""

    title: str
    status: int
    detail: str


PROBLEM_TYPE = "application/problem+json"
