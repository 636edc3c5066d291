"""`rrpy reset`: replace the workers of a running host, one plugin after another."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from ..container.masking import mask_text
from ..container.text import printable
from ..rpc.errors import ConnectionLost, RPCError
from .console import fail, say
from .running import NO_WORKERS, RunningHost, workers_of


def reset_plugins(host: RunningHost, plugins: Sequence[str], timeout: float) -> int:
    """Replace the workers of these plugins, or of all that can be reset, and return the exit code.

    `timeout`: seconds for each plugin. Raises NotListening, ConfigError.
    """
    with host.connect(timeout) as client:
        known = client.call("resetter.List")
    for name in plugins:
        if name not in known:
            fail(f"no such plugin: {name}; those that can be reset: {', '.join(known) or 'none'}", 1)
    if not known:
        say(NO_WORKERS)
    done = [_reset(host, name, timeout) for name in plugins or known]
    return 0 if all(done) else 1


def _reset(host: RunningHost, plugin: str, timeout: float) -> bool:
    """Replace the workers of one plugin, print the result, and return whether all were replaced."""
    # Each plugin has its own connection: after a timeout the old one is closed.
    with host.connect(timeout) as client:
        try:
            before = {worker["pid"] for worker in workers_of(client, plugin)}
            began = time.monotonic()
            client.call("resetter.Reset", plugin)
            took = time.monotonic() - began
            # An old worker that still works is in both answers, and does not count.
            count = len({worker["pid"] for worker in workers_of(client, plugin)} - before)
        except (RPCError, ConnectionLost) as error:
            click.echo(printable(mask_text(f"{plugin}: {error}")), err=True)
            return False
    say(printable(f"{plugin}: {count} worker{'' if count == 1 else 's'} replaced in {took:.1f} s"))
    return True
