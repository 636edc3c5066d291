"""The links and the code of a message, for the API. Each function reads the message: call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from ...mime.extract.codes import Candidate, CodeError, candidates_of, code_of
from ...mime.extract.links import Link, LinkError, link_of, links_of
from ...mime.matching import FilterError
from ...mime.message import parse
from .models import CodeFound, LinkList
from .problems import PROBLEM_TYPE, Problem, ProblemBody

CONDITIONS = ("text", "host", "pattern")
"""The parameters that choose a link."""


class ExtractFailure(ProblemBody, frozen=True, omit_defaults=True):
    """No link or code, or several. `links`, `candidates`: those that fit, or else all."""

    links: Sequence[Link] = ()
    candidates: Sequence[Candidate] = ()


class ExtractProblem(Problem):
    """A message has no such link or code, or several."""

    def __init__(self, error: LinkError | CodeError) -> None:
        super().__init__(422, str(error).partition("\n")[0])
        self._error = error

    def response(self) -> Response:
        """Return the failure as a response."""
        head = HTTPStatus(self.status).phrase, self.status, self.detail
        if isinstance(self._error, LinkError):
            body = ExtractFailure(*head, links=self._error.links)
        else:
            body = ExtractFailure(*head, candidates=self._error.candidates)
        return Response(msgspec.json.encode(body), self.status, {"Cache-Control": "no-store"}, PROBLEM_TYPE)


def links(content: bytes, conditions: Mapping[str, str]) -> LinkList:
    """Return the links of a message; with conditions the one that fits. Raises Problem."""
    message = parse(content)
    if not conditions:
        return LinkList(links_of(message))
    try:
        return LinkList([link_of(message, *(conditions.get(name) for name in CONDITIONS))])
    except LinkError as error:
        raise ExtractProblem(error) from None
    except FilterError as error:
        raise Problem(400, str(error)) from None


def code(content: bytes, length: int | None, pattern: str | None, optional: bool = False) -> CodeFound:
    """Return the code of a message. Raises Problem. `optional`: for none, or for several, the code is empty instead."""
    message = parse(content)
    try:
        return CodeFound(code_of(message, length, pattern), candidates_of(message))
    except CodeError as error:
        if optional:
            return CodeFound("", error.candidates)
        raise ExtractProblem(error) from None
    except FilterError as error:
        raise Problem(400, str(error)) from None
