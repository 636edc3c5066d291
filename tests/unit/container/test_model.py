"""One walk over the parts of a section: with a value, or with every key that its model has."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import NODEFAULT, Meta, Struct

from rrpy.container.config.model import EVERY, Part, Setting, Unknown, description_of, section_of, settings, walk


class Leaf(Struct, frozen=True):
    size: int
    name: str = "x"


class Tree(Struct, frozen=True):
    leaf: Annotated[Leaf | None, Meta(description="the leaf")] = None
    leaves: list[Leaf] = []
    named: dict[str, Leaf] = {}
    either: str | list[str] = ""
    tree: Tree | None = None


def paths(value: Any, **options: bool) -> list[str]:
    return [part.path for part in walk(Tree, value, "t", **options)]


VALUE = {"named": {"a.b": {"size": 1}}, "leaf": {"size": 2}, "leaves": [{"name": "y"}], "either": ["p", "q"]}


def test_a_value_gives_its_parts_in_its_own_order() -> None:
    assert paths(VALUE) == [
        "t",
        "t.named",
        "t.named.a.b",
        "t.named.a.b.size",
        "t.leaf",
        "t.leaf.size",
        "t.leaves",
        "t.leaves.0",
        "t.leaves.0.name",
        "t.either",
        "t.either.0",
        "t.either.1",
    ]


def test_parts_may_come_before_their_whole() -> None:
    assert paths({"leaf": {"size": 2}, "either": ["p"]}, parts_first=True) == [
        "t.leaf.size",
        "t.leaf",
        "t.either.0",
        "t.either",
        "t",
    ]


def test_each_part_has_its_kind_and_an_unknown_key_the_keys_that_there_are() -> None:
    kinds = {part.path: part.kind for part in walk(Tree, {**VALUE, "leaf": {"sise": 1}}, "t")}
    assert kinds["t.named.a.b"] is Leaf
    assert kinds["t.named.a.b.size"] is int
    assert kinds["t.leaves.0"] is Leaf
    assert kinds["t.either.0"] is str
    assert kinds["t.leaf.sise"] == Unknown(["size", "name"])


@pytest.mark.parametrize("value", [5, "text", None, [{"size": 1}]])
def test_a_value_of_another_shape_is_walked_as_far_as_it_goes(value: Any) -> None:
    first, *rest = walk(Leaf, value, "leaf")
    assert first == Part("leaf", Leaf, value)
    assert [part.kind for part in rest] == ([Any, Any] if isinstance(value, list) else [])


def test_a_model_gives_every_key_and_one_that_holds_itself_ends() -> None:
    parts = {part.path: part for part in walk(Tree, EVERY, "t")}
    assert [*parts] == ["t", "t.leaf", "t.leaf.size", "t.leaf.name", "t.leaves", "t.named", "t.either", "t.tree"]
    assert (parts["t.leaf.size"].default, parts["t.leaf.name"].default) == (NODEFAULT, "x")
    assert description_of(parts["t.leaf"].kind) == "the leaf"
    assert section_of(parts["t.leaf"].kind) is Leaf
    assert section_of(parts["t.leaves"].kind) is None


def test_a_default_is_made_anew_where_it_can_change() -> None:
    assert settings(Tree)[1] == Setting("leaves", list[Leaf], [])
