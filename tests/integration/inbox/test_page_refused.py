"""The filter "refused" of the inbox's page, in a real browser beside a real host."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.container.host import Host, hosting
from support.inbox.host import inbox, mail, send
from support.inbox.page import Visit, live, shows

pytestmark = pytest.mark.program("chromium")


def refuse(host: Host) -> None:
    """Have a bad sender and a recipient refused."""
    with smtplib.SMTP(*host.smtp) as client:
        client.ehlo("shop.example")
        client.docmd("MAIL FROM:<a <b>bold</b>@c.d>")
        client.sendmail("a@b.c", ["x@y.z", "v@w.x"], "Subject: whole\n\nHi\n")


def test_what_was_refused_is_shown_by_a_filter_that_the_keyboard_reaches(tmp_path: Path, visit: Visit) -> None:
    """The sender of a refused mail had to read the log, and the log had nothing either."""
    with inbox(tmp_path, smtp={"max_recipients": 1}) as (host, client):
        page = live(visit(host))
        button = page.get_by_role("button", name=re.compile("refused"))
        expect(button).to_be_hidden()
        refuse(host)
        expect(button).to_have_text("2 refused")
        shows(page, ["whole"])
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_have_attribute("aria-pressed", "true")
        rows = page.get_by_role("list", name="Refused").get_by_role("listitem")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("452 4.5.3 Too many recipients: the limit is 1")
        expect(rows.first).to_contain_text("smtp.max_recipients: 1 · from a@b.c · to x@y.z")
        expect(rows.last).to_contain_text("MAIL FROM:<a <b>bold</b>@c.d>")
        expect(page.get_by_role("listbox")).to_be_hidden()
        page.get_by_role("combobox").fill("recipients")
        expect(rows).to_have_count(1)
        page.get_by_role("combobox").press("Escape")
        expect(rows).to_have_count(2)
        page.keyboard.press("Escape")
        expect(page.get_by_role("option")).to_have_count(1)
        page.keyboard.press("r")
        page.locator("#clear").click()
        expect(page.get_by_text("This deletes 2 refusals for good.")).to_be_visible()
        page.get_by_role("dialog").get_by_role("button", name="Delete all").click()
        expect(page.get_by_role("heading", name="Nothing was refused")).to_be_visible()
        assert client.get("messages").json()["total"] == 1
        assert client.get("refusals").json() == {"refusals": [], "total": 0}


def test_a_message_that_a_worker_refused_is_opened_from_its_refusal(tmp_path: Path, visit: Visit) -> None:
    (tmp_path / "app.py").write_text(
        "from rrpy.worker import Email, Reject\n\n\ndef handle(email: Email):\n    return Reject(550, 'no such user')\n"
    )
    smtp = {"deliver": "workers", "pool": {"num_workers": 1}}
    server = {"command": "python -m rrpy.worker app:handle"}
    with hosting(tmp_path, inbox={"address": "127.0.0.1:0"}, smtp=smtp, server=server) as host:
        page = live(visit(host))
        with pytest.raises(smtplib.SMTPDataError):
            send(host, mail("Refused by code"))
        page.get_by_role("button", name="1 refused").click()
        expect(page.get_by_role("listitem")).to_contain_text("550 5.0.0 no such user")
        page.get_by_role("link", name="Open the message").click()
        expect(page.get_by_role("heading", name="Refused by code")).to_be_visible()
