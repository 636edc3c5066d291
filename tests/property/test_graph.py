from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rrpy.container.errors import DependencyError
from rrpy.container.graph import start_order

Needs = dict[int, list[int]]


@st.composite
def graphs(draw) -> tuple[list[int], Needs]:
    nodes = draw(st.permutations(range(draw(st.integers(0, 8)))))
    needs = {node: draw(st.lists(st.sampled_from(nodes), max_size=3)) for node in nodes}
    return nodes, needs


@st.composite
def acyclic(draw) -> tuple[list[int], Needs]:
    nodes = draw(st.permutations(range(draw(st.integers(0, 10)))))
    needs = {node: draw(st.lists(st.sampled_from(range(node)), max_size=4)) if node else [] for node in nodes}
    return nodes, needs


def reachable(start: int, needs: Needs) -> set[int]:
    found: set[int] = set()
    todo = [*needs[start]]
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += needs[node]
    return found


@given(acyclic())
def test_every_node_comes_once_and_after_what_it_needs(graph):
    nodes, needs = graph
    order = start_order(nodes, needs)
    assert sorted(order) == sorted(nodes)
    for node in nodes:
        assert all(order.index(need) < order.index(node) for need in needs[node])


@given(acyclic())
def test_an_order_that_is_good_already_is_kept(graph):
    nodes, needs = graph
    order = start_order(nodes, needs)
    assert start_order(order, needs) == order


@given(acyclic())
def test_a_node_moves_forward_only_for_somebody_who_needs_it(graph):
    nodes, needs = graph
    order = start_order(nodes, needs)
    for index, node in enumerate(order):
        overtaken = [other for other in order[index + 1 :] if nodes.index(other) < nodes.index(node)]
        for other in overtaken:
            served = [root for root in nodes[: nodes.index(other) + 1] if node in reachable(root, needs)]
            assert served, f"{node} overtook {other} for nobody"


@given(graphs())
def test_there_is_an_error_exactly_when_there_is_a_cycle_and_it_prints_a_real_one(graph):
    nodes, needs = graph
    cyclic = any(node in reachable(node, needs) for node in nodes)
    try:
        start_order(nodes, needs)
    except DependencyError as error:
        assert cyclic
        cycle = [int(each) for each in str(error).partition(": ")[2].split(" -> ")]
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(need in needs[node] for node, need in pairwise(cycle))
    else:
        assert not cyclic
