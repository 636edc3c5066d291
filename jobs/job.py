"""A job, as a producer makes it and a driver keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import urandom
from time import time_ns
from typing import Final

import msgspec

DEFAULT_PRIORITY: Final = 10

OVERHEAD: Final = 512
"""Bytes that a job counts for beside its payload and texts, wherever bytes of jobs are counted."""

TEXT: Final = 64
"""Bytes that each text of the headers counts for beside its letters, as it takes them in memory."""

PAGE: Final = 1024 * 1024
"""Bytes of the dead jobs that are listed at once. Their headers may be as large as their payloads."""

MAX_ID: Final = 255
"""Characters of an id at most: NATS has it in a subject, and drops the connection of a client with a long one."""

MAX_DELAY: Final = 10 * 366 * 86_400.0
"""Seconds that a job can be put off at most: clients and workers may ask for any number."""

Headers = Mapping[str, Sequence[str]]


class Job(msgspec.Struct, frozen=True):
    """A piece of work for a worker.

    `id`: unique among the jobs of its pipeline; made by the host as UUID version 7, so that later ones sort last.
    `name`: what kind of job it is, such as `smtp.email`. `payload`: for the worker; of a mail the raw message.
    `envelope`: bytes of the producer's that are kept with the payload and never sent to a worker as they are; of a mail
    its arrival. `headers`: texts by name. `priority`: a lower number goes first. `due`: seconds since 1970 before which
    no worker gets it; 0 for at once. `auto_ack`: done as soon as a worker gets it, whatever comes of it.
    """

    id: str
    name: str
    pipeline: str
    payload: bytes = b""
    envelope: bytes = b""
    headers: Headers = {}
    priority: int = DEFAULT_PRIORITY
    due: float = 0
    auto_ack: bool = False

    @property
    def size(self) -> int:
        """The bytes that it counts for, wherever bytes of jobs are counted."""
        size = OVERHEAD + len(self.payload) + len(self.envelope) + _length(self.id) + _length(self.name)
        return size + _headers_length(self.headers) if self.headers else size


class DeadJob(msgspec.Struct, frozen=True):
    """A job that no worker gets any more, as `rrpy jobs dead` shows it.

    `reason`: why. `attempts`: how often a worker had it. `at`: seconds since 1970 of its death. `size`: bytes of its
    payload and envelope. `headers`: those of its last attempt.
    """

    id: str
    name: str
    reason: str
    attempts: int
    at: float
    size: int
    priority: int = DEFAULT_PRIORITY
    headers: Headers = {}


def first_page(found: Iterable[DeadJob]) -> list[DeadJob]:
    """Return the first of the dead jobs, in about PAGE bytes together, and one at least. It reads no more of them."""
    page: list[DeadJob] = []
    room = PAGE
    for job in found:
        page.append(job)
        room -= OVERHEAD + sum(map(_length, (job.id, job.name, job.reason))) + _headers_length(job.headers)
        if room <= 0:
            break
    return page


def _length(text: str) -> int:
    """Return the bytes of a text, at most."""
    return len(text) if text.isascii() else 4 * len(text)


def _headers_length(headers: Headers) -> int:
    return sum(TEXT * (1 + len(texts)) + _length(name) + sum(map(_length, texts)) for name, texts in headers.items())


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7) as text: later ones sort after earlier ones."""
    value = (time_ns() // 1_000_000) << 80 | int.from_bytes(urandom(10), "big")
    value = value & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
