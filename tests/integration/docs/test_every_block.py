"""Every block of code in the documentation runs, and every way to run one is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.docs.pages import PAGES, ROOT, Block, blocks
from support.docs.transcript import Transcript
from support.docs.ways import WAYS, run_pages, way_of

GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
"""A reader follows these pages in order, in one folder."""
ALONE = [path for path in PAGES if path not in GUIDE and blocks(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", ALONE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_does_what_it_says(tmp_path: Path, path: Path) -> None:
    run_pages([path], tmp_path)


@pytest.mark.timeout(400)  # it installs rrpy, from an index
@pytest.mark.program("php")
def test_the_guide_leads_from_nothing_to_a_plugin(tmp_path: Path) -> None:
    assert len(GUIDE) == 5
    (tmp_path / "guide").mkdir()
    run_pages(GUIDE, tmp_path / "guide")


def test_every_way_is_needed() -> None:
    named = {block.way for path in PAGES for block in blocks(path.read_text(encoding="utf-8"))}
    assert {way.removeprefix("test: ") for way in named if way.startswith("test: ")} == set(WAYS)


@pytest.mark.parametrize("block", [Block("", "indented"), Block("cobol", "x"), Block("sh", "x", 1, "test: nonsense")])
def test_a_block_without_a_way_is_found(block: Block) -> None:
    with pytest.raises(AssertionError, match="there is no way to run"):
        way_of(block)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("echo hello\n", "can be run here"),
        ("docker run rrpy rrpy workers --nope\n", "No such option"),
        ("kubectl apply -f nowhere.yaml\n", "nowhere.yaml"),
    ],
)
def test_what_is_not_run_is_looked_at(tmp_path: Path, text: str, error: str) -> None:
    block = Block("sh", text, 1, "not run: it needs something")
    with Transcript(tmp_path) as transcript, pytest.raises(Exception, match=error):
        way_of(block)(transcript, block)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("2 + 2\n4", "2 + 2\n5"), ("$ echo hello\nhello", "$ echo hello\nbye"), ("max_recipients: 5", "max_recipient: 5")],
)
def test_a_page_that_is_wrong_fails_and_says_where(tmp_path: Path, right: str, wrong: str) -> None:
    text = "# Page\n\n```pycon\n>>> 2 + 2\n4\n```\n\n```console\n$ echo hello\nhello\n```\n\n"
    text += "```yaml\nsmtp:\n  max_recipients: 5\n```\n"
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
    page = tmp_path / "page.md"
    page.write_text(text)
    run_pages([page], tmp_path / "right")
    page.write_text(text.replace(right, wrong))
    with pytest.raises(AssertionError) as failed:
        run_pages([page], tmp_path / "wrong")
    line = text[: text.index(right)].count("\n")
    assert any(f"page.md:{line}" in note or f"page.md:{line - 1}" in note for note in failed.value.__notes__)
