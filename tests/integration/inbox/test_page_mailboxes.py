"""The switch between mailboxes of the inbox's page, in a real browser beside a real host."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.inbox.host import inbox, mail, send
from support.inbox.page import Visit, live, shows

from rrpy.container.passwords import PasswordHash, token_hash

pytestmark = pytest.mark.program("chromium")


def test_the_page_shows_one_mailbox_or_all_and_its_address_keeps_the_choice(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path, mailbox_by="recipient") as (host, client):
        send(host, mail("for ann"), to="ann@x.y")
        page, other = live(visit(host)), live(visit(host))
        switch = page.get_by_role("combobox", name="Mailbox")
        expect(switch.locator("option")).to_have_text(["All mailboxes", "ann@x.y (1)", "default (0)"])
        send(host, mail("for both"), to=["ann@x.y", "bob@x.y"])
        expect(switch.locator("option")).to_have_text(["All mailboxes", "ann@x.y (2)", "bob@x.y (1)", "default (0)"])
        shows(page, ["for both", "for both", "for ann"])
        expect(page.locator("#messages .box")).to_have_text(["bob@x.y", "ann@x.y"])  # the third has one recipient
        switch.select_option("bob@x.y")
        shows(page, ["for both"])
        expect(page).to_have_url(re.compile(r"\?mailbox=bob%40x\.y$"))
        expect(page).to_have_title("(1) rrpy inbox")
        expect(page.locator("#count")).to_have_text("1 message")
        send(host, mail("for ann again"), to="ann@x.y")
        send(host, mail("for bob"), to="bob@x.y")
        shows(page, ["for bob", "for both"])
        shows(other, ["for bob", "for ann again", "for both", "for both", "for ann"])
        page.reload()
        shows(page, ["for bob", "for both"])
        expect(switch).to_have_value("bob@x.y")
        page.get_by_role("button", name="Mark all read").click()
        expect(page).to_have_title("rrpy inbox")
        expect(other).to_have_title("(3) rrpy inbox")
        page.get_by_role("button", name="Delete all").click()
        expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        switch.select_option("ann@x.y")
        shows(page, ["for ann again", "for both", "for ann"])
        expect(page.locator("#count")).to_have_text("3 messages")
        page.get_by_role("button", name="Delete now").click()
        shows(other, ["for ann again", "for both", "for ann"])
        assert client.get("messages?mailbox=bob@x.y").json()["total"] == 0
        switch.focus()
        page.keyboard.press("j")  # a letter of the switch, not the next message
        expect(page.locator("#message")).to_be_hidden()


def test_refusals_are_those_of_the_mailbox(tmp_path: Path, visit: Visit) -> None:
    """A page that shows all lost them when those of one mailbox were deleted."""
    with inbox(tmp_path, {"max_recipients": 1}, mailbox_by="recipient") as (host, client):
        for name in ("ann", "bob"):
            with smtplib.SMTP(*host.smtp) as smtp:
                smtp.sendmail("a@b.c", [f"{name}@x.y", "v@w.x"], "Subject: whole\n\nHi\n")
        page, other = live(visit(host)), live(visit(host))
        button = page.get_by_role("button", name=re.compile("refused"))
        expect(button).to_have_text("2 refused")
        page.get_by_role("combobox", name="Mailbox").select_option("ann@x.y")
        expect(button).to_have_text("1 refused")
        client.delete("refusals?mailbox=ann@x.y")
        expect(button).to_be_hidden()
        expect(other.get_by_role("button", name=re.compile("refused"))).to_have_text("1 refused")


def test_a_token_for_one_mailbox_sees_that_one_alone(tmp_path: Path, visit: Visit) -> None:
    tokens = {"ci": {"token": token_hash("rrpy_one"), "mailbox": "bob@x.y"}}
    users = {"eve": str(PasswordHash.of("sesame"))}
    with inbox(tmp_path, mailbox_by="recipient", tokens=tokens, users=users) as (host, _):
        send(host, mail("for both"), to=["ann@x.y", "bob@x.y"])
        page = live(visit(host, http_credentials={"username": "ci", "password": "rrpy_one"}))
        switch = page.get_by_role("combobox", name="Mailbox")
        expect(switch.locator("option")).to_have_text(["bob@x.y (1)"])
        expect(switch).to_be_disabled()
        shows(page, ["for both"])
        send(host, mail("for ann"), to="ann@x.y")
        send(host, mail("for bob"), to="bob@x.y")
        shows(page, ["for bob", "for both"])
        expect(page.locator("#connections")).to_be_hidden()
        expect(page.locator("#alarm")).to_be_hidden()
