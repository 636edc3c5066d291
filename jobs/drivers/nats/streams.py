"""The stream, its consumer and the stream of dead letters: made where they are missing, compared where they exist.

The JetStream API is JSON over requests (https://docs.nats.io/reference/reference-protocols/nats_api_reference). Times
are nanoseconds there.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .config import NatsPipeline
from .errors import Differs
from .requests import Requests

_SECOND: Final = 1_000_000_000
WINDOW: Final = 120.0
"""Seconds in which the server drops a message with the same id, at least. A push is repeated for half of it at most."""
_LIMITLESS: Final = {"max_bytes": -1, "max_msgs": -1, "max_age": 0, "max_msg_size": -1}


async def make_or_check(requests: Requests, pipeline: NatsPipeline, push_timeout: float, timeout: float = 10.0) -> None:
    """Make or compare all that a pipeline needs.

    Raises Differs with the settings that differ, Away where a server does not answer in `timeout` seconds, Rejected
    where it refuses.
    """
    window = int(max(WINDOW, 2 * push_timeout) * _SECOND)
    common = {"discard": "new", "storage": "file", "num_replicas": pipeline.replicas, "duplicate_window": window}
    work = {
        **_LIMITLESS,
        **common,
        "name": pipeline.stream,
        "subjects": [pipeline.subject],
        "retention": "workqueue",
        "max_bytes": pipeline.max_bytes or -1,
    }
    dead = {
        **_LIMITLESS,
        **common,
        "name": pipeline.dead_stream,
        "subjects": [pipeline.dead_subject("*")],
        "retention": "limits",
    }
    consumer = {
        "durable_name": pipeline.stream,
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "replay_policy": "instant",
        "ack_wait": int(pipeline.ack_wait * _SECOND),
        "max_deliver": -1,
        "max_ack_pending": -1,
    }
    api = _Api(requests, timeout)
    for wanted in (work, dead):
        await _stream(api, wanted)
    await _consumer(api, pipeline.stream, consumer)


class _Api:
    def __init__(self, requests: Requests, timeout: float) -> None:
        self._requests = requests
        self._timeout = timeout

    async def __call__(self, verb: str, argument: dict[str, Any] | None = None) -> dict[str, Any]:
        body = msgspec.json.encode(argument) if argument is not None else b""
        return await self._requests.ask(f"$JS.API.{verb}", body, timeout=self._timeout)


async def _stream(api: _Api, wanted: dict[str, Any]) -> None:
    name = wanted["name"]
    found = await api(f"STREAM.INFO.{name}")
    if found.get("missing"):
        found = await api(f"STREAM.CREATE.{name}", wanted)
    config = found["config"]
    window = "duplicate_window"
    exact = {key: value for key, value in wanted.items() if key != window}
    _compare(f"the stream {name}", exact, config)
    if config.get(window, 0) < wanted[window]:
        raise Differs(
            f"the stream {name} has duplicate_window {_text(window, config.get(window, 0))}, "
            f"and needs {_text(window, wanted[window])} at least"
        )


async def _consumer(api: _Api, stream: str, wanted: dict[str, Any]) -> None:
    name = wanted["durable_name"]
    found = await api(f"CONSUMER.INFO.{stream}.{name}")
    if found.get("missing"):
        found = await api(f"CONSUMER.DURABLE.CREATE.{stream}.{name}", {"stream_name": stream, "config": wanted})
    config = found["config"]
    what = f"the consumer {name} of the stream {stream}"
    _compare(what, wanted, config)
    for key in ("deliver_subject", "filter_subject", "filter_subjects", "backoff", "headers_only"):
        if config.get(key):
            raise Differs(f"{what} differs: {key} is {config[key]}, and must not be set")


def _compare(what: str, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    texts = [
        f"{key} is {_text(key, found.get(key))}, configured is {_text(key, value)}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]
    if texts:
        raise Differs(f"{what} differs: {'; '.join(texts)}")


def _text(key: str, value: Any) -> str:
    return f"{value / _SECOND:g}s" if key in ("ack_wait", "duplicate_window") and value is not None else str(value)
