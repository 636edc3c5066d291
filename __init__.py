"""rrpy: a RoadRunner-style plugin host for Python with a worker pool; its first plugin is an SMTP server.

The public names are loaded when they are first used, so that `import rrpy.worker` stays within the standard library.
"""

import sys
from importlib import import_module

# `python -m rrpy` and `python -m rrpy.worker` begin with the working folder, so that its `struct.py` would run in place
# of Python's. It leaves the path before any import can look there; `worker/__main__.py` gives it a later place.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and sys.orig_argv[-len(sys.argv)].split(".")[0].endswith("rrpy"):
    del sys.path[0]

TYPE_CHECKING = False  # without `typing`, whose import would be a third of a worker's start
if TYPE_CHECKING:
    from .cli import default_plugins
    from .container.config import Config
    from .container.config.fields import Duration, Secret
    from .container.container import Container
    from .container.errors import ConfigError, DependencyError, HostError, PluginDisabled, PluginFailed
    from .container.health import Status
    from .container.loader import load_plugins
    from .container.protocols import Collect, Collector, Configurer, Logger, Plugin
    from .container.version import VERSION

    __version__ = VERSION
    from .rpc.errors import RPCError
    from .smtp_plugin.delivery.observers import ReceivedMail
    from .smtp_plugin.delivery.refusals import RefusalReport
    from .smtp_plugin.handlers.smtp import SMTP
    from .worker_pool.config import PoolConfig
    from .worker_pool.errors import PoolError, SoftError
    from .worker_pool.protocols import Payload, Pool, PoolFactory

_HOMES: dict[str, str] = {
    "Collect": ".container.protocols",
    "Collector": ".container.protocols",
    "Config": ".container.config",
    "ConfigError": ".container.errors",
    "Configurer": ".container.protocols",
    "Container": ".container.container",
    "DependencyError": ".container.errors",
    "Duration": ".container.config.fields",
    "HostError": ".container.errors",
    "Logger": ".container.protocols",
    "Payload": ".worker_pool.protocols",
    "Plugin": ".container.protocols",
    "PluginDisabled": ".container.errors",
    "PluginFailed": ".container.errors",
    "Pool": ".worker_pool.protocols",
    "PoolConfig": ".worker_pool.config",
    "PoolError": ".worker_pool.errors",
    "PoolFactory": ".worker_pool.protocols",
    "RPCError": ".rpc.errors",
    "ReceivedMail": ".smtp_plugin.delivery.observers",
    "RefusalReport": ".smtp_plugin.delivery.refusals",
    "SMTP": ".smtp_plugin.handlers.smtp",
    "Secret": ".container.config.fields",
    "SoftError": ".worker_pool.errors",
    "Status": ".container.health",
    "default_plugins": ".cli",
    "load_plugins": ".container.loader",
}

__all__ = [
    "SMTP",
    "Collect",
    "Collector",
    "Config",
    "ConfigError",
    "Configurer",
    "Container",
    "DependencyError",
    "Duration",
    "HostError",
    "Logger",
    "Payload",
    "Plugin",
    "PluginDisabled",
    "PluginFailed",
    "Pool",
    "PoolConfig",
    "PoolError",
    "PoolFactory",
    "RPCError",
    "ReceivedMail",
    "RefusalReport",
    "Secret",
    "SoftError",
    "Status",
    "__version__",
    "default_plugins",
    "load_plugins",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from .container.version import VERSION

        return VERSION
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
