"""The search of the inbox's page, in a real browser beside a real host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.inbox.host import inbox, mail, send
from support.inbox.page import Visit, live, shows
from support.waiting import eventually

from rrpy.inbox.store.query import OPERATORS
from rrpy.inbox.web.application import STATIC

pytestmark = pytest.mark.program("chromium")

MARKED = "[...CSS.highlights.get('hits')].map(String)"


def test_the_field_suggests_every_operator() -> None:
    suggested = set(re.findall(r'\["(\w+):', (STATIC / "operators.js").read_text()))
    assert suggested == set(OPERATORS)


def test_operators_are_suggested_hits_are_marked_and_the_address_keeps_the_search(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        for subject in ("Grüße", "Your order", "Grüße again"):
            send(host, mail(subject, f"GRUSSE: {subject}\n"))
        page = live(visit(host))
        box = page.get_by_role("combobox")
        box.press_sequentially("sub")
        expect(page.get_by_role("listbox", name="Operators").get_by_role("option")).to_have_count(1)
        box.press("ArrowDown")
        box.press("Enter")
        expect(box).to_have_value("subject:")
        expect(page.locator("#wrong")).to_have_text("subject: has no value; an example is subject:invoice")
        box.press_sequentially("grusse -again")
        expect(page.locator("#count")).to_have_text("1 of 3 messages")
        expect(page.locator("#wrong")).to_be_hidden()
        shows(page, ["Grüße"])
        box.press("Enter")
        expect(page.locator("#panel")).to_contain_text("GRUSSE")
        eventually(lambda: set(page.evaluate(MARKED)) == {"Grüße", "GRUSSE"}, "both are marked")
        expect(page).to_have_url(re.compile(re.escape("?search=subject%3Agrusse+-again#")))
        page.reload()
        expect(box).to_have_value("subject:grusse -again")
        expect(page.locator("#messages .item")).to_have_count(1)
        expect(page.locator("#subject")).to_have_text("Grüße")


def test_hits_are_marked_in_the_html_of_a_mail_too(tmp_path: Path, visit: Visit) -> None:
    """The frame shows itself to no script of the page, so the search left its words plain."""
    with inbox(tmp_path) as (host, client):
        send(host, mail("Order", html="<p title='order'>Your <b>Order</b> &amp; your ord&euml;r</p>"))
        page = live(visit(host))
        page.get_by_role("option").click()
        marks = page.frame_locator("iframe").locator("mark")
        expect(page.frame_locator("iframe").get_by_text("Your")).to_be_visible()
        expect(marks).to_have_count(0)
        box = page.get_by_role("combobox")
        box.fill("order has:html")
        expect(marks).to_have_text(["Order", "ord\u00ebr"])
        expect(marks.first).to_have_css("background-color", "rgb(253, 230, 138)")
        box.fill("order from:")  # wrong: the hits stay
        expect(page.locator("#wrong")).to_be_visible()
        expect(marks).to_have_count(2)
        expect(page.get_by_role("link", name="Open the HTML")).to_have_attribute("href", re.compile("/html$"))
        box.press("Escape")
        expect(marks).to_have_count(0)
        assert client.get("messages/latest/html", params={"mark": "x" * 5001}).status_code == 400


def test_the_filter_defects_is_a_search_that_it_begins_and_ends(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        send(host, mail("whole"))
        page = live(visit(host))
        button = page.get_by_role("button", name="defects")
        expect(page.get_by_role("option")).to_have_count(1)
        expect(button).to_be_hidden()
        send(host, "Content-Type: multipart/mixed\r\nSubject: broken\r\n\r\nHi\r\n")
        expect(button).to_have_attribute("aria-pressed", "false")
        expect(page.locator("#boxes")).to_be_hidden()  # the inbox has one mailbox
        expect(page.locator("#messages .box")).to_have_count(0)
        box = page.get_by_role("combobox")
        box.fill('-is:read "has:defect"')
        expect(page.locator("#messages .item")).to_have_count(0)
        box.fill("-is:read")
        expect(page.locator("#messages .item")).to_have_count(2)
        button.click()
        expect(box).to_have_value("-is:read has:defect")
        shows(page, ["broken"])
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        expect(box).to_have_value("-is:read")
        expect(button).to_have_attribute("aria-pressed", "false")
        expect(page.locator("#messages .item")).to_have_count(2)


def test_unread_is_counted_for_every_page_whatever_its_list_shows(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, client):
        for number in range(3):
            send(host, mail(f"number {number}"))
        page, other = live(visit(host)), live(visit(host))
        other.get_by_role("combobox").fill("number 0")
        expect(other.locator("#messages .item")).to_have_count(1)
        expect(other).to_have_title("(3) rrpy inbox")
        page.get_by_role("option", name="number 2").click()
        for each in (page, other):
            expect(each).to_have_title("(2) rrpy inbox")
        send(host, mail("number 3"))
        expect(other).to_have_title("(3) rrpy inbox")
        assert client.patch("messages?read=1").json() == {"changed": 3}
        for each in (page, other):
            expect(each).to_have_title("rrpy inbox")
            expect(each.locator(".item.unread")).to_have_count(0)


def test_escape_gives_the_page_its_keys_back_where_nothing_was_found(tmp_path: Path, visit: Visit) -> None:
    """The list was hidden, so the field kept the keyboard."""
    with inbox(tmp_path) as (host, _):
        send(host, mail("one"))
        page = live(visit(host))
        box = page.get_by_role("combobox")
        box.fill("zeppelin")
        expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
        box.press("Escape")
        expect(box).not_to_be_focused()
        expect(page.get_by_role("option", name="one")).to_be_visible()
        page.keyboard.press("j")
        expect(page.locator("#subject")).to_have_text("one")
