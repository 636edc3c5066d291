"""The page's address, its history, and the ways through the page: keyboard, small screens, a host that restarts."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.container.host import hosting
from support.inbox.host import inbox, mail, send, url
from support.inbox.page import Visit, live, shows
from support.waiting import eventually

pytestmark = pytest.mark.program("chromium")

CHANGED_ROWS = """
globalThis.changed = new Set();
const note = (changes) => changes.forEach(({ target }) => {
  const row = target.parentElement?.closest(".item") || target.closest?.(".item");
  if (row) changed.add(row.id);
});
new MutationObserver(note).observe(messages, { subtree: true, childList: true, attributes: true });
"""


def test_all_of_it_goes_by_keyboard(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        for number in range(4):
            send(host, mail(f"number {number}", html="<p>Hi</p>"))
        page = live(visit(host))
        expect(page.get_by_role("option")).to_have_count(4)
        chosen = page.get_by_role("option", selected=True)
        press = page.keyboard.press
        press("j")
        expect(chosen).to_contain_text("number 3")
        press("j")
        expect(chosen).to_contain_text("number 2")
        press("k")
        expect(chosen).to_contain_text("number 3")
        page.get_by_role("listbox").focus()
        press("End")
        expect(chosen).to_contain_text("number 0")
        press("ArrowUp")
        expect(chosen).to_contain_text("number 1")
        expect(page.get_by_role("listbox")).to_have_attribute("aria-activedescendant", chosen.get_attribute("id") or "")
        press("Enter")
        expect(page.locator("#subject")).to_be_focused()
        press("5")
        expect(page.get_by_role("tab", selected=True)).to_have_text("Headers")
        page.get_by_role("tab", selected=True).focus()
        press("ArrowRight")
        expect(page.get_by_role("tab", name="Source", exact=True)).to_be_focused()
        press("Home")
        expect(page.get_by_role("tab", selected=True)).to_have_text("Text")
        press("ArrowLeft")
        expect(page.get_by_role("tab", selected=True)).to_have_text("Session")
        press("Escape")
        expect(page.get_by_role("listbox")).to_be_focused()
        press("#")
        expect(page.get_by_role("option")).to_have_count(3)
        expect(chosen).to_contain_text("number 0")
        press("Delete")
        expect(page.get_by_role("option")).to_have_count(2)
        press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
        press("j")  # the page under the dialog does not move
        press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        press("/")
        expect(page.get_by_role("combobox")).to_be_focused()


def test_the_focus_is_seen(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        send(host, mail(html="<p>Hi</p>"))
        page = live(visit(host))
        page.get_by_role("option").click()
        expect(page.get_by_role("tab", name="HTML", exact=True)).to_be_visible()
        page.locator("body").click(position={"x": 5, "y": 5})
        reached = []
        for _ in range(30):
            page.keyboard.press("Tab")
            found = page.evaluate(
                "() => { const at = document.activeElement;"
                " const seen = document.getElementById(at.getAttribute('aria-activedescendant')) || at;"
                " return [at.id || at.tagName, getComputedStyle(seen).outlineStyle]; }"
            )
            if found[0] in ("BODY", "IFRAME"):
                continue
            assert found[1] != "none", found
            reached.append(found[0])
        assert {"search", "messages", "connections", "clear", "help", "download", "delete", "tab-html"} <= set(reached)


def test_a_small_screen_shows_one_pane_at_a_time(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        long = "A subject that goes on and on " * 5 + "x" * 200
        send(host, mail(long, html="<p>Hi</p>"))
        page = live(visit(host, viewport={"width": 400, "height": 700}))
        page.get_by_role("option").click()
        expect(page.get_by_role("listbox")).to_be_hidden()
        expect(page.locator("#subject")).to_be_visible()
        for name in ("HTML", "Text", "Headers", "Source", "Session"):
            page.get_by_role("tab", name=name, exact=True).click()
            assert page.evaluate("document.scrollingElement.scrollWidth") == 400, name
        page.get_by_role("button", name="Back to the list").click()
        expect(page.get_by_role("listbox")).to_be_visible()
        assert page.evaluate("document.scrollingElement.scrollWidth") == 400


def test_the_page_comes_back_to_a_host_that_was_restarted(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path, path="inbox.db") as (host, _):
        send(host, mail("before"))
        page = live(visit(host))
        page.get_by_role("option").click()
        port = url(host).rpartition(":")[2]
    expect(page.locator("#state")).to_have_text("Reconnecting")
    section = {"address": f"127.0.0.1:{port}", "path": "inbox.db"}
    with hosting(tmp_path, inbox=section) as host:
        send(host, mail("after"))
        live(page)
        expect(page.get_by_role("option")).to_have_count(2)
        shows(page, ["after", "before"])
        expect(page.get_by_role("option", selected=True)).to_contain_text("before")
        page.close()  # so that it does not follow a host that ends


def test_a_link_leads_to_one_message(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail("one"))
        wanted = client.get("messages/latest").json()["summary"]["id"]
        send(host, mail("two"))
        page = visit(f"{url(host)}/#{wanted}")
        expect(page.locator("#subject")).to_have_text("one")


def test_back_and_a_pasted_address_lead_to_their_messages(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, client):
        for subject in ("one", "two"):
            send(host, mail(subject))
        one, two = (each["id"] for each in reversed(client.get("messages").json()["messages"]))
        page = live(visit(host))
        shown = page.locator("#subject")
        page.get_by_role("option", name="one").click()
        expect(shown).to_have_text("one")
        page.get_by_role("option", name="two").click()
        expect(shown).to_have_text("two")
        page.go_back()
        expect(shown).to_have_text("one")
        expect(page).to_have_url(re.compile(f"#{one}$"))
        page.go_back()
        expect(page.get_by_text("Choose a message")).to_be_visible()
        expect(page.get_by_role("option", selected=True)).to_have_count(0)
        page.go_forward()
        expect(shown).to_have_text("one")
        page.evaluate("address => { location.href = address }", f"{url(host)}/#{two}")
        expect(shown).to_have_text("two")
        expect(page).to_have_title("rrpy inbox")


def test_back_leads_to_the_list_on_a_small_screen(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        for subject in ("one", "two"):
            send(host, mail(subject))
        page = live(visit(host, viewport={"width": 400, "height": 700}))
        for subject in ("one", "two"):
            page.get_by_role("option", name=subject).click()
            expect(page.locator("#subject")).to_have_text(subject)
            page.get_by_role("button", name="Back to the list").click()
            expect(page.get_by_role("listbox")).to_be_visible()
        page.get_by_role("option", name="two").click()
        page.keyboard.press("j")
        expect(page.locator("#subject")).to_have_text("one")
        page.go_back()
        expect(page.get_by_role("listbox")).to_be_visible()
        expect(page.locator("#message")).to_be_hidden()


@pytest.mark.parametrize("width", [400, 1280])
def test_an_address_of_a_message_that_went_says_so(tmp_path: Path, visit: Visit, width: int) -> None:
    with inbox(tmp_path) as (host, _):
        page = live(visit(f"{url(host)}/#%E0unknown", viewport={"width": width, "height": 700}))
        expect(page.get_by_text("This message is no longer here").first).to_be_visible()
        expect(page).to_have_url(re.compile("#%E0unknown$"))
        send(host, mail("one"))
        page.get_by_role("button", name="To the list").click()
        page.get_by_role("option", name="one").click()
        expect(page.locator("#subject")).to_have_text("one")
        expect(page.locator("#choose")).to_be_hidden()


def test_the_keys_of_the_page_work_after_a_click_into_the_mail(tmp_path: Path, visit: Visit) -> None:
    """The frame of the mail kept the keyboard, and runs no script that could pass a key on."""
    with inbox(tmp_path) as (host, _):
        for subject in ("one", "two", "three"):
            send(host, mail(subject, html=f"<p>{subject} word</p>"))
        page = live(visit(host, permissions=["clipboard-read", "clipboard-write"]))
        shown = page.locator("#subject")
        page.get_by_role("option", name="three").click()
        for key, subject in (("j", "two"), ("ArrowDown", "one")):
            page.frame_locator("iframe").get_by_text("word").click()
            expect(page.locator("#panel")).to_be_focused()
            page.keyboard.press(key)
            expect(shown).to_have_text(subject)
        page.frame_locator("iframe").get_by_text("word").dblclick()
        expect(page.locator("#panel")).to_be_focused()
        page.keyboard.press("Control+c")  # the words of the mail, although the page has the keyboard
        eventually(lambda: page.evaluate("navigator.clipboard.readText()").strip() == "word", "copied")
        expect(page.locator("#panel")).to_be_focused()
        held = page.get_by_text("Shift+Tab gives them back")
        page.keyboard.press("PageDown")  # it scrolls the mail, and its frame gets the keyboard
        expect(held).to_be_visible()
        page.keyboard.press("Shift+Tab")
        expect(held).to_be_hidden()
        page.keyboard.press("#")
        expect(page.get_by_role("option")).to_have_count(2)


def test_what_the_keyboard_is_on_may_go_and_the_keyboard_stays_near(tmp_path: Path, visit: Visit) -> None:
    """It went to the beginning of the page, so the next Tab and a screen reader began anew."""
    with inbox(tmp_path) as (host, _):
        with smtplib.SMTP(*host.smtp) as client:
            client.login("ann", "hunter2")
            for name in ("one", "two"):
                client.send_message(mail(name, html="<p>Hi</p>"), to_addrs=[f"{n}@example.com" for n in range(9)])
        page = live(visit(host))
        page.get_by_role("option", name="two").click()
        page.get_by_role("button", name="Dark mode of the mail").focus()
        page.keyboard.press("j")
        expect(page.locator("#subject")).to_have_text("one")
        expect(page.locator("#panel")).to_be_focused()
        page.get_by_role("button", name="+6 more").press("Enter")
        expect(page.locator("#people :focus")).to_contain_text("8@example.com")
        page.keyboard.press("9")
        page.get_by_role("button", name="Show the password").press("Enter")
        expect(page.locator("#panel :focus")).to_have_text("hunter2")


def test_end_leads_to_the_oldest_message_of_all(tmp_path: Path, visit: Visit) -> None:
    """It led to the last message that the list had."""
    with inbox(tmp_path) as (host, _):
        with smtplib.SMTP(*host.smtp) as client:
            for number in range(120):
                client.sendmail("a@b.c", "x@y.z", f"Subject: number {number}\n\nHi\n")
        page = live(visit(host))
        expect(page.get_by_role("option")).to_have_count(50)
        page.get_by_role("listbox").focus()
        page.keyboard.press("End")
        expect(page.get_by_role("option", selected=True)).to_contain_text("number 0")
        expect(page.locator("#subject")).to_have_text("number 0")
        page.evaluate(CHANGED_ROWS)
        page.keyboard.press("ArrowUp")
        expect(page.locator("#subject")).to_have_text("number 1")
        assert page.evaluate("changed.size") == 2  # each row of a long list took half a millisecond


def test_the_head_of_a_phone_is_one_row_of_tabs_and_shrinks(tmp_path: Path, visit: Visit) -> None:
    long = "A subject that is whole in the list and in the message, " * 3
    with inbox(tmp_path) as (host, _):
        send(host, mail(long, text="line\n" * 400, html="<p>Hi</p>"))
        page = live(visit(host, viewport={"width": 360, "height": 640}))
        row = page.locator("#messages .subject")
        whole = "row => row.scrollWidth <= row.clientWidth && row.clientHeight > 60"
        eventually(lambda: row.evaluate(whole), "the whole subject")
        page.get_by_role("option").click()
        page.get_by_role("tab", name="Text").click()
        places = page.get_by_role("tab").evaluate_all("tabs => tabs.map(tab => tab.offsetTop)")
        assert len(set(places)) == 1, "one row"
        head = page.locator("#message .head")
        before = head.evaluate("head => head.offsetHeight")
        page.locator("#panel").evaluate("panel => panel.scrollTo(0, 500)")
        expect(page.locator("#people")).to_be_hidden()
        eventually(lambda: head.evaluate("head => head.offsetHeight") < before / 2, "a small head")
        page.locator("#panel").evaluate("panel => panel.scrollTo(0, 0)")
        expect(page.locator("#people")).to_be_visible()
