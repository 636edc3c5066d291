"""YAML text to plain data, without the surprises of YAML 1.1.

What is different from `yaml.safe_load`: a key that is written twice is an error; keys are text as they are written;
only `true` and `false` are booleans (`no`, `on`, `off` are texts); `012`, `1:30` and `2024-01-01` are texts, not an
octal number, a number to the base 60 and a date; `1.10` is a text too, which settings of numbers take; tags
(`!!binary`, ...) and an alias inside its own anchor are errors.
Anchors, aliases and the merge key `<<` work; an alias is a copy, so that `-o` changes one place only, and aliases of
aliases cannot multiply beyond `MAX_VALUES`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from ..errors import ConfigError

MAX_VALUES: Final = 100_000
"""How many values a text may hold, each counted wherever an alias puts it."""
MAX_DEPTH: Final = 100
"""How deep lists and mappings may be nested."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG: Final = "tag:yaml.org,2002:"
_ALLOWED_TAGS: Final = {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}
_NUMBER_START: Final = list("-+.0123456789")


class _Loader(_Base):  # type: ignore[misc]  # which of the two loaders there is, is known at run time
    yaml_implicit_resolvers: Final[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return what a node holds. What its tag does not fit, which PyYAML lets crash, is an error with a place."""
        try:
            found = super().construct_object(node, deep)
            # As a number `1.10` would lose its zero, which counts in the value of an environment variable.
            loses_zero = isinstance(found, float) and node.value.endswith("0") and repr(found) != node.value
            return node.value if loses_zero else found
        except (ValueError, KeyError):
            problem = f"this cannot be read as {_short(node.tag)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+", _NUMBER_START),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", _NUMBER_START),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), _first)


def parse(text: str, source: str) -> Any:
    """Return the data of a YAML text: dicts with text keys, lists, texts, numbers, booleans, None.

    Raises ConfigError, one sentence that begins with `source:line:column`.
    """
    try:
        return _unshared(_construct(text, source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if _begins_with_tab(text, error.problem_mark):
            raise ConfigError(f"{_place(source, mark)}: a tab; indent with blanks") from None
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{_place(source, mark)}: {_sentence(what)}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: {_sentence(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{source}: it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ConfigError(f"{source}: it is not UTF-8 text") from None


def key_lines(text: str) -> dict[str, int]:
    """Return the line of every key in a YAML text that `parse` takes, counted from 1: `smtp.pool.command` -> 12.

    Items of a list have their numbers. What an alias or a merge key brings in has the line where it was written.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    return dict(_lines_below(node, ""))


def _lines_below(node: yaml.Node | None, path: str) -> Iterator[tuple[str, int]]:
    items: list[tuple[str, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        items = [(str(key.value), key, item) for key, item in node.value]
    elif isinstance(node, yaml.SequenceNode):
        items = [(str(number), item, item) for number, item in enumerate(node.value)]
    for name, written, item in items:
        below = path if name == "<<" else f"{path}.{name}" if path else name
        if name != "<<":
            yield below, written.start_mark.line + 1
        yield from _lines_below(item, below)


def _check_depth(text: str, source: str) -> None:
    """Refuse what is nested too deeply, while it is a stream of events: libyaml's recursion would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{_place(source, event.start_mark)}: it is nested more than {MAX_DEPTH} levels deep")


def _construct(text: str, source: str) -> Any:
    _check_depth(text, source)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, source, above=(), count=itertools.count(1))
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check(node: yaml.Node, source: str, above: tuple[yaml.Node, ...], count: Iterator[int]) -> None:
    if next(count) > MAX_VALUES:
        raise ConfigError(
            f"{_place(source, node.start_mark)}: there are more than {MAX_VALUES} values, with the aliases"
        )
    if node in above:
        raise ConfigError(f"{_place(source, node.start_mark)}: a value contains itself by an alias")
    if node.tag not in _ALLOWED_TAGS:
        raise ConfigError(f"{_place(source, node.start_mark)}: the tag {_short(node.tag)} is not known here")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check(item, source, (*above, node), count)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{_place(source, key.start_mark)}: a key must be a text")
            if key.value in seen:
                raise ConfigError(f"{_place(source, key.start_mark)}: the key {key.value} is there twice")
            seen.add(key.value)
            if key.tag != _TAG + "merge":
                key.tag = _TAG + "str"
            _check(item, source, (*above, node), count)


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _place(source: str, mark: Any) -> str:
    return f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source


def _begins_with_tab(text: str, mark: Any) -> bool:
    """Say whether there is a tab at the mark, where the line's first word should be."""
    line = text.split("\n")[mark.line : mark.line + 1] if mark else []
    return bool(line) and line[0][mark.column : mark.column + 1] == "\t" and not line[0][: mark.column].strip()


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _sentence(text: str) -> str:
    return " ".join(text.split())
