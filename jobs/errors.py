"""The errors of the jobs plugin and of its drivers. Each is a HostError: one sentence, which an RPC client gets too.

JobsError
 +-- Full             the pipeline takes no more jobs now: its limit is reached, or the disk is nearly full
 +-- Away             the place of the jobs cannot be reached, or is too slow; a later push may help
 +-- Rejected         the place refuses the job, and a repetition does not help: a permission, or its size
 +-- NoSuchPipeline   no pipeline has this name
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ..container.errors import HostError


class JobsError(HostError):
    """A job was not taken, or a queue cannot be used. `wants_room`: room is what it lacks."""

    wants_room: ClassVar[bool] = False


class Full(JobsError):
    """The pipeline takes no more jobs now. A mail client gets 452. The text says which limit is reached."""

    wants_room: ClassVar[bool] = True


class Away(JobsError):
    """The place of the jobs cannot be used now. It may have the jobs all the same: its answer may be lost.

    A mail client gets 451. The text says why.
    """


class Rejected(JobsError):
    """The place refuses the jobs, and a repetition does not help. A mail client gets 451. The text says why."""


class NoSuchPipeline(JobsError):
    """No pipeline has this name. `known`: the names that there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = ", ".join(sorted(known))
        super().__init__(f"no such pipeline: {name}; {f'known are {names}' if names else 'there are none'}")
