"""The order of nodes by their needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from .errors import DependencyError

K = TypeVar("K")


def start_order(nodes: Sequence[K], needs: Mapping[K, Iterable[K]]) -> list[K]:
    """Return `nodes` so that each comes after its needs; otherwise they keep their order.

    `needs`: for a node, the nodes that must come before it. Raises DependencyError, which prints the cycle, for a
    graph with one.
    """
    order: list[K] = []
    done: set[K] = set()
    for root in nodes:
        # Depth first with a stack of our own: a chain of plugins may be longer than Python's stack.
        path: list[K] = [root] if root not in done else []
        while path:
            node = path[-1]
            open_need = next((need for need in needs.get(node, ()) if need not in done), None)
            if open_need is None:
                path.pop()
                done.add(node)
                order.append(node)
            elif open_need in path:
                cycle = [*path[path.index(open_need) :], open_need]
                raise DependencyError(f"plugins need one another in a circle: {' -> '.join(map(str, cycle))}")
            else:
                path.append(open_need)
    return order
