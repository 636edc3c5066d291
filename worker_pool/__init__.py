"""Pools of worker processes, written in any language, and the plugins that make and show them.

What the plugins that use a pool need is here; the plugins themselves are `plugin.ServerPlugin` (`server`),
`informer.InformerPlugin` (`informer`) and `resetter.ResetterPlugin` (`resetter`).
"""

from .config import PoolConfig
from .errors import (
    ExecTimeout,
    LastWorker,
    NoFreeWorker,
    PoolClosed,
    PoolError,
    QueueFull,
    SoftError,
    TooManyWorkers,
    UnexpectedStream,
    WorkerBootError,
    WorkerBroken,
)
from .protocols import Payload, Pool, PoolFactory, PoolInfo, Resettable, RPCEndpoint, Scalable, WorkerInfo, WorkerOwner

__all__ = [
    "ExecTimeout",
    "LastWorker",
    "NoFreeWorker",
    "Payload",
    "Pool",
    "PoolClosed",
    "PoolConfig",
    "PoolError",
    "PoolFactory",
    "PoolInfo",
    "QueueFull",
    "RPCEndpoint",
    "Resettable",
    "Scalable",
    "SoftError",
    "TooManyWorkers",
    "UnexpectedStream",
    "WorkerBootError",
    "WorkerBroken",
    "WorkerInfo",
    "WorkerOwner",
]
