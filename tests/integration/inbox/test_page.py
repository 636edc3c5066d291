"""The inbox's page, in a real browser beside a real host."""

from __future__ import annotations

import os
import re
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect
from support.inbox.host import inbox, mail, send
from support.inbox.page import Visit, live, shows
from support.smtp_plugin.client import BlockingClient
from support.waiting import TIMEOUT

pytestmark = pytest.mark.program("chromium")


def test_a_mail_appears_without_a_reload_and_its_attachment_downloads_byte_for_byte(
    tmp_path: Path, visit: Visit
) -> None:
    content = bytes(range(256)) * 1000
    message = mail("Your invoice", "It is attached.\n")
    message.add_attachment(content, maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    with inbox(tmp_path) as (host, _):
        page = live(visit(host, accept_downloads=True))
        expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        loads = page.evaluate("performance.timeOrigin")
        send(host, message)
        page.get_by_role("option", name="Your invoice").click()
        expect(page.locator("#panel")).to_have_text(re.compile("It is attached."))
        page.get_by_role("tab", name="Attachments").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download Rechnung März.pdf").click()
        assert download.value.suggested_filename == "Rechnung März.pdf"
        assert Path(download.value.path()).read_bytes() == content
        assert page.evaluate("performance.timeOrigin") == loads


@pytest.mark.program("curl", "swaks")
def test_an_empty_inbox_shows_commands_that_fill_it(tmp_path: Path, visit: Visit) -> None:
    ours = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with inbox(tmp_path) as (host, _):
        page = live(visit(host))
        expect(page.locator(".nothing")).to_contain_text(f"{host.smtp[0]}:{host.smtp[1]}")
        shown = page.locator(".snippet pre")
        commands = []
        for choice in page.get_by_role("group", name="In a terminal").get_by_role("button").all():
            choice.click()
            expect(choice).to_have_attribute("aria-pressed", "true")
            commands.append(shown.inner_text())
        assert len(commands) == 4
        for number, command in enumerate(commands, 1):
            subprocess.run(["bash", "-c", command], check=True, timeout=TIMEOUT, stdout=subprocess.DEVNULL, env=ours)
            expect(page.locator("#messages .subject")).to_have_text(["Hello"] * number)


def test_an_empty_inbox_shows_the_settings_of_frameworks_and_copies_them(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        page = live(visit(host, permissions=["clipboard-read", "clipboard-write"]))
        buttons = page.get_by_role("group", name="In your application").get_by_role("button")
        expect(buttons).to_have_text(
            ["Laravel", "Symfony", "Rails", "Django", "Spring", "Go", "WordPress", "nodemailer"]
        )
        buttons.get_by_text("Symfony").click()
        expect(page.locator(".snippet pre")).to_have_count(1)
        page.get_by_role("button", name="Copy the lines for Symfony").click()
        expect(page.get_by_role("button", name="Copy the lines for Symfony")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == f"# .env.local\nMAILER_DSN=smtp://{host.smtp[0]}:{host.smtp[1]}"


def test_search_narrows_the_list_and_is_left_again(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        for subject in ("Invoice for March", "Weekly report", "Grüße aus Köln"):
            send(host, mail(subject))
        page = live(visit(host))
        box = page.get_by_role("combobox")
        box.fill("koln grusse")
        expect(page.get_by_role("option")).to_have_count(1)
        shows(page, ["Grüße aus Köln"])
        expect(page.locator("#count")).to_have_text("1 of 3 messages")
        send(host, mail("Köln grüßt: Grüße"))
        expect(page.get_by_role("option")).to_have_count(2)
        box.fill('"* OR %')
        expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
        box.press("Escape")
        expect(page.get_by_role("option")).to_have_count(4)


def test_a_deletion_of_all_is_taken_back_or_carried_out(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail())
        page = live(visit(host))
        other = live(visit(host))
        page.get_by_role("button", name="Delete all").click()
        expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        expect(page).to_have_title("rrpy inbox")
        expect(other.get_by_role("option")).to_have_count(1)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("option")).to_have_count(1)
        page.get_by_role("button", name="Delete all").click()
        send(host, mail("later"))
        expect(page.get_by_role("option", name="later")).to_be_visible()
        page.get_by_role("button", name="Delete now").click()
        for each in (page, other):
            expect(each.locator("#messages .subject")).to_have_text(["later"])
        page.get_by_role("button", name="Delete all").click()
        expect(page.get_by_role("option")).to_have_count(0)
        page.reload()  # before the ten seconds are over
        expect(page.get_by_role("option")).to_have_count(1)
        assert client.get("messages").json()["total"] == 1


def test_a_live_connection_is_seen_and_closed(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _), BlockingClient(host.smtp) as telnet:
        telnet.line()
        telnet.say("EHLO client.example")
        telnet.say("MAIL FROM:<ann@example.com>")
        page = live(visit(host))
        button = page.get_by_role("button", name="1 connection")
        button.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("from ann@example.com")
        dialog.get_by_role("button", name=re.compile("Close the connection of 127")).click()
        assert telnet.rest().startswith("421 ")
        expect(dialog).to_contain_text("No client is connected.")
        with BlockingClient(host.smtp):  # it is seen as it comes, by a page that is open already
            expect(dialog.get_by_role("listitem")).to_have_count(1)
        expect(dialog.get_by_role("listitem")).to_have_count(0)


def test_the_page_is_dark_where_the_system_is(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        colours = {}
        for scheme in ("light", "dark"):
            page = visit(host, color_scheme=scheme)
            colours[scheme] = page.evaluate(
                "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name])"
                ".map(text => text.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))"
            )
        assert colours["light"][0] > 700 > 200 > colours["light"][1]
        assert colours["dark"][0] < 100 < 600 < colours["dark"][1]


def test_a_row_names_who_it_is_for(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        with smtplib.SMTP(*host.smtp) as client:
            to = [f"user{number}@example.com" for number in range(50)]
            message = f"From: Shop <a@b.c>\nTo: {', '.join(to)}\nSubject: many\n\nHi\n"
            client.sendmail("a@b.c", to, message)
        page = live(visit(host))
        row = page.get_by_role("option")
        expect(row.locator(".by")).to_have_text("Shop")
        expect(row.locator(".to")).to_have_text("user0@example.com")
        expect(row.locator(".others")).to_have_text("+49")
        row.click()
        people = page.locator("#people")
        expect(people).not_to_contain_text("user49@")
        people.get_by_role("button", name="+47 more").click()
        expect(people).to_contain_text("user49@example.com")


def test_a_name_forges_no_sender(tmp_path: Path, visit: Visit) -> None:
    """The page read the decoded header, and so named another sender."""
    name = "=?utf-8?q?boss=40b.c_=3Cboss=40b.c=3E=2C?="
    with inbox(tmp_path) as (host, _):
        send(
            host,
            f"From: {name} <eve@b.c>\r\nTo: =?utf-8?q?M=C3=BCller=2C_Eva?= <a@b.c>\r\nSubject: forged\r\n\r\nHi\r\n",
        )
        page = live(visit(host))
        row = page.get_by_role("option")
        expect(row.locator(".by")).to_have_text("boss@b.c <boss@b.c>,")
        row.click()
        people = page.locator("#people")
        expect(people).to_contain_text('"boss@b.c <boss@b.c>," <eve@b.c>')
        expect(people).to_contain_text('"Müller, Eva" <a@b.c>')


def test_downloads_have_names_that_say_what_they_are(tmp_path: Path, visit: Visit) -> None:
    message = mail("Grüße: 1/2")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf")
    with inbox(tmp_path) as (host, _):
        send(host, message)
        page = live(visit(host, accept_downloads=True))
        page.get_by_role("option").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the message").click()
        assert download.value.suggested_filename == "Grüße 1 2.eml"
        page.get_by_role("tab", name="Attachments").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download attachment 1").click()
        assert download.value.suggested_filename == "attachment-1.pdf"


def test_many_mails_at_once_are_all_there(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path, max_messages=150) as (host, _):
        page = live(visit(host))
        expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        with smtplib.SMTP(*host.smtp) as client:
            for number in range(200):
                client.sendmail("a@b.c", "x@y.z", f"Subject: number {number}\n\nHi\n")
        expect(page.locator("#count")).to_have_text("150 messages")
        expect(page.get_by_role("option")).to_have_count(150)
        shows(page, [f"number {number}" for number in range(199, 49, -1)])


def test_a_list_that_comes_late_takes_nothing_back(tmp_path: Path, visit: Visit) -> None:
    """Between the host's read and its answer one message arrives and one goes; the stream sends both."""
    with inbox(tmp_path) as (host, client):
        for subject in ("stays", "goes"):
            send(host, mail(subject))
        page = live(visit(host))
        expect(page.get_by_role("option")).to_have_count(2)
        answer = client.get("messages?limit=50").text
        held: list[Route] = []
        page.route("**/api/v1/messages?limit=50", lambda route: held.append(route))  # it marks its handler
        with page.expect_event("requestfinished", lambda request: "messages?limit=50" in request.url):
            with page.expect_request("**/api/v1/messages?limit=50"):
                page.get_by_role("combobox").press("Escape")  # an empty search loads the list anew
            client.delete("messages/latest")
            expect(page.get_by_role("option")).to_have_count(1)
            send(host, mail("comes"))
            expect(page.get_by_role("option")).to_have_count(2)
            (route,) = held
            route.fulfill(body=answer, content_type="application/json")
        expect(page.locator("#count")).to_have_text("2 messages")
        shows(page, ["comes", "stays"])


def test_older_messages_come_when_asked_for(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        with smtplib.SMTP(*host.smtp) as client:
            for number in range(60):
                client.sendmail("a@b.c", "x@y.z", f"Subject: number {number}\n\nHi\n")
        page = live(visit(host))
        expect(page.get_by_role("option")).to_have_count(50)
        page.get_by_role("button", name="Show older messages").click()
        expect(page.get_by_role("option")).to_have_count(60)
        expect(page.locator("#messages .subject").last).to_have_text("number 0")
        expect(page.get_by_role("button", name="Show older messages")).to_be_hidden()
