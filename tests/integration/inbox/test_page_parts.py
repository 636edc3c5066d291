"""The parts of a message on the inbox's page: files and pictures, previews, links and codes, and a reader's choices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.inbox.host import inbox, mail, send
from support.inbox.page import Visit, live
from support.inbox.showcase import picture
from support.waiting import eventually

from rrpy.inbox.web.application import STATIC
from rrpy.mime.extract.codes import ENOUGH

pytestmark = pytest.mark.program("chromium")

NATURAL = "image => image.decode().then(() => image.naturalWidth)"


def test_an_embedded_picture_is_no_attachment(tmp_path: Path, visit: Visit) -> None:
    """Each counted as one in the list and in the tab, so most mails of shops had a clip."""
    message = mail("Pictures", html='<img src="cid:one%20picture"><img src="https://shop.test/two.png">')
    related = message.get_payload()[1]
    related.add_related(picture((1, 2, 3), 11), "image", "png", cid="<one picture>")
    related.add_related(picture((1, 2, 3), 12), "image", "png")
    related.get_payload()[2]["Content-Location"] = "https://shop.test/two.png"
    with inbox(tmp_path) as (host, client):
        send(host, message)
        page = live(visit(host))
        row = page.get_by_role("option", name="Pictures")
        row.click()
        images = page.frame_locator("iframe").locator("img")
        expect(images).to_have_count(2)
        assert [images.nth(number).evaluate(NATURAL) for number in range(2)] == [11, 12]
        expect(row.locator(".marks .icon")).to_have_count(0)
        tab = page.get_by_role("tab", name="Attachments")
        expect(tab).to_have_text("Attachments")
        tab.click()
        panel = page.locator("#panel")
        expect(panel.get_by_role("heading")).to_have_text("Shown in the HTML")
        expect(panel.get_by_role("listitem")).to_have_count(2)
        message.add_attachment(b"1", maintype="text", subtype="csv", filename="figures.csv")
        message.replace_header("Subject", "Pictures and a file")
        send(host, message)
        row = page.get_by_role("option", name="Pictures and a file")
        expect(row.locator(".marks")).to_contain_text("1 attachment")
        row.click()
        expect(tab).to_have_text("Attachments1")
        assert client.get("messages/latest").json()["summary"]["attachments"] == 1


def test_attachments_are_seen_without_running_and_downloaded_together(tmp_path: Path, visit: Visit) -> None:
    message = mail("Files")
    trap = b"<script>top.alert(1)</script><img src=x onerror=top.alert(2)>"
    for content, name in (
        (picture((1, 2, 3), 14), "photo.png"),
        (trap, "page.html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='top.alert(3)'>" + trap + b"</svg>", "logo.svg"),
        (b"%PDF-1.7\n", "paper.pdf"),
        (b"\x00\x01\x02", "data.bin"),
    ):
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    with inbox(tmp_path) as (host, _):
        send(host, message)
        page = live(visit(host, accept_downloads=True))
        page.get_by_role("option").click()
        page.get_by_role("tab", name="Attachments").click()
        panel = page.locator("#panel")
        assert panel.locator("img").evaluate(NATURAL) == 14, "a small picture"
        dialog = page.get_by_role("dialog")
        for name in ("page.html", "logo.svg"):
            panel.get_by_role("button", name=f"Preview {name}").click()
            expect(dialog.locator("pre")).to_contain_text("<script>top.alert(1)</script>")
            expect(dialog.locator("img, iframe, svg, script")).to_have_count(0)
            page.keyboard.press("Escape")
            expect(dialog).to_have_count(0)
        panel.get_by_role("button", name="Preview photo.png").click()
        assert dialog.get_by_role("img", name="photo.png").evaluate(NATURAL) == 14
        dialog.get_by_role("button", name="Close").click()
        with page.expect_response(re.compile("/4/preview$")) as answer:
            panel.get_by_role("button", name="Preview paper.pdf").click()
        assert answer.value.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        expect(dialog.locator("iframe")).to_be_visible()
        dialog.get_by_role("button", name="Close").click()
        expect(page.locator("#previewed iframe")).to_have_count(0)
        panel.get_by_role("button", name="Preview data.bin").click()
        expect(page.locator("#alarm")).to_have_text("attachment 5 is neither a picture, a PDF nor a text")
        with page.expect_download() as download:
            panel.get_by_role("link", name="Download all").click()
        assert download.value.suggested_filename == "Files.zip"


HTML = """<style>h1 { color: rgb(1, 1, 1) } @media (prefers-color-scheme: dark) { h1 { color: rgb(2, 2, 2) } }</style>
<h1>Welcome</h1><a href="https://shop.test/?a=1&amp;b=2">Confirm <b>now</b></a> <a href="javascript:alert(1)">x</a>"""


def test_links_and_codes_are_copied_and_choices_are_kept(tmp_path: Path, visit: Visit) -> None:
    message = mail("Sign in", "Your code is 471100. Write to mailto:help@shop.test, see www.shop.test.\n", html=HTML)
    with inbox(tmp_path) as (host, _):
        send(host, message)
        page = live(visit(host, color_scheme="dark", permissions=["clipboard-read", "clipboard-write"]))
        copied = "navigator.clipboard.readText()"
        page.get_by_role("option").click()
        heading = page.frame_locator("iframe").get_by_role("heading")
        expect(heading).to_have_css("color", "rgb(1, 1, 1)")  # light, whatever the system prefers
        page.get_by_role("button", name="Dark mode of the mail").click()
        with page.expect_popup() as alone:
            page.get_by_role("link", name="Open the HTML in a tab of its own").click()
        expect(alone.value.get_by_role("heading")).to_have_css("color", "rgb(2, 2, 2)")
        assert alone.value.evaluate("[origin, opener].join()") == "null,"  # it can reach nothing of the inbox
        alone.value.close()
        page.get_by_role("button", name="Phone, 375 pixels").click()
        page.get_by_role("button", name="Copy the code 471100").click()
        expect(page.locator("#said")).to_have_text("Copied")
        eventually(lambda: page.evaluate(copied) == "471100", "copied")
        page.get_by_role("tab", name="HTML source").click()
        page.get_by_role("button", name="Copy the HTML").click()
        expect(page.locator(".m-name").first).to_have_text("href")
        eventually(lambda: page.evaluate(copied).replace("\r", "") == f"{HTML}\n", "copied")
        page.get_by_role("tab", name="Links").click()
        links = page.locator("#panel").get_by_role("link")
        expect(links).to_have_count(3)
        assert [each.get_attribute("href") for each in links.all()] == [
            "https://shop.test/?a=1&b=2", "mailto:help@shop.test", "https://www.shop.test",
        ]  # fmt: skip
        page.get_by_role("button", name="Copy the link Confirm now").click()
        expect(page.get_by_role("button", name="Copy the link Confirm now")).to_have_text("Copied")
        eventually(lambda: page.evaluate(copied) == "https://shop.test/?a=1&b=2", "copied")
        page.get_by_role("tab", name="Text").click()
        page.get_by_role("button", name="Letters of one width").click()
        page.reload()
        expect(page.locator("#subject")).to_have_text("Sign in")
        frame = page.locator("iframe")
        expect(frame).to_have_css("width", "375px")
        expect(heading).to_have_css("color", "rgb(2, 2, 2)")
        expect(page.get_by_role("button", name="Dark mode of the mail")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("tab", name="Text").click()
        expect(page.locator(".text")).to_have_css("font-family", re.compile("mono", re.IGNORECASE))


def test_a_message_is_checked_and_says_where_it_is_wrong(tmp_path: Path, visit: Visit) -> None:
    trap = "<img src='https://a.test/{{ x }}.png' onerror=top.alert(1)>"
    with inbox(tmp_path) as (host, client):
        send(host, mail("Checked", html=trap * 7))
        page = live(visit(host))
        page.get_by_role("option").click()
        expect(page.get_by_role("tab", name="Check")).to_have_text("Check5")
        page.keyboard.press("8")
        panel = page.locator("#panel")
        expect(panel.locator(".verdict")).to_have_text("3 errors, 2 warnings, 2 hints")
        first = panel.locator(".findings > li").first
        expect(first).to_contain_text("errorThe mail has no Date.")
        expect(first.get_by_role("link")).to_have_attribute(
            "href", "https://www.rfc-editor.org/rfc/rfc5322#section-3.6.1"
        )
        script = panel.locator(".findings > li", has_text="html-script")
        expect(script.locator(".places li")).to_have_text([f"HTML line 1: {trap}"] * 5 + ["and 2 more"])
        expect(panel.locator("img")).to_have_count(0)
        got = client.get("messages/latest/check").json()
        assert (got["errors"], got["warnings"], got["hints"]) == (3, 2, 2)
        assert {each["rule"] for each in got["findings"]} >= {"date-missing", "html-script", "merge-field", "image-alt"}
        assert client.get("messages/none/check").status_code == 404


def test_several_codes_and_the_kinds_of_links_are_told_apart(tmp_path: Path, visit: Visit) -> None:
    """The page had rules of its own for codes and links, in fewer languages than the host's."""
    assert f"const ENOUGH = {ENOUGH};" in (STATIC / "codes.js").read_text()
    pixel = "<img src='https://a.test/o' width=1 height=1>"
    html = f"<p>登录验证码 <b>471100</b></p><a href='https://shop.test/u'>退订</a>{pixel}"
    with inbox(tmp_path) as (host, client):
        send(host, mail("Two", "PIN: 4711\n\nOTP: 583921\n"))
        send(host, mail("One", "", html))
        page = live(visit(host))
        page.get_by_role("option", name="Two").click()
        page.get_by_role("tab", name="Text").click()
        codes = page.get_by_role("group", name="Codes").get_by_role("button")
        expect(codes).to_have_count(2)
        found = client.get("messages", params={"search": "subject:two"}).json()["messages"][0]["id"]
        assert client.get(f"messages/{found}/code").status_code == 422
        got = client.get(f"messages/{found}/code?optional=1").json()
        assert (got["code"], {each["value"] for each in got["candidates"]}) == ("", {"4711", "583921"})
        page.get_by_role("option", name="One").click()
        expect(page.get_by_role("button", name="Copy the code 471100")).to_be_visible()
        page.get_by_role("tab", name="Links").click()
        rows = page.locator(".targets li")
        expect(rows).to_have_count(2)
        expect(rows.first.locator(".tag")).to_have_text("unsubscribe")
        expect(rows.last.locator(".tag")).to_have_text("tracking pixel")
        expect(rows.last.get_by_role("link")).to_have_count(0)
