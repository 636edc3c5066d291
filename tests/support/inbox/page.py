"""The page of an inbox, as a test reads it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

Visit = Callable[..., Page]
"""Opens the page of a host, or an address, in a fresh context."""


def live(page: Page) -> Page:
    """Wait until the page follows what happens."""
    expect(page.locator("#state")).to_have_text("Live")
    return page


def shows(page: Page, subjects: list[str]) -> None:
    """Wait until the list shows the messages with these subjects, from the top."""
    expect(page.locator("#messages .subject")).to_have_text(subjects)
