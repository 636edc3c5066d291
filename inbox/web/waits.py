"""The parameters of `/wait`, and its failures as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ...mime.matching import FilterError
from ..mailbox import Mailbox
from ..wait_request import MAX_WAIT, HostStops, WaitFailed, WaitRequest
from ..wait_request import wait as wait_for
from ..waiting import MAX_COUNT, Awaited, Miss
from .mailboxes import mailbox_of
from .parameters import MAX_NUMBER, flag, number, seconds
from .problems import PROBLEM_TYPE, Problem, ProblemBody

_TEXTS = {"to": "to", "from": "sender", "subject": "subject", "body": "body", "claim": "claim"}
_AFTER = ("now", "latest")
_ORDERS = ("newest", "oldest")


class Missed(msgspec.Struct, frozen=True):
    """A message that came instead. `why`: a sentence for each condition that it does not fit; empty where it fits."""

    id: str
    number: int
    received_at: str
    sender: str = msgspec.field(name="from")
    to: Sequence[str]
    subject: str
    why: Sequence[str]

    @classmethod
    def of(cls, miss: Miss) -> Missed:
        """Return it as JSON has it."""
        found = miss.summary
        return cls(found.id, found.number, found.received_at, found.sender, found.to, found.subject, miss.why)


class WaitFailure(ProblemBody, frozen=True):
    """The failure of a wait. `received`: what came instead, the oldest first; of many the newest."""

    received: Sequence[Missed]


class WaitProblem(Problem):
    """A wait fails."""

    def __init__(self, failed: WaitFailed) -> None:
        super().__init__(409 if failed.unwanted else 408, str(failed))
        self._misses = failed.misses

    def response(self) -> Response:
        """Return the failure as a response."""
        received = [Missed.of(each) for each in self._misses]
        body = WaitFailure(HTTPStatus(self.status).phrase, self.status, self.detail, received)
        headers = {"Cache-Control": "no-store"}
        return Response(msgspec.json.encode(body), self.status, headers, PROBLEM_TYPE)


def wait_request(request: Request) -> WaitRequest:
    """Return the wait that a request asks for. Raises Problem."""
    query = request.query_params
    none = flag(request, "none")
    fields: dict[str, Any] = {field: query[name] for name, field in _TEXTS.items() if name in query}
    wanted = WaitRequest(
        **fields,
        header=query.getlist("header"),
        after=_after(request),
        order=_order(request),
        count=number(request, "count", None, 1, MAX_COUNT),
        none=none,
        within=seconds(request, "within", None, MAX_WAIT),
        timeout=seconds(request, "timeout", None, MAX_WAIT),
        mailbox=mailbox_of(request),
    )
    if len(wanted.claim) > 100:
        raise Problem(400, "claim has more than 100 characters")
    try:
        wanted.target()
    except FilterError as error:
        raise Problem(400, str(error)) from None
    return wanted


async def wait(mailbox: Mailbox, wanted: WaitRequest) -> Sequence[Awaited] | None:
    """Return the messages, None where none was wanted and none came. Raises Problem."""
    try:
        return await wait_for(mailbox, wanted) or None
    except WaitFailed as failed:
        raise WaitProblem(failed) from None
    except HostStops as error:
        raise Problem(503, str(error)) from None


def _after(request: Request) -> Any:
    after = request.query_params.get("after", "0")
    if after in _AFTER:
        return after
    if not after.isdecimal():
        raise Problem(400, f"after is {after!r}; it is a number, {' or '.join(_AFTER)}")
    return number(request, "after", 0, 0, MAX_NUMBER)


def _order(request: Request) -> Any:
    order = request.query_params.get("order", _ORDERS[0])
    if order not in _ORDERS:
        raise Problem(400, f"order is {order!r}; it is {' or '.join(_ORDERS)}")
    return order
