"""The mailbox that a request is confined to: by its parameter, and by its token.

A token for one mailbox reads and changes that one alone, whatever the request asks for. A message of another mailbox is
not there for it: 404. Another mailbox that it names is 403, and so is a route that is not about one mailbox.
"""

from __future__ import annotations

from starlette.requests import Request

from ...mime.mailboxes import mailbox_name
from .login import MAILBOX
from .problems import Problem
from .route import MAILBOX_PARAMETER


def mailbox_of(request: Request) -> str | None:
    """Return the mailbox that a request is confined to, None for all.

    Raises Problem for one that its token is not for.
    """
    text = request.query_params.get(MAILBOX_PARAMETER.name)
    if text == "":
        raise Problem(400, "mailbox is empty; leave it out for all mailboxes")
    only: str | None = request.scope.get(MAILBOX)
    return only if text is None else permitted(request, text)


def permitted(request: Request, text: str) -> str:
    """Return the name of a mailbox. Raises Problem for one that the request's token is not for."""
    name = mailbox_name(text)
    only = request.scope.get(MAILBOX)
    if only not in (None, name):
        raise Problem(403, f"the token is for the mailbox {only} alone")
    return name
