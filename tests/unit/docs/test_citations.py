"""The pages and headings that the source cites exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.docs.pages import PAGES, ROOT, anchors, page, prose, sources

CITED = re.compile(
    r"(?<![\w/])(?<!\]\()(?P<page>docs/[\w/-]+\.md|[A-Z]+\.md)(?:#(?P<anchor>[\w-]+)|, '(?P<heading>.+?)'(?!\w))?"
)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def faults(text: str) -> list[str]:
    """Return the citations of a text that lead nowhere."""
    joined = re.sub(r"\s+(?:(?:#|//|\*) )?", " ", text)
    return [found[0] for found in CITED.finditer(joined) if not exists(found)]


def exists(found: re.Match[str]) -> bool:
    path = ROOT / found["page"]
    if not path.is_file():
        return False
    text = page(found["page"])
    if found["anchor"]:
        return found["anchor"] in anchors(text)
    return not found["heading"] or found["heading"] in HEADING.findall(prose(text))


def test_every_cited_page_and_heading_exists() -> None:
    paths = [path for path in sources() if path not in PAGES and path != Path(__file__) and path.suffix != ".eml"]
    found = [f"{path.relative_to(ROOT)}: {fault}" for path in paths for fault in faults(path.read_text("utf-8"))]
    assert not found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(path: Path) -> None:
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", prose(path.read_text(encoding="utf-8")))
    folders = {each.name for each in ROOT.iterdir() if each.is_dir()} - {"site"}  # the site is built
    assert not [name for name in named if name.partition("/")[0] in folders and not (ROOT / name).exists()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_that_a_page_places_in_a_file_is_there(path: Path) -> None:
    """As in: `Rules.extensions` in [`rules.py`](smtp_plugin/protocol/rules.py)."""
    placed = re.findall(r"`([\w.]+)` (?:in|of)\s+\[`[^`]+`\]\(([^)#]+\.py)\)", path.read_text(encoding="utf-8"))
    assert not [
        (name, file)
        for name, file in placed
        for part in name.split(".")
        if not re.search(rf"\b{part}\b", (path.parent / file).read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("(docs/reference/wire.md, 'Goridge frame')", False),
        ("docs/reference/wire.md#pool, 6", False),
        ("(docs/reference/wire.md, 'Goridge\n# frame')", False),
        ("(CONTRIBUTING.md, 'Words')", False),
        ("docs/reference/wires.md", True),
        ("(WIRE.md, 'Goridge frame')", True),
        ("docs/reference/wire.md#pools", True),
        ("docs/reference/wire.md, 'Worker's frame'", True),
    ],
)
def test_a_citation_that_leads_nowhere_is_found(text: str, wrong: bool) -> None:
    assert bool(faults(text)) is wrong
