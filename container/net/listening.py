"""The addresses of a setting, and the sockets bound to them.

What we want: `localhost` is reached by 127.0.0.1 and by ::1, on one port; a start that fails names every address that
is in use. So a setting has groups of addresses, each group with one port. And before the first plugin serves,
`check_free` tries all addresses of the host.
What can still fail: another process takes an address between the check and the bind. Then one plugin cannot listen.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

from ..errors import ConfigError
from .access import SocketAccess
from .address import Address, ListenAddress, SystemdAddress, TCPAddress, UnixAddress, parse_address, parse_systemd
from .resolving import resolved
from .sockets import BoundSocket, ListenError, Refusal, try_to_bind

MAX_ATTEMPTS: Final = 20
"""Free ports to try for a group of addresses."""
_ABSENT: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""Errors of a number whose family this machine does not have."""


class Addresses(NamedTuple):
    """Where a plugin listens.

    `key`: the setting's full path. `groups`: the addresses of each item; those of one group have one port. An address
    of a group may be absent on this machine, but not all of them. `reuse_port`: other processes of this user may have
    the addresses too, and the kernel gives each new connection to one of them (SO_REUSEPORT, socket(7)).
    """

    key: str
    groups: tuple[tuple[ListenAddress, ...], ...]
    reuse_port: bool = False

    @classmethod
    def of(cls, address: ListenAddress, key: str = "") -> Addresses:
        """Return one address, as it is."""
        return cls(key, ((address,),))

    def shared(self, key: str) -> Addresses:
        """Return the same addresses with `reuse_port`. `key`: of the setting that asks for it. Raises ConfigError."""
        if not hasattr(socket, "SO_REUSEPORT"):
            raise ConfigError("is true", key=key, hint="this system has no SO_REUSEPORT")
        for address in self.all:
            if not isinstance(address, TCPAddress):
                hint = f"{self.key} has {address}, and only TCP ports can be shared"
                raise ConfigError("is true", key=key, hint=hint)
        return self._replace(reuse_port=True)

    @property
    def all(self) -> Sequence[ListenAddress]:
        """Every address, in the order of the setting."""
        return [address for group in self.groups for address in group]

    def is_same(self, other: Addresses) -> bool:
        """Return whether both are the same addresses; port 0 is another port each time."""
        return self.groups == other.groups and not any(map(_has_free_port, self.all))

    def __str__(self) -> str:
        return ", ".join(map(str, self.all))


def listen_addresses(value: str | Sequence[str], key: str, *, urls: bool = False) -> Addresses:
    """Return the addresses of a setting: an address or a list, each as ADDRESS_FORMS has it.

    Host names become numbers. A socket of systemd's is looked up when it is bound, so that a configuration can be
    checked outside its unit.
    `key`: the setting's full path, for errors. `urls`: a TCP address needs its `tcp://`. Raises ConfigError.
    """
    if not isinstance(value, str):
        if not value:
            raise ConfigError("is an empty list", key=key)
        groups = [group for item in value for group in listen_addresses(item, key, urls=urls).groups]
        return Addresses(key, _without_repetitions(groups))
    if passed := parse_systemd(value):
        return Addresses.of(passed, key)
    try:
        address = parse_address(value if urls or value.startswith(("unix://", "tcp://")) else f"tcp://{value}")
    except ValueError as error:
        hint = str(error) if urls else "it is written host:port, [ipv6]:port, *:port, unix:///path or systemd:NAME"
        raise ConfigError(f"is {value!r}", key=key, hint=hint) from None
    try:
        return Addresses(key, (tuple(resolved(address)),))
    except ValueError as error:
        raise ConfigError(f"is {value!r}", key=key, hint=str(error)) from None


@runtime_checkable
class Listening(Protocol):
    """A plugin with sockets. The host tries their addresses before a plugin serves, and names all that it cannot have.

    `listens`: called after `init`, returns the addresses.
    """

    def listens(self) -> Sequence[Addresses]: ...  # noqa: D102


class BoundSockets:
    """The bound sockets of a setting, which do not accept yet. The caller closes them.

    `addresses`: the real ones, with the ports that port 0 became.
    """

    def __init__(self, addresses: Addresses, *, owner: str = "") -> None:
        """Bind all, or none. `owner`: for errors, in place of the key. Raises ListenError."""
        self.sockets: list[BoundSocket] = []
        try:
            for group in addresses.groups:
                self.sockets += _bind_group(group, addresses, owner or addresses.key)
        except BaseException:
            self.close()
            raise
        self.addresses: Sequence[Address] = [each.address for each in self.sockets]

    @property
    def address(self) -> Address:
        """The first address: one by which a client on this machine connects."""
        return self.addresses[0]

    def __str__(self) -> str:
        return ", ".join(map(str, self.addresses))

    def give(self, access: SocketAccess, owner: str) -> None:
        """Give the files of unix sockets this access. `owner`: as for the start. Raises ListenError."""
        for each in self.sockets:
            if isinstance(each.address, UnixAddress):
                try:
                    access.give(each.address.path)
                except OSError as error:
                    raise ListenError(Refusal.of(owner, each.address, error)) from error
                except ValueError as error:
                    raise ListenError(Refusal(owner, each.address, str(error))) from error

    def close(self) -> None:
        """Stop listening on all, and remove the files of unix sockets. Connections stay. Idempotent."""
        for each in self.sockets:
            each.close()


def check_free(settings: Iterable[Addresses]) -> None:
    """Try every address, and listen on none. Raises one ListenError for all that cannot be bound."""
    refusals: list[Refusal] = []
    keys: dict[ListenAddress, str] = {}
    for setting in settings:
        for group in setting.groups:
            errors = [_try(address, setting, keys) for address in group]
            absent = [error for error in errors if error is not None and error.number in _ABSENT]
            if len(absent) < len(group):
                errors = [error for error in errors if error not in absent]
            refusals += [error for error in errors if error is not None]
    if refusals:
        raise ListenError(*refusals)


def _try(address: ListenAddress, setting: Addresses, keys: dict[ListenAddress, str]) -> Refusal | None:
    other = keys.setdefault(address, setting.key)
    if other != setting.key and not _has_free_port(address):
        return Refusal(setting.key, address, f"{other} has it too")
    if isinstance(address, SystemdAddress):
        return None
    try:
        try_to_bind(address, only_ipv6=address in _everywhere(setting), reuse_port=setting.reuse_port)
    except OSError as error:
        return Refusal.of(setting.key, address, error)
    except ValueError as error:
        return Refusal(setting.key, address, str(error))
    return None


def _bind_group(group: Sequence[ListenAddress], setting: Addresses, owner: str) -> list[BoundSocket]:
    """Bind a group on one port. A free port of the first address may be in use at another one. Raises ListenError."""
    for attempt in range(MAX_ATTEMPTS):
        try:
            return _bind_each(group, setting, owner)
        except ListenError as error:
            free = len(group) > 1 and _has_free_port(group[0])
            if not free or error.number != errno.EADDRINUSE or attempt == MAX_ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _bind_each(group: Sequence[ListenAddress], setting: Addresses, owner: str) -> list[BoundSocket]:
    only_ipv6, reuse_port = _everywhere(setting), setting.reuse_port
    bound: list[BoundSocket] = []
    absent: ListenError | None = None
    try:
        for address in group:
            wanted = address
            if bound and isinstance(bound[0].address, TCPAddress) and isinstance(address, TCPAddress):
                wanted = address._replace(port=bound[0].address.port)
            try:
                only = address in only_ipv6
                bound.append(BoundSocket(wanted, owner=owner, only_ipv6=only, reuse_port=reuse_port))
            except ListenError as error:
                if error.number not in _ABSENT:
                    raise
                absent = error
        if absent is not None and not bound:
            raise absent
    except BaseException:
        for each in bound:
            each.close()
        raise
    return bound


def _everywhere(addresses: Addresses) -> Sequence[ListenAddress]:
    """Return the addresses `[::]` whose port the setting also has as 0.0.0.0: they are for IPv6 alone."""
    tcp = [address for address in addresses.all if isinstance(address, TCPAddress)]
    ports = {address.port for address in tcp if address.host == "0.0.0.0"}  # noqa: S104 - compared, not bound
    return [address for address in tcp if address.host == "::" and address.port in ports]


def _has_free_port(address: ListenAddress) -> bool:
    return isinstance(address, TCPAddress) and address.port == 0


def _without_repetitions(
    groups: Iterable[tuple[ListenAddress, ...]],
) -> tuple[tuple[ListenAddress, ...], ...]:
    """Leave out addresses that come again, as in `[localhost:25, 127.0.0.1:25]`."""
    seen: set[ListenAddress] = set()
    kept = []
    for group in groups:
        new = tuple(address for address in group if _has_free_port(address) or address not in seen)
        seen.update(new)
        if new:
            kept.append(new)
    return tuple(kept)
