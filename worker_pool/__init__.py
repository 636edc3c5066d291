"""Pools of worker processes, written in any language, and the plugins that make and show them.

What the plugins that use a pool need is here; the plugins themselves are `plugin.ServerPlugin` (`server`) and
`informer.InformerPlugin` (`informer`).
"""

from .config import PoolConfig
from .errors import NoFreeWorker, PoolClosed, PoolError, QueueFull, SoftError, WorkerBootError, WorkerBroken
from .protocols import Payload, Pool, PoolFactory, Resettable, RPCEndpoint, WorkerInfo, WorkerOwner

__all__ = [
    "NoFreeWorker",
    "Payload",
    "Pool",
    "PoolClosed",
    "PoolConfig",
    "PoolError",
    "PoolFactory",
    "QueueFull",
    "RPCEndpoint",
    "Resettable",
    "SoftError",
    "WorkerBootError",
    "WorkerBroken",
    "WorkerInfo",
    "WorkerOwner",
]
