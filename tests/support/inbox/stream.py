"""The stream of an inbox, read event by event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from support.container.host import Host
from support.inbox.host import api


@contextmanager
def streaming(host: Host, last: str = "", token: str = "") -> Iterator[Iterator[dict[str, str]]]:
    """Follow the stream; yield its events one after the other. `token`: of the login."""

    def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
        event: dict[str, str] = {}
        for line in lines:
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif event.keys() - {"retry"}:
                yield event
                event = {}
            else:
                event = {}

    headers = {"Last-Event-ID": last} if last else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with api(host) as client, client.stream("GET", "stream", headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        yield events(response.iter_lines())


def take(events: Iterator[dict[str, str]], name: str) -> dict[str, str]:
    """Return the next event of this name, past the events of connections."""
    for event in events:
        if event["event"] != "connections":
            assert event["event"] == name
            return event
    raise AssertionError("the stream ended")


def followed(client: httpx.Client, place: str, until: str) -> str:
    """Return the text of the stream after a position, up to an event."""
    text = ""
    with client.stream("GET", "stream", headers={"Last-Event-ID": place}) as stream:
        for line in stream.iter_lines():
            text += line + "\n"
            if f"event: {until}\n" in text and not line:
                break
    return text
