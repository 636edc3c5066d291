"""`rrpy workers`: the workers of a running host, once as a table or as JSON, or in the live view."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from io import TextIOWrapper
from typing import Final

from .console import can_draw, fail, fail_to_print, say, to_json
from .pipelines import pipelines_of
from .running import RunningHost, workers_of

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that a host has for each answer."""
LIVE_ANSWER_TIMEOUT: Final = 3.0
"""The same in the live view, which a person watches."""


def show_workers(host: RunningHost, plugins: Sequence[str], *, interactive: bool, as_json: bool) -> None:
    """Print the workers of these plugins, or of all that own workers. Raises HostError."""
    if interactive and as_json:
        fail("-i shows a table that changes, --json prints once; say one of them", 2)
    if interactive and not can_draw():
        fail("-i needs a terminal to draw on; without -i the table is printed once", 2)
    with host.connect(ANSWER_TIMEOUT) as client:
        known = client.call("informer.List")
        for name in plugins:
            if name not in known:
                fail(f"no plugin {name} owns workers; those that do: {', '.join(known) or 'none'}", 1)
        if not interactive:
            found = {name: workers_of(client, name) for name in plugins or known}
            pipelines = [] if as_json else pipelines_of(client, plugins)
    if interactive:
        _watch(host, plugins)
    elif as_json:
        say(to_json(found))
    else:
        from .table import printed, workers_view

        say(printed(workers_view(found, pipelines, time.time())))


def _watch(host: RunningHost, plugins: Sequence[str]) -> None:
    from ..rpc.client import ReconnectingClient
    from .live import picture_of, watch

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an error in the middle would leave the terminal as it is
    client = ReconnectingClient(lambda: host.connect(LIVE_ANSWER_TIMEOUT))
    with closing(client), suppress(KeyboardInterrupt):
        try:
            watch(lambda: picture_of(client, plugins))
        except OSError as error:
            fail_to_print(error)
