"""The page's files: modules that find one another, in layers, and all of them served."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

import pytest

from rrpy.inbox.feed import EVENTS
from rrpy.inbox.web.application import STATIC, TYPES

MODULES = {file.name: file.read_text() for file in STATIC.glob("*.js")}


def imported(module: str) -> list[str]:
    """Return the modules that a module imports, also those that it takes types from alone."""
    return re.findall(r'(?:from |import\(|SharedWorker\()"\./([^"]+)"', MODULES[module])


def test_every_file_has_a_kind_that_the_page_serves() -> None:
    assert {file.suffix for file in STATIC.iterdir()} == set(TYPES)


def test_modules_import_one_another_without_a_circle_and_each_of_them_is_used() -> None:
    graph = {name: imported(name) for name in MODULES}
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)
    assert set(MODULES) - {name for names in graph.values() for name in names} == {"main.js"}


def test_the_page_follows_every_event_of_the_host() -> None:
    (names,) = re.findall(r"^const EVENTS = \[(.*)\];$", MODULES["feed.js"], re.MULTILINE)
    assert set(re.findall(r'"(\w+)"', names)) == set(EVENTS)


def test_the_page_names_files_that_are_there() -> None:
    page = (STATIC / "index.html").read_text()
    names = {name for name in re.findall(r'(?:href|src)="([^"#]+)"', page) if not name.startswith("api/")}
    assert names == {"icon.svg", "style.css", "message.css", "main.js"}
    assert {file.name for file in STATIC.iterdir()} == names | set(MODULES) | {"index.html"}


def test_every_element_that_a_module_asks_for_is_on_the_page() -> None:
    page = (STATIC / "index.html").read_text()
    there = set(re.findall(r'\bid="([^"]+)"', page))
    asked = {name for text in MODULES.values() for name in re.findall(r'(?:byId|onClick)\("([^"]+)"', text)}
    assert asked
    assert asked <= there, asked - there


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_is_small_and_says_what_it_is_for(module: str) -> None:
    text = MODULES[module]
    assert text.startswith("// ")
    assert len(text.splitlines()) < 250
