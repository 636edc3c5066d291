"""A job as a message of NATS, and back. Pure.

Headers: rr_id, rr_job, rr_pipeline, rr_priority, rr_headers (JSON: {name: [texts]}), rr_due (seconds since 1970),
rr_split (bytes of envelope before the payload), rr_auto_ack, rr_attempt, rr_object and rr_size (the body's name in the
object store, and its bytes), and rr_reason of a dead letter. A text that could end a header's line, or that NATS would
trim, is percent-encoded. `Nats-Msg-Id` lets the server drop a repeated message.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from ...job import DEFAULT_PRIORITY, MAX_ID, DeadJob, Job

MSG_ID: Final = "Nats-Msg-Id"
VERSION: Final = "NATS/1.0\r\n"
LARGEST_HEADERS: Final = 60 * 1024
"""Bytes of a job's headers; the server allows 64 KiB, of which a reason has some."""
_LONGEST_REASON: Final = 3000
_MOST: Final = 2**63 - 1
_SAFE: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


class Message(msgspec.Struct, frozen=True):
    """A job as the stream has it.

    `job`: its payload and envelope are empty while `object` names the object that has them. `length`: bytes of the
    body, wherever it is. `split`: the bytes of the body that are the envelope. `reason`: of a dead letter.
    """

    job: Job
    attempt: int = 1
    object: str = ""
    length: int = 0
    split: int = 0
    reason: str = ""

    @property
    def size(self) -> int:
        """The bytes that the job counts for, with its body wherever that is."""
        job = self.job
        return job.size - len(job.payload) - len(job.envelope) + self.length

    def whole(self, body: bytes) -> Message:
        """Return the message with its body."""
        job = msgspec.structs.replace(self.job, envelope=body[: self.split], payload=body[self.split :])
        return msgspec.structs.replace(self, job=job)


def message_of(job: Job) -> Message:
    """Return a new job as a message."""
    split = len(job.envelope)
    return Message(job, length=split + len(job.payload), split=split)


def body_of(message: Message) -> bytes:
    """Return the body of the NATS message: nothing for a job whose body is an object."""
    return b"" if message.object else message.job.envelope + message.job.payload


def to_headers(message: Message, message_id: str) -> bytes:
    """Return the headers of a job's message, as they are sent. Built at once: a push pays for each line."""
    job = message.job
    name = _line(job.id)
    text = (
        f"{VERSION}{MSG_ID}: {name if message_id == job.id else _line(message_id)}\r\nrr_id: {name}\r\n"
        f"rr_job: {_known_line(job.name)}\r\nrr_pipeline: {_known_line(job.pipeline)}\r\n"
        f"rr_priority: {job.priority}\r\n"
    )
    if job.headers:
        text += f"rr_headers: {json.dumps(dict(job.headers), default=list)}\r\n"  # escapes whatever is not ASCII
    if job.due:
        text += f"rr_due: {job.due!r}\r\n"
    if message.split:
        text += f"rr_split: {message.split}\r\n"
    if job.auto_ack:
        text += "rr_auto_ack: 1\r\n"
    if message.attempt > 1:
        text += f"rr_attempt: {message.attempt}\r\n"
    if message.object:
        text += f"rr_object: {_line(message.object)}\r\nrr_size: {message.length}\r\n"
    if message.reason:
        text += f"rr_reason: {_line(message.reason)[:_LONGEST_REASON]}\r\n"
    return f"{text}\r\n".encode()


def parse_headers(raw: bytes) -> dict[str, str]:
    """Return the headers of a message. A status of the server is `Status`, its text `Description`."""
    first, *lines = raw.decode("utf-8", "replace").split("\r\n")
    status, _, text = first[len(VERSION) - 2 :].strip().partition(" ")
    headers = {"Status": status, "Description": text} if status else {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            headers[key] = value.strip()
    return headers


def from_message(headers: Mapping[str, str], body: bytes) -> Message:
    """Return the job of a message. Raises ValueError for headers that are not a job's: every client can publish."""
    try:
        split = _number(headers, "rr_split", 0, 0, len(body) if "rr_object" not in headers else _MOST)
        stored = headers.get("rr_object", "")
        job = Job(
            id=_id(headers["rr_id"]),
            name=unquote(headers.get("rr_job", "")),
            pipeline=unquote(headers.get("rr_pipeline", "")),
            payload=body[split:],
            envelope=body[:split],
            headers=_texts(headers["rr_headers"]) if "rr_headers" in headers else {},
            priority=_number(headers, "rr_priority", DEFAULT_PRIORITY, -_MOST, _MOST),
            due=_time(headers.get("rr_due", "0")),
            auto_ack=headers.get("rr_auto_ack") == "1",
        )
        return Message(
            job,
            attempt=_number(headers, "rr_attempt", 1, 1, _MOST),
            object=unquote(stored),
            length=_number(headers, "rr_size", 0, 0, _MOST) if stored else len(body),
            split=split,
            reason=unquote(headers.get("rr_reason", "")),
        )
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"the message is not a job: {error!r}") from error


def to_dead(message: Message, at: float) -> DeadJob:
    """Return a dead letter as `rrpy jobs dead` shows it. `at`: seconds since 1970."""
    job = message.job
    return DeadJob(
        job.id,
        job.name,
        message.reason,
        message.attempt,
        at,
        message.length,
        priority=job.priority,
        headers=job.headers,
    )


def to_token(text: str) -> str:
    """Return an id as the last part of a subject. The order of ASCII ids stays, apart from those with signs in them."""
    return quote(text, safe="").replace(".", "%2E")


def from_token(token: str) -> str:
    """Return the id of the last part of a subject."""
    return unquote(token)


def _texts(text: str) -> dict[str, list[str]]:
    found = json.loads(text)
    lists = isinstance(found, dict) and all(isinstance(each, list) for each in found.values())
    if not lists or not all(isinstance(one, str) for each in found.values() for one in each):
        raise ValueError("rr_headers is not {name: [texts]}")
    msgspec.json.encode(found)  # raises for half a pair of surrogates, which no worker's context can have
    return dict(found)


def _id(text: str) -> str:
    found = unquote(text, errors="strict")
    if not 0 < len(found) <= MAX_ID:
        raise ValueError(f"rr_id has {len(found)} characters, of {MAX_ID}")
    return found


def _number(headers: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = int(headers.get(name, default))
    if not least <= value <= most:
        raise ValueError(f"{name} is out of range")
    return value


def _time(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("rr_due is not a time")
    return value


@functools.lru_cache(256)
def _known_line(text: str) -> str:
    return _line(text)


def _line(text: str) -> str:
    """Return a text for a header's line; most texts are one already."""
    plain = text.isascii() and text.isprintable() and "%" not in text and text == text.strip()
    return text if plain else quote(text, safe=_SAFE, errors="replace")
