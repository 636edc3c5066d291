"""A pipeline as RoadRunner's clients see it: the message Stat of jobs.v1."""

from __future__ import annotations

from typing import Annotated

from ..rpc.proto import Number, ProtoMessage


class PipelineStat(ProtoMessage, frozen=True):
    """A pipeline.

    `active`: jobs that wait. `delayed`: those that are not due. `reserved`: those that a host holds. `ready`: whether
    it is consumed. Ours: `dead`, `connected` and `reason`.
    """

    pipeline: str = ""
    driver: str = ""
    queue: str = ""
    active: int = 0
    delayed: int = 0
    reserved: int = 0
    ready: bool = False
    priority: int = 0
    dead: Annotated[int, Number(100)] = 0
    connected: bool = False
    reason: str = ""
