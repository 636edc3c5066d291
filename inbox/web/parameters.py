"""The parameters of a request: numbers, flags, times, and the messages that are meant."""

from __future__ import annotations

import math
from typing import Any, Final

from starlette.requests import Request

from ..records import fold
from ..store.query import Query, QueryError, parse
from .problems import Problem
from .routes import MAX_LIMIT, MAX_MARKED, MAX_SEARCH

MAX_NUMBER: Final = 2**63 - 1
"""The largest integer of SQLite."""


def number(request: Request, name: str, default: Any, low: int, high: int) -> Any:
    """Return a whole number, `default` for none. Raises Problem."""
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.isascii() and text.isdecimal() and len(text) < 20  # int() of a long text is slow
    if not digits or not low <= int(text) <= high:
        raise Problem(400, f"{name} is {text!r}; it is a whole number from {low} to {high}")
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Return a parameter that is 1 or 0; 0 for none. Raises Problem."""
    return bool(number(request, name, 0, 0, 1))


def seconds(request: Request, name: str, default: float | None, high: float) -> float | None:
    """Return a number of seconds, `default` for none. Raises Problem."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= high:
        raise Problem(400, f"{name} is {text!r}; it is a number of seconds from 0 to {high}")
    return value


def search_of(request: Request) -> Query:
    """Return the search of a request. Raises Problem."""
    text = request.query_params.get("search", "")
    if len(text) > MAX_SEARCH:
        raise Problem(400, f"search: at most {MAX_SEARCH} characters")
    try:
        return parse(text)
    except QueryError as error:
        raise Problem(400, str(error)) from None


def marked(request: Request) -> list[str]:
    """Return the texts that a page marks, folded. Raises Problem."""
    texts = request.query_params.getlist("mark")
    if sum(map(len, texts)) > MAX_MARKED:
        raise Problem(400, f"mark: at most {MAX_MARKED} characters in all")
    return [" ".join(fold(text).split()) for text in texts]


def chosen(request: Request) -> tuple[Query | list[str], int | None]:
    """Return the messages that a change is for: ids, or a search, with the number that they are below.

    Raises Problem.
    """
    ids = request.query_params.getlist("id")
    before = number(request, "before", None, 0, MAX_NUMBER)
    search = search_of(request)
    if "search" in request.query_params and not search.tests:
        raise Problem(400, "search is empty; leave it out to choose every message")
    if not ids:
        return search, before
    if search.tests or before is not None:
        raise Problem(400, "id does not go with search or before")
    if len(ids) > MAX_LIMIT:
        raise Problem(400, f"id: at most {MAX_LIMIT} of them")
    return ids, None
