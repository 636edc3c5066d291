"""The words of pages, docstrings, comments and messages: plain, short, and with an actor (CONTRIBUTING.md, 'Words')."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.docs.pages import PAGES, ROOT, sources
from support.docs.words import faults_of_page, faults_of_python, faults_of_text

CORPORA = (".eml", ".smtp", ".svg")
"""Files whose words are other people's."""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_plain_words_and_short_sentences(path: Path) -> None:
    assert not list(map(str, faults_of_page(path)))


@pytest.mark.usefixtures("untraced")
def test_docstrings_comments_and_messages_have_plain_words() -> None:
    paths = [path for path in sources(".py") if path != Path(__file__) and path.name != "words.py"]
    assert len(paths) > 100
    assert not [str(fault) for path in paths for fault in faults_of_python(path)]


def test_other_files_have_plain_words() -> None:
    others = [path for path in sources() if path not in PAGES and path.suffix not in (".py", *CORPORA)]
    paths = [path for path in others if not path.is_relative_to(ROOT / "tests")]
    assert {"rr.yaml", "Dockerfile", "index.html"} <= {path.name for path in paths}
    assert not [str(fault) for path in paths for fault in faults_of_text(path)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# The plugin is told of it.", ["told"]),
        ('"""Whoever asks.\n\n    That is no error."""', ["Whoever", "is no error"]),
        ("_heirs = 1  # behind the door", ["_heirs", "behind "]),
        ("there_is_no_limit = 0  # There is no limit, and it leaves nothing behind.", []),
        ("x = f'{x} is none of these'", ["is none"]),
    ],
)
def test_denied_words_are_found(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "text.py"
    path.write_text(text)
    assert [fault.words for fault in faults_of_python(path)] == words
