"""The inbox's page, in a real browser beside a real host."""

from __future__ import annotations

import os
import re
import shutil
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from support.container.host import PATIENCE, Host, Telnet, hosting
from support.inbox import showcase
from support.inbox.host import Elsewhere, inbox, mail, send, url

from rrpy.inbox.html import POLICY

pytestmark = [pytest.mark.program("chromium"), pytest.mark.usefixtures("unmeasured")]
expect.set_options(timeout=PATIENCE * 1000)

IMAGES = Path(__file__).parents[3] / "docs" / "images"
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><alias binding="strong"><family>system-ui</family>
<prefer><family>Inter</family></prefer></alias></fontconfig>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file. For it `rebound.example` is this machine."""
    fonts = tmp_path_factory.mktemp("fonts") / "fonts.conf"
    fonts.write_text(FONTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--host-resolver-rules=MAP rebound.example 127.0.0.1"],
            env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
        )
        yield browser
        browser.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a page of a host in a fresh context; what goes wrong in it fails the test."""
    contexts = []
    faults: list[str] = []

    def opened(host: Host | str, **options: Any) -> Page:
        context = browser.new_context(locale="en-GB", **options)
        context.set_default_timeout(PATIENCE * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        page.goto(host if isinstance(host, str) else f"{url(host)}/")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def live(page: Page) -> Page:
    """Wait until the page follows what happens."""
    expect(page.locator("#state")).to_have_text("Live")
    return page


def subjects(page: Page) -> list[str]:
    return page.locator("#messages .subject").all_text_contents()


def test_a_mail_appears_without_a_reload_and_its_attachment_downloads_byte_for_byte(tmp_path: Path, visit) -> None:
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
    with inbox(tmp_path) as (host, _):
        page = live(visit(host))
        expect(page.locator(".nothing")).to_contain_text(f"{host.smtp[0]}:{host.smtp[1]}")
        commands = page.locator(".snippet pre").all_text_contents()
        assert len(commands) == 3
        for number, command in enumerate(commands, 1):
            subprocess.run(["bash", "-c", command], check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
            expect(page.locator("#messages .subject")).to_have_text(["Hello"] * number)


def hostile(trap: str) -> str:
    """What a mail may try: to run something, to load something, to lead somewhere. Every try goes to the trap."""
    return f"""
    <html><head><base href="{trap}/base/"><meta http-equiv="refresh" content="0;url={trap}/refresh">
    <link rel="stylesheet" href="{trap}/css"><link rel="preconnect" href="{trap}">
    <link rel="dns-prefetch" href="{trap}">
    <link rel="prefetch" href="{trap}/prefetch"><link rel="preload" as="image" href="{trap}/preload">
    <link rel="icon" href="{trap}/icon"><link rel="manifest" href="{trap}/manifest">
    <style>@import "{trap}/import"; @font-face {{ font-family: x; src: url({trap}/font) }} p {{ font-family: x }}
    body {{ background: url({trap}/background) }} .\\75rl {{ }} #a {{ background: \\75rl({trap}/escaped) }}
    a:after {{ content: "</style><script>fetch('{trap}/style')</script>" }}</style>
    <script>fetch('{trap}/script'); top.document.title = 'owned'; alert(1)</script></head>
    <body onload="fetch('{trap}/onload')" background="{trap}/attribute">
    <p id="a" style="background: url('{trap}/inline')" onmouseover="alert(2)">Text</p>
    <img src="{trap}/img" srcset="{trap}/srcset 2x" onerror="alert(3)"><img src=x onerror=alert(4)>
    <picture><source srcset="{trap}/source"><img src="{trap}/picture"></picture>
    <video src="{trap}/video" poster="{trap}/poster" autoplay></video><audio src="{trap}/audio"></audio>
    <iframe src="{trap}/iframe"></iframe><iframe srcdoc="<script>fetch('{trap}/srcdoc')</script>"></iframe>
    <object data="{trap}/object"></object><embed src="{trap}/embed"><input type="image" src="{trap}/input">
    <svg onload="alert(5)"><image href="{trap}/svg"/><use href="{trap}/use#x"/><style>@import url({trap}/svgcss)</style>
    <a xlink:href="javascript:alert(6)"><text y="20">svg</text></a><script>alert(7)</script></svg>
    <math><mtext><table><mglyph><style><!--</style><img src=x onerror=alert(8)>--></mglyph></table></mtext></math>
    <form action="{trap}/form" id="f"><button formaction="javascript:alert(9)">Go</button></form>
    <noscript><p title="</noscript><img src=x onerror=alert(10)>"></noscript>
    <a id="js" href=" java&#10;script:alert(11)">link</a><a id="out" href="{trap}/clicked">out</a>
    <![if !x]><table background="{trap}/table"><tr><td>cell</td></tr></table><![endif]>
    <textarea><script>alert(12)</script></textarea><frameset onload=alert(13)><frame src="{trap}/frame"></frameset>
    <xmp><a href="</xmp><img src=x onerror=alert(14)>">x</a></xmp><b>The end</b></body></html>
    """


def test_a_hostile_mail_runs_no_script_and_loads_nothing(tmp_path: Path, visit: Visit) -> None:
    with Elsewhere() as trap, inbox(tmp_path) as (host, client):
        send(host, mail("Dear <img src=x onerror=alert(0)>", html=hostile(trap.url)))
        page = live(visit(host))
        got: list[str] = []
        page.context.on("requestfinished", lambda request: got.append(request.url))
        page.get_by_role("option").click()
        expect(page.locator("#subject")).to_have_text("Dear <img src=x onerror=alert(0)>")
        frame = page.frame_locator("iframe")
        expect(frame.get_by_text("The end")).to_be_visible()
        assert frame.locator("#a").inner_text() == "Text"
        assert page.locator("iframe").get_attribute("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
        frame.locator("#a").hover()
        frame.locator("#js").click()
        assert [each for each in got if not each.startswith(f"{url(host)}/")] == []
        assert page.title() == "rrpy inbox"
        assert (
            page.frames[1].url
            == f"{url(host)}/api/v1/messages/{client.get('messages/latest').json()['summary']['id']}/html"
        )
        # Opened by itself, without the frame's sandbox, it is no different.
        alone = visit(page.frames[1].url)
        expect(alone.get_by_text("The end")).to_be_visible()
        assert trap.seen == []
        # A link that somebody follows is a link, to a page that learns nothing of ours. And the trap works.
        with page.context.expect_page() as opened:
            frame.locator("#out").click()
        expect(opened.value.get_by_text("elsewhere")).to_be_visible()
        assert opened.value.evaluate("[opener, document.referrer]") == [None, ""]
        assert set(trap.seen) <= {"connection", "/clicked", "/favicon.ico"}
        assert "/clicked" in trap.seen


def test_the_policy_alone_holds_what_a_mail_tries(tmp_path: Path, visit: Visit) -> None:
    with Elsewhere() as trap, Elsewhere() as server:
        text = re.sub(r'<link rel="(preconnect|dns-prefetch)"[^>]*>', "", hostile(trap.url))
        server.pages["/"] = (text, {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"})
        page = visit(f"{server.url}/")
        expect(page.locator("#a")).to_be_visible()
        assert page.url == f"{server.url}/"
        assert set(trap.seen) <= {"connection"}, (
            "it asks for nothing; a connection it does open, which is why we rewrite"
        )
        # The control: without the policy all of that would have happened.
        server.pages["/bare"] = (re.sub("alert|fetch", "void", text), {})
        with page.expect_request(f"{trap.url}/css"):
            page.goto(f"{server.url}/bare", wait_until="commit")


def test_images_of_the_mail_itself_are_shown(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        send(host, showcase.order())
        page = live(visit(host))
        page.get_by_role("option").click()
        image = page.frame_locator("iframe").locator("img")
        expect(image).to_be_visible()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 72


def test_every_part_of_a_message_is_shown_as_text(tmp_path: Path, visit: Visit) -> None:
    evil = "<img src=x onerror=alert(1)>"
    message = mail("Hello", f"see https://example.com/a?b=1. {evil}\n")
    message["X-Evil"] = evil
    message.add_attachment(b"1", maintype="text", subtype="x", filename=f"{evil.replace('/', '')}.txt")
    with inbox(tmp_path) as (host, _):
        with smtplib.SMTP(*host.smtp) as client:
            client.ehlo("client.example")
            client.login(evil, "s3cret<b>")
            client.send_message(message, "a@b.c", ["bob@example.com", "hidden@example.com"])
        page = live(visit(host))
        page.get_by_role("option").click()
        panel = page.locator("#panel")
        expect(panel).to_contain_text(evil)
        assert panel.get_by_role("link").get_attribute("href") == "https://example.com/a?b=1"
        expect(page.locator("#people")).to_contain_text("hidden@example.com")
        for name, wanted in (
            ("Headers", evil),
            ("Source", f"X-Evil: {evil}"),
            ("Attachments", f"{evil}.txt"),
            ("Session", "S: 250-PIPELINING"),
        ):
            page.get_by_role("tab", name=name).click()
            expect(panel).to_contain_text(wanted)
        expect(panel).to_contain_text("C: AUTH PLAIN ***")
        expect(panel).not_to_contain_text("s3cret<b>")
        page.get_by_role("button", name="Show the password").click()
        expect(panel).to_contain_text("s3cret<b>")
        expect(panel).to_contain_text(evil)


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
        assert chosen.get_attribute("id") == page.get_by_role("listbox").get_attribute("aria-activedescendant")
        press("Enter")
        expect(page.locator("#subject")).to_be_focused()
        press("3")
        expect(page.get_by_role("tab", selected=True)).to_have_text("Headers")
        page.get_by_role("tab", selected=True).focus()
        press("ArrowRight")
        expect(page.get_by_role("tab", name="Source")).to_be_focused()
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
        press("j")  # nothing behind the dialog is moved
        press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()


def test_the_focus_is_seen(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        send(host, mail(html="<p>Hi</p>"))
        page = live(visit(host))
        page.get_by_role("option").click()
        expect(page.get_by_role("tab", name="HTML")).to_be_visible()
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


def test_search_narrows_the_list_and_is_left_again(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        for subject in ("Invoice for March", "Weekly report", "Grüße aus Köln"):
            send(host, mail(subject))
        page = live(visit(host))
        box = page.get_by_role("searchbox")
        box.fill("koln grusse")
        expect(page.get_by_role("option")).to_have_count(1)
        assert subjects(page) == ["Grüße aus Köln"]
        expect(page.locator("#count")).to_have_text("1 of 3 messages")
        send(host, mail("Köln grüßt: Grüße"))
        expect(page.get_by_role("option")).to_have_count(2)
        box.fill('"* OR %')
        expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
        box.press("Escape")
        expect(page.get_by_role("option")).to_have_count(4)


def test_clear_asks_first(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail())
        page = live(visit(host))
        other = live(visit(host))
        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_role("dialog")).to_contain_text("1 message will be gone")
        page.get_by_role("button", name="Keep them").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert client.get("messages").json()["total"] == 1
        page.get_by_role("button", name="Clear").click()
        page.get_by_role("button", name="Delete all").click()
        for each in (page, other):
            expect(each.get_by_role("heading", name="No mail yet")).to_be_visible()
        assert client.get("messages").json()["total"] == 0


def test_a_live_connection_is_seen_and_closed(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _), Telnet(host.smtp) as telnet:
        telnet.line()
        telnet.say("EHLO client.example")
        telnet.say("MAIL FROM:<ann@example.com>")
        page = live(visit(host))
        button = page.get_by_role("button", name="1 open connections")
        button.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("from ann@example.com")
        dialog.get_by_role("button", name=re.compile("Close the connection of 127")).click()
        assert telnet.rest().startswith("421 ")
        expect(dialog).to_contain_text("No client is connected.")
        with Telnet(host.smtp):  # it is seen as it comes, by a page that is open already
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


def test_a_small_screen_shows_one_pane_at_a_time(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        long = "A subject that goes on and on " * 5 + "x" * 200
        send(host, mail(long, html="<p>Hi</p>"))
        page = live(visit(host, viewport={"width": 400, "height": 700}))
        page.get_by_role("option").click()
        expect(page.get_by_role("listbox")).to_be_hidden()
        expect(page.locator("#subject")).to_be_visible()
        for name in ("HTML", "Text", "Headers", "Source", "Session"):
            page.get_by_role("tab", name=name).click()
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
        assert subjects(page) == ["after", "before"]
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
        assert page.url.endswith(f"#{one}")
        page.go_back()
        expect(page.get_by_text("Choose a message")).to_be_visible()
        expect(page.get_by_role("option", selected=True)).to_have_count(0)
        page.go_forward()
        expect(shown).to_have_text("one")
        page.evaluate("address => { location.href = address }", f"{url(host)}/#{two}")
        expect(shown).to_have_text("two")
        assert page.title() == "rrpy inbox"


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
        assert page.url.endswith("#%E0unknown")
        send(host, mail("one"))
        page.get_by_role("button", name="To the list").click()
        page.get_by_role("option", name="one").click()
        expect(page.locator("#subject")).to_have_text("one")
        expect(page.locator("#choose")).to_be_hidden()


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
        assert subjects(page) == [f"number {number}" for number in range(199, 49, -1)]


def test_a_list_that_comes_late_takes_nothing_back(tmp_path: Path, visit: Visit) -> None:
    """Between the host's look and the answer one message comes and one goes: the stream has told of both."""
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
                page.get_by_role("searchbox").press("Escape")  # an empty search loads the list anew
            client.delete("messages/latest")
            expect(page.get_by_role("option")).to_have_count(1)
            send(host, mail("comes"))
            expect(page.get_by_role("option")).to_have_count(2)
            (route,) = held
            route.fulfill(body=answer, content_type="application/json")
        expect(page.locator("#count")).to_have_text("2 messages")
        assert subjects(page) == ["comes", "stays"]


def test_older_messages_come_when_asked_for(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        with smtplib.SMTP(*host.smtp) as client:
            for number in range(60):
                client.sendmail("a@b.c", "x@y.z", f"Subject: number {number}\n\nHi\n")
        page = live(visit(host))
        expect(page.get_by_role("option")).to_have_count(50)
        page.get_by_role("button", name="Show older messages").click()
        expect(page.get_by_role("option")).to_have_count(60)
        assert subjects(page)[-1] == "number 0"
        expect(page.get_by_role("button", name="Show older messages")).to_be_hidden()


def test_another_web_page_can_neither_read_nor_change_the_inbox(tmp_path: Path, visit: Visit) -> None:
    with Elsewhere() as elsewhere, inbox(tmp_path) as (host, client):
        send(host, mail("secret"))
        page = visit(f"{elsewhere.url}/")
        tries = """async (url) => {
            const result = [];
            for (const [path, options] of [["messages", {}], ["messages", {method: "DELETE"}],
                    ["messages", {mode: "no-cors"}], ["stream", {}]]) {
                result.push(await fetch(`${url}/api/v1/${path}`, options).then(
                    async (response) => `${response.type} ${await response.text()}`, (error) => "refused"));
            }
            for (const [tag, name] of [["img", "src"], ["script", "src"], ["iframe", "src"]]) {
                const element = document.createElement(tag);
                element[name] = `${url}/api/v1/messages`;
                document.body.append(element);
                result.push(await new Promise((resolve) => { element.onload = () => resolve("loaded");
                    element.onerror = () => resolve("refused"); }));
            }
            return result;
        }"""
        assert page.evaluate(tries, url(host))[:6] == ["refused"] * 6
        assert "secret" not in page.frames[1].content()
        page.set_content(f'<form method="post" action="{url(host)}/api/v1/messages"><button>x</button></form>')
        with page.expect_navigation():
            page.get_by_role("button").click()
        expect(page.locator("body")).to_contain_text("other web pages are refused")
        assert client.get("messages").json()["total"] == 1
        # A link to the page itself is no harm, and works.
        page.goto(f"{elsewhere.url}/")
        page.set_content(f'<a href="{url(host)}/">the inbox</a>')
        page.get_by_role("link").click()
        expect(page.get_by_role("option")).to_contain_text("secret")


def test_a_name_that_was_made_to_lead_here_gets_nothing(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        send(host, mail("secret"))
        page = visit(url(host).replace("127.0.0.1", "rebound.example"))
        expect(page.locator("body")).to_contain_text("rebound.example is not known here")
        answer = page.evaluate("fetch('/api/v1/messages').then(async (r) => [r.status, await r.text()])")
        assert answer[0] == 403
        assert "secret" not in answer[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_of_the_documentation_can_be_taken(tmp_path: Path, visit: Visit, scheme: str) -> None:
    """RRPY_SCREENSHOTS=1 writes it anew."""
    support = Path(__file__).parents[2]
    server = {
        "command": "python -m rrpy.worker support.inbox.showcase:refuse_the_lottery",
        "env": {"PYTHONPATH": str(support)},
    }
    section = {"deliver": "workers", "pool": {"num_workers": 1}}
    with hosting(tmp_path, inbox={"address": "127.0.0.1:0"}, smtp=section, server=server) as host:
        showcase.send(host.smtp)
        with Telnet(host.smtp):
            view = {"width": 1280, "height": 800}
            page = live(visit(host, viewport=view, device_scale_factor=1.25, color_scheme=scheme))
            page.get_by_role("option", name="Your order #20417").click()
            expect(page.frame_locator("iframe").get_by_text("Thank you, Marta!")).to_be_visible()
            expect(page.get_by_role("button", name="1 open connections")).to_be_visible()
            picture = page.screenshot()
    name = "inbox.png" if scheme == "light" else "inbox-dark.png"
    if os.environ.get("RRPY_SCREENSHOTS") == "1":
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / name).write_bytes(picture)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 60_000, "a blank page is small"
    assert (IMAGES / name).stat().st_size < 300_000
