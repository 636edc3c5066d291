"""The main states of the inbox's page, as a reader may meet them. Each begins where the last ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from playwright.sync_api import Page, expect

from . import showcase


def states(page: Page, fill: Callable[[], None]) -> Iterator[str]:
    """Bring the page into each state, and yield its name. `fill`: sends the mails of the showcase."""
    page.mouse.move(0, 0)
    expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
    yield "empty"
    fill()
    expect(page.locator("#messages .item")).to_have_count(len(showcase.mails()))
    expect(page.locator("#refused")).to_be_visible()
    yield "list"
    page.keyboard.press("r")
    expect(page.get_by_role("list", name="Refused").get_by_role("listitem")).to_have_count(1)
    yield "refused"
    page.keyboard.press("r")
    yield from _message(page)
    yield from _dialogs(page)
    yield from _search(page)
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("#chosen-count")).to_have_text("4 selected")
    yield "selected"
    page.keyboard.press("#")
    expect(page.locator("#undo")).to_be_visible()
    yield "deleted"
    page.keyboard.press("z")
    expect(page.locator("#messages .item")).to_have_count(len(showcase.mails()))


def phone_states(page: Page) -> Iterator[str]:
    """The same for a small screen, with the mails of the showcase in the inbox and none of them open."""
    yield "phone-list"
    page.get_by_role("option", name="Your order #20417").click()
    page.get_by_role("tab", name="HTML", exact=True).click()
    expect(page.frame_locator("iframe").get_by_text("Thank you, Marta!")).to_be_visible()
    yield "phone-html"
    page.get_by_role("button", name="Phone, 375 pixels").click()
    yield "phone-wide"
    page.get_by_role("tab", name="Attachments").click()
    expect(page.get_by_role("link", name="Download all")).to_be_visible()
    yield "phone-attachments"
    page.get_by_role("button", name="Release the message").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    yield "phone-release"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to the list").click()
    page.locator("#refused").click()
    expect(page.get_by_role("list", name="Refused")).to_be_visible()
    yield "phone-refused"
    page.locator("#refused").click()
    page.get_by_role("combobox").fill("")
    expect(page.get_by_role("listbox", name="Operators")).to_be_visible()
    yield "phone-search"
    page.get_by_role("combobox").press("Escape")
    expect(page.locator("#messages .item")).to_have_count(len(showcase.mails()))


def _message(page: Page) -> Iterator[str]:
    page.get_by_role("option", name="Your order #20417").click()
    page.mouse.move(0, 0)
    expect(page.frame_locator("iframe").get_by_text("Thank you, Marta!")).to_be_visible()
    yield "html"
    for tab in ("Text", "HTML source", "Links", "Headers", "Source", "Attachments", "Session"):
        page.get_by_role("tab", name=tab, exact=tab == "Source").click()
        expect(page.locator("#panel")).not_to_have_text("Loading")
        expect(page.get_by_role("tab", selected=True)).to_contain_text(tab)
        yield tab.lower().replace(" ", "-")
    page.get_by_role("option", name="Vos échantillons").click()
    page.get_by_role("tab", name="Check").click()
    expect(page.locator(".verdict")).to_have_text("1 hint")
    yield "check-good"
    page.get_by_role("option", name="You have WON").click()
    expect(page.locator(".verdict")).to_have_text("1 error, 2 warnings, 1 hint")
    yield "check"
    page.get_by_role("option", name="Your sign-in code").click()
    page.get_by_role("tab", name="Text", exact=True).click()
    expect(page.locator(".codes")).to_be_visible()
    yield "code"


def _dialogs(page: Page) -> Iterator[str]:
    dialog = page.get_by_role("dialog")
    for name, opens in (
        ("help", "#help"),
        ("connections", "#connections"),
        ("release", "#release"),
    ):
        page.locator(opens).click()
        expect(dialog).to_be_visible()
        yield name
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    page.get_by_role("option", name="Weekly sales").click()
    page.get_by_role("tab", name="Attachments").click()
    page.get_by_role("button", name="Preview sales-week-47.csv").click()
    expect(dialog).to_be_visible()
    yield "preview"
    page.keyboard.press("Escape")


def _search(page: Page) -> Iterator[str]:
    page.mouse.move(0, 0)
    box = page.get_by_role("combobox")
    page.keyboard.press("/")
    expect(page.get_by_role("listbox", name="Operators")).to_be_visible()
    box.press("ArrowDown")
    yield "suggestions"
    box.fill("order")
    expect(page.locator("#messages .item")).to_have_count(3)
    box.press("Enter")
    yield "search"
    box.fill("from:")
    expect(page.locator("#wrong")).to_be_visible()
    yield "wrong-search"
    box.fill("zeppelin")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    yield "nothing-found"
    box.press("Escape")
    expect(page.locator("#messages .item")).to_have_count(len(showcase.mails()))
