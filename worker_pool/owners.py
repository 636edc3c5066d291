"""What `informer` and `resetter` share: plugins by their names, and what a client is told of a pool's error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from ..container.errors import HostError
from .errors import PoolError

T = TypeVar("T")


def find(owners: Mapping[str, T], plugin: str) -> T:
    """Return the plugin of this name. Raises HostError, with RoadRunner's text, when there is none."""
    if plugin not in owners:
        raise HostError(f"no such plugin: {plugin}")
    return owners[plugin]


@contextmanager
def told_to_the_client() -> Iterator[None]:
    """Turn a PoolError into a HostError: the RPC bus sends on the text of that one, and keeps others to itself."""
    try:
        yield
    except HostError:
        raise
    except PoolError as error:
        raise HostError(str(error) or type(error).__name__) from error
