"""What RoadRunner 2025.1 has in its configuration and rrpy has not, each with what to use instead.

docs/how-to/from-roadrunner.md has the same, for people; an error about an unknown key brings the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PAGE: Final = "docs/how-to/from-roadrunner.md"

_BESIDE: Final = "run RoadRunner beside rrpy for it"
_QUEUE: Final = "it belongs to a driver of jobs that rrpy has not, so set driver: sqlite, nats or memory"
_STORE: Final = "it belongs to RoadRunner's plugin kv, so connect to the store from your workers"

SECTIONS: Final[Mapping[str, str]] = {
    "amqp": _QUEUE,
    "app-logger": "app.* needs no section, and logs.channels.app directs its lines",
    "beanstalk": _QUEUE,
    "boltdb": _STORE,
    "centrifuge": _BESIDE,
    "fileserver": "let a web server serve the files",
    "google_pub_sub": _QUEUE,
    "grpc": _BESIDE,
    "http": _BESIDE,
    "include": "write one file, in which -o and ${VAR} replace values",
    "kafka": _QUEUE,
    "kv": "connect to the store from your workers, or run RoadRunner beside rrpy for it",
    "lock": _BESIDE,
    "memcached": _STORE,
    "memory": "a pipeline with driver: memory needs no section; of the plugin kv, connect to a store from your workers",
    "otel": "use the section metrics, or the OpenTelemetry SDK of your workers",
    "redis": _STORE,
    "reload": "set pool.debug: true for a fresh worker for each request, or call rrpy reset",
    "service": "let systemd or the container's supervisor run the program",
    "sqs": _QUEUE,
    "tcp": _BESIDE,
    "temporal": "run a worker of Temporal's SDK for Python, or RoadRunner beside rrpy",
}
"""Top-level keys."""

KEYS: Final[Mapping[tuple[str, str], str]] = {
    ("endure", "log_level"): "set logs.channels.host.level",
    ("endure", "print_graph"): "rrpy serve -d logs the plugins in the order of their start",
    ("endure", "watchdog_sec"): "the unit of systemd sets WatchdogSec=, and rrpy follows it",
    ("logs", "err_output"): "logs.output takes lines of every level",
    ("logs", "file_logger_options"): "logs.output names the file, and a tool such as logrotate rotates it",
    ("logs", "line_ending"): "each line ends with a line feed",
    ("logs", "show_caller"): "a line names the plugin",
    ("logs", "use_local_time"): "the encoding console has the local time, json has UTC",
    ("server", "group"): "name it in server.user: www-data:adm",
    ("server", "on_init"): "run the command before rrpy serve, such as by ExecStartPre= of systemd",
    ("server", "relay_timeout"): "allocate_timeout of the pool bounds the start of a worker",
    ("jobs", "num_pollers"): "one task pulls the jobs of a pipeline, and config.prefetch bounds those that it holds",
    ("jobs", "pipeline_size"): "config.prefetch of a pipeline bounds the jobs that this host holds",
}
"""Keys inside a section that rrpy has, by section and key. The key may be deeper: `logs.channels.rpc.err_output`."""


def instead_of(path: str) -> str:
    """Return what to use instead of a key of RoadRunner, as the end of a sentence; empty for any other key.

    `path`: the key in full.
    """
    section, _, rest = path.partition(".")
    instead = KEYS.get((section, rest.rpartition(".")[2])) if rest else SECTIONS.get(section)
    return f"RoadRunner has it, rrpy does not: {instead} ({PAGE})" if instead else ""
