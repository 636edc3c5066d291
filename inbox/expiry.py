"""Old messages leave the inbox: a timer of the event loop looks at the oldest ones.

Their age is that of the machine's clock, so the time that a machine sleeps counts too.
"""

from __future__ import annotations

import time
from typing import Final

import anyio

from ..container.protocols import Logger
from .mailbox import Mailbox
from .store.database import StoreError

CHECK: Final = 60.0
"""Seconds between two looks; an age that is shorter is itself the time."""
LEAST: Final = 1.0
"""Seconds between two looks at least."""


async def expire(mailbox: Mailbox, max_age: float, log: Logger) -> None:
    """Delete messages that are older than `max_age` seconds, until cancelled. 0: return at once."""
    while max_age:
        try:
            await mailbox.delete_older(time.time() - max_age)
        except StoreError as error:
            log.error("old messages stay in the inbox", error=str(error))
        await anyio.sleep(min(max(max_age, LEAST), CHECK))
