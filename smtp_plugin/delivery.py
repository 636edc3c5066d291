"""Messages to workers: parse, make the event, run it on the pool, read the verdict (EVENTS.md).

A small message is parsed where it stands: that takes less time than to hand it over. A larger one, or one whose
attachments become files, is parsed in a thread, one at a time, so that it never holds up the event loop. While a
message waits for its worker there is nothing of it but its event, its bytes and one future.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from ..container.protocols import Logger
from ..worker_pool import Payload, Pool, PoolError
from .attachments import Storage
from .event import Arrival, build_event
from .mime import Message, parse
from .verdict import FAILED, Verdict, read_verdict

OFF_LOOP: Final = 256 * 1024
"""Bytes of a message above which it is parsed in a thread."""


class Delivery:
    """Hands messages to a pool's workers.

    `include_raw`: the event's body is the message, byte for byte. `storage`: where attachments become files, None to
    have their contents in the event.
    """

    def __init__(self, pool: Pool, log: Logger, *, include_raw: bool, storage: Storage | None) -> None:
        self._pool = pool
        self._log = log
        self._include_raw = include_raw
        self._storage = storage
        self._one_at_a_time = anyio.CapacityLimiter(1)

    @property
    def full(self) -> bool:
        """Whether the pool takes no more requests now."""
        return self._pool.full

    async def deliver(self, arrival: Arrival, content: bytes) -> tuple[Verdict, str]:
        """Run one message on a worker and return what becomes of it, and the reason where no worker decided that.

        Never raises but when cancelled: what goes wrong is a temporary refusal, so that the sender keeps the message.
        """
        paths: list[Path] = []
        try:
            message = parse(content) if len(content) <= OFF_LOOP else None
            if message is not None and (self._storage is None or not message.attachments):
                event = build_event(arrival, message)
            else:
                event = await anyio.to_thread.run_sync(
                    self._build, arrival, message, content, paths, limiter=self._one_at_a_time
                )
            answer = await self._pool.exec(Payload(event, content if self._include_raw else b""))
        except (PoolError, OSError) as error:
            self._log.warning("email not accepted", uuid=arrival.uuid, id=arrival.id, reason=str(error))
            self._forget(paths)
            return FAILED, str(error)
        except BaseException:
            self._forget(paths)
            raise
        if self._storage is not None and paths:
            self._storage.keep(paths)
        verdict = read_verdict(answer.context)
        if verdict.warning:
            self._log.warning("odd answer of a worker", uuid=arrival.uuid, id=arrival.id, reason=verdict.warning)
        return verdict, verdict.warning

    def _build(self, arrival: Arrival, message: Message | None, content: bytes, paths: list[Path]) -> bytes:
        message = message or parse(content)
        if self._storage is None:
            return build_event(arrival, message)
        self._storage.write(arrival.id, message.attachments, paths)
        return build_event(arrival, message, [str(path) for path in paths])

    def _forget(self, paths: list[Path]) -> None:
        if self._storage is not None:
            self._storage.remove(paths)
