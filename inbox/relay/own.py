"""The check of the relay when the host starts: it is not one of the host's own mail servers."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

import anyio.to_thread

from ...container.errors import ConfigError
from ...container.net.address import TCPAddress
from ...container.net.listening import Addresses
from ...container.net.resolving import resolved
from ...container.protocols import Logger
from .config import RelayConfig

_EVERY: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


async def check_relay(config: RelayConfig | None, own: Sequence[Addresses], log: Logger) -> None:
    """Raise ConfigError where a released message would come back at once; warn of one that cannot be used.

    `own`: the addresses of the host's mail servers. A server whose port is free to choose is not known yet.
    """
    if config is None:
        return
    if not config.allow:
        log.warning("no message can be released: inbox.relay.allow is empty", relay=config.address)
    if config.tls == "none" and config.username:
        log.warning("the password for the relay goes out in clear: inbox.relay.tls has no TLS", relay=config.address)
    found = await anyio.to_thread.run_sync(_own_address, config, own)
    if found is not None:
        hint = "a released message would come back; name another mail server"
        raise ConfigError(f"{config.address} is this host's own mail server {found}", key="inbox.relay", hint=hint)


def _own_address(config: RelayConfig, own: Sequence[Addresses]) -> TCPAddress | None:
    """Return the address of ours that the relay is."""
    ours = [each for addresses in own for each in addresses.all if isinstance(each, TCPAddress)]
    ours = [each for each in ours if each.port == config.real_port]
    if not ours:
        return None  # so a relay at another port needs no resolver now
    try:
        relay = [
            each.host for each in resolved(TCPAddress(config.host, config.real_port)) if isinstance(each, TCPAddress)
        ]
    except ValueError:
        return None
    for address in ours:
        if address.host in relay or (address.host in _EVERY and any(map(_is_of_this_machine, relay))):
            return address
    return None


def _is_of_this_machine(number: str) -> bool:
    """Return whether a number is this machine's: only such a one can be bound."""
    family = socket.AF_INET6 if ":" in number else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((number, 0))
    except OSError:
        return False
    return True
