"""The words of pages, docstrings, comments and messages: plain, short, and with an actor (CONTRIBUTING.md, 'Words')."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.docs.pages import PAGES, ROOT
from support.docs.words import faults_of_page, faults_of_source

CLEAN = [
    "benchmarks",
    "commands",
    "container",
    "docs",
    "examples",
    "goridge",
    "inbox",
    "mime",
    "ops",
    "rpc",
    "smtp_plugin",
    "testing",
    "worker",
    "worker_pool",
]
"""Folders whose Python files are checked."""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_plain_words_and_short_sentences(path: Path) -> None:
    assert not list(map(str, faults_of_page(path)))


@pytest.mark.parametrize("folder", CLEAN)
def test_docstrings_comments_and_messages_have_plain_words(folder: str) -> None:
    faults = [fault for path in sorted((ROOT / folder).glob("**/*.py")) for fault in faults_of_source(path)]
    assert not list(map(str, faults))
