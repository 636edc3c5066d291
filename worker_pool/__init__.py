"""Pools of worker processes, written in any language, and the plugins that make and show them.

The names here are for plugins that use a pool. The plugins themselves are `plugin.ServerPlugin` (`server`),
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
from .protocols import Payload, Pool, PoolFactory, PoolInfo, RPCEndpoint, WorkerGroup, WorkerGroups, WorkerInfo

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
    "SoftError",
    "TooManyWorkers",
    "UnexpectedStream",
    "WorkerBootError",
    "WorkerBroken",
    "WorkerGroup",
    "WorkerGroups",
    "WorkerInfo",
]
