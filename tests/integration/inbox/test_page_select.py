"""Several messages of the inbox's page at once, in a real browser beside a real host."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.inbox.host import inbox, mail, send
from support.inbox.page import Visit, live, shows

pytestmark = pytest.mark.program("chromium")


def test_several_are_selected_marked_and_deleted_by_mouse_and_keyboard(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, client):
        for number in range(6):
            send(host, mail(f"number {number}"))
        page = live(visit(host))
        rows = page.locator("#messages .item")
        chosen = page.locator("#chosen-count")
        rows.nth(1).click()
        rows.nth(3).click(modifiers=["Shift"])
        expect(chosen).to_have_text("3 selected")
        rows.nth(2).click(modifiers=["Control"])
        expect(chosen).to_have_text("2 selected")
        page.emulate_media(forced_colors="active")  # the system takes the colours of the page away
        expect(rows.nth(1)).to_have_css("outline-style", "solid")
        expect(rows.nth(2)).to_have_css("outline-style", "none")
        page.emulate_media(forced_colors="none")
        rows.nth(5).locator(".check").click()
        expect(chosen).to_have_text("3 selected")
        page.get_by_role("button", name="Read", exact=True).click()
        expect(page).to_have_title("(3) rrpy inbox")
        page.keyboard.press("u")
        expect(page).to_have_title("(6) rrpy inbox")
        page.keyboard.press("#")
        expect(rows).to_have_count(3)
        shows(page, ["number 5", "number 3", "number 1"])
        page.keyboard.press("z")
        expect(rows).to_have_count(6)
        page.locator("#messages").focus()
        page.keyboard.press("Control+a")
        expect(chosen).to_have_text("6 selected")
        page.keyboard.press("Escape")
        expect(chosen).to_be_hidden()
        rows.nth(0).click()
        page.keyboard.press("Shift+ArrowDown")
        expect(chosen).to_have_text("2 selected")
        page.keyboard.press("Delete")
        expect(rows).to_have_count(4)
        page.get_by_role("combobox").fill("number 0")
        expect(rows).to_have_count(1)
        page.get_by_role("button", name="Delete these").click()  # the deletion before it is carried out
        expect(rows).to_have_count(0)
        page.get_by_role("button", name="Delete now").click()
        page.get_by_role("combobox").press("Escape")
        expect(rows).to_have_count(3)
        page.get_by_role("button", name="Mark all read").click()
        expect(page).to_have_title("rrpy inbox")
        assert [each["subject"] for each in client.get("messages").json()["messages"]] == [
            "number 3", "number 2", "number 1",
        ]  # fmt: skip


def test_new_mail_above_a_scrolled_list_is_counted_and_days_have_lines(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        for number in range(12):
            send(host, mail(f"number {number}"))
        page = live(visit(host, viewport={"width": 900, "height": 400}))
        expect(page.locator("#messages .item")).to_have_count(12)
        assert page.locator("[data-day]").count() == 0
        page.get_by_role("button", name="Compact list").click()
        expect(page.locator(".excerpt").first).to_be_hidden()
        page.reload()
        expect(page.locator(".subject").first).to_be_visible()
        expect(page.locator(".excerpt").first).to_be_hidden()
        page.evaluate("document.querySelector('.list').scrollTop = 200")
        for name in ("first", "second"):
            send(host, mail(name))
        newer = page.locator("#newer")
        expect(newer).to_have_text("2 new")
        newer.click()
        expect(newer).to_be_hidden()
        page.clock.set_fixed_time("2099-01-01")
        page.reload()
        expect(page.locator("[data-day]")).to_have_count(1)
