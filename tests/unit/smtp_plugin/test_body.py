"""The bytes of an incoming message: their cost in memory, and the limits."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from rrpy.smtp_plugin.protocol.body import _SMUGGLED, Body, Budget, ChunkBody, DataBody, has_lone_dot


@pytest.mark.parametrize("kind", [ChunkBody, DataBody])
def test_tiny_pieces_cost_what_they_hold(kind: type[Body]) -> None:
    tracemalloc.start()
    body = kind(0, Budget())
    for _ in range(100_000):
        body.keep(b"xx")
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2 * 200_000
    assert body.content() == b"xx" * 100_000


def test_the_budget_is_charged_until_the_message_is_let_go() -> None:
    budget = Budget(100)
    body = Body(0, budget)
    body.keep(b"x" * 60)
    assert budget.used == 60
    other = Body(0, budget)
    other.keep(b"x" * 50)
    assert other.over_budget
    assert not other.kept
    assert budget.used == 60
    body.content()
    body.release()
    body.release()
    assert budget.used == 0


def test_a_message_over_its_limit_is_dropped_at_once() -> None:
    budget = Budget(0)
    body = Body(10, budget)
    body.keep(b"x" * 10)
    assert body.kept
    body.keep(b"x")
    assert body.too_big
    assert budget.used == 0
    assert not body.is_flood
    body.keep(b"x" * 30)
    assert body.is_flood


@pytest.mark.parametrize("length", range(8))
def test_a_lone_dot_is_found_wherever_the_rule_s_pattern_finds_one(length: int) -> None:
    for bytes_of_piece in itertools.product(b"\r\n.x", repeat=length):
        piece = bytes(bytes_of_piece)
        assert has_lone_dot(piece) == bool(_SMUGGLED.search(piece)), piece
