"""The dead letters of a pipeline: a stream with one subject for each job."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ...job import first_page
from ...protocols import DeadJob, Job
from .bodies import Bodies
from .config import NatsPipeline
from .message import Message, body_of, from_message, from_token, parse_headers, to_dead, to_headers, to_token
from .requests import Requests

_TOGETHER: Final = 8
"""Dead letters that are read, or moved, at a time: the server gives each with its payload."""
_TIMEOUT: Final = 10.0


class DeadLetters:
    """Lists dead letters, puts them into the queue again, and deletes them. Each method raises Away and Rejected."""

    def __init__(self, requests: Requests, pipeline: NatsPipeline, bodies: Bodies) -> None:
        self._requests = requests
        self._pipeline = pipeline
        self._bodies = bodies

    async def read(self, limit: int, after: str) -> Sequence[DeadJob]:
        """Return dead jobs in the order of their ids."""
        ids = sorted(each for each in map(from_token, await self._tokens()) if each > after)[:limit]
        found: list[DeadJob] = []
        for start in range(0, len(ids), _TOGETHER):
            letters = await asyncio.gather(*map(self._get, ids[start : start + _TOGETHER]))
            found += [to_dead(message, at) for letter in letters if letter for message, at, _ in (letter,)]
            if len(page := first_page(found)) < len(found):
                return page
        return found

    async def revive(self, ids: Sequence[str] | None) -> int:
        """Put dead jobs into the queue again; return their number."""
        return await self._each(ids, self._revive)

    async def purge(self, ids: Sequence[str] | None) -> int:
        """Delete dead jobs; return their number."""
        return await self._each(ids, self._purge)

    async def _each(self, ids: Sequence[str] | None, treat: Any) -> int:
        wanted = list(dict.fromkeys(ids)) if ids is not None else sorted(map(from_token, await self._tokens()))
        count = 0
        for start in range(0, len(wanted), _TOGETHER):
            count += sum(await asyncio.gather(*map(treat, wanted[start : start + _TOGETHER])))
        return count

    async def _revive(self, name: str) -> bool:
        letter = await self._get(name)
        if letter is None:
            return False
        message, _, sequence = letter
        job = msgspec.structs.replace(message.job, due=0)
        again = msgspec.structs.replace(message, job=job, attempt=1, reason="")
        headers = to_headers(again, f"{job.id}#dead-{sequence}")
        await self._requests.ask(self._pipeline.subject, body_of(again), headers, timeout=_TIMEOUT)
        return await self._delete(sequence)

    async def _purge(self, name: str) -> bool:
        letter = await self._get(name)
        if letter is None:
            return False
        message, _, sequence = letter
        deleted = await self._delete(sequence)
        if message.object:
            await self._bodies.delete(message.object)
        return deleted

    async def _delete(self, sequence: int) -> bool:
        answer = await self._api("STREAM.MSG.DELETE", {"seq": sequence})
        return bool(answer.get("success"))

    async def _get(self, name: str) -> tuple[Message, float, int] | None:
        """Return a dead letter, the seconds since 1970 of its death, and its sequence."""
        answer = await self._api("STREAM.MSG.GET", {"last_by_subj": self._pipeline.dead_subject(to_token(name))})
        if answer.get("missing"):
            return None
        found = answer["message"]
        headers = parse_headers(base64.b64decode(found.get("hdrs", "")))
        body = base64.b64decode(found.get("data", ""))
        try:
            message = from_message(headers, body)
        except ValueError as error:  # of another client; it must hide no other letter
            message = Message(Job(name, "", self._pipeline.stream, body), length=len(body), reason=str(error))
        return message, seconds(found["time"]), found["seq"]

    async def _tokens(self) -> list[str]:
        """Return the last part of the subject of each dead letter. The server gives a page of them at a time."""
        tokens: list[str] = []
        start = len(self._pipeline.dead_subject(""))
        while True:
            argument = {"subjects_filter": self._pipeline.dead_subject("*"), "offset": len(tokens)}
            answer = await self._api("STREAM.INFO", argument)
            page = [subject[start:] for subject in answer.get("state", {}).get("subjects") or ()]
            tokens += page
            if not page or len(tokens) >= answer.get("total", 0):
                return tokens

    async def _api(self, verb: str, argument: dict[str, Any]) -> dict[str, Any]:
        subject = f"$JS.API.{verb}.{self._pipeline.dead_stream}"
        return await self._requests.ask(subject, msgspec.json.encode(argument), timeout=_TIMEOUT)


def seconds(text: str) -> float:
    """Return the seconds since 1970 of a time of the server's, RFC 3339 with up to nine decimals."""
    moment, _, rest = text.partition(".")
    if not rest:
        return datetime.fromisoformat(text).timestamp()
    decimals = rest.rstrip("Z").partition("+")[0]
    return datetime.fromisoformat(f"{moment}Z").timestamp() + float(f"0.{decimals}")
