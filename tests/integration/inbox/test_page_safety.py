"""The inbox's page and a hostile mail, or a hostile web page."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.inbox import showcase
from support.inbox.host import Elsewhere, inbox, mail, send, url
from support.inbox.page import Visit, live
from support.waiting import eventually

from rrpy.inbox.web.html import POLICY

pytestmark = pytest.mark.program("chromium")


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
        expect(frame.locator("#a")).to_have_text("Text")
        expect(page.locator("iframe")).to_have_attribute("sandbox", "allow-popups allow-popups-to-escape-sandbox")
        frame.locator("#a").hover()
        frame.locator("#js").click()
        assert [each for each in got if not each.startswith(f"{url(host)}/")] == []
        expect(page).to_have_title("rrpy inbox")
        assert (
            page.frames[1].url
            == f"{url(host)}/api/v1/messages/{client.get('messages/latest').json()['summary']['id']}/html"
        )
        # The same holds without the frame's sandbox.
        alone = visit(page.frames[1].url)
        expect(alone.get_by_text("The end")).to_be_visible()
        assert trap.seen == []
        # A link still works, to a page that learns nothing of the inbox. And the trap works.
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


def test_remote_images_are_loaded_after_a_click_and_nothing_else_is(tmp_path: Path, visit: Visit) -> None:
    with Elsewhere() as trap, inbox(tmp_path) as (host, _):
        send(host, mail("Pictures", html=hostile(trap.url)))
        page = live(visit(host))
        page.get_by_role("option").click()
        note = page.locator(".note")
        expect(note).to_contain_text("Blocked: 7 remote images, 2 remote style sheets, 2 scripts, 1 form, 5 frames")
        assert trap.seen == []
        note.get_by_role("button", name="Load the remote images").click()
        eventually(lambda: "/img" in trap.seen)
        expect(note).to_have_text("Remote images are loaded; their senders see that")
        frame = page.frame_locator("iframe")
        expect(frame.get_by_text("The end")).to_be_visible()
        frame.locator("#a").hover()
        frame.locator("#js").click()
        images = {"/img", "/picture", "/background", "/attribute", "/inline", "/table", "/escaped", "/x"}
        assert set(trap.seen) - {"connection"} <= images
        expect(page).to_have_title("rrpy inbox")
        page.get_by_role("tab", name="Headers").click()
        page.get_by_role("tab", name="HTML", exact=True).click()
        expect(note.get_by_role("button")).to_have_count(1)  # each look asks again


def test_remote_images_can_be_refused_for_good(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path, remote_images="never") as (host, client):
        send(host, mail("Pictures", html='<img src="https://images.test/a.png">'))
        page = live(visit(host))
        page.get_by_role("option").click()
        expect(page.locator(".note")).to_have_text("Blocked: 1 remote image")
        refused = client.get("messages/latest/html?remote_images=1")
        assert (refused.status_code, refused.json()["detail"]) == (403, "inbox.remote_images is never")
        assert client.get("messages/latest/html?remote_images=yes").status_code == 400


AS_SENT = """<!doctype html><body bgcolor="#224466" style="margin:0"><img id="rule" src="cid:px" width="400" height="2">
<p><a href="#terms">terms</a> <a id="app" href="myapp://verify?token=1">open the app</a></p>
<table border="1"><tr>{}</tr></table><div style="height: 3000px"></div><h2 id="terms">Terms</h2></body>""".format(
    "<td>1.234,56&nbsp;EUR</td>" * 14
)


def test_the_frame_shows_the_mail_as_a_browser_would(tmp_path: Path, visit: Visit) -> None:
    message = mail("As sent", html=AS_SENT)
    message.get_payload()[1].add_related(showcase.picture((0, 0, 0), 1), "application", "octet-stream", cid="<px>")
    with inbox(tmp_path) as (host, _):
        send(host, message)
        page = live(visit(host))
        page.get_by_role("option").click()
        frame = page.frame_locator("iframe")
        rule = frame.locator("#rule")
        expect(rule).to_be_visible()
        natural = "(rule) => rule.decode().then(() => [rule.width, rule.height, rule.naturalWidth])"
        assert rule.evaluate(natural) == [400, 2, 1]
        assert frame.locator("td").first.evaluate("(cell) => cell.getClientRects().length && cell.innerText") == (
            "1.234,56\u00a0EUR"
        )
        html = frame.locator("html")
        assert html.evaluate("(html) => html.scrollWidth > html.clientWidth"), "a wide table scrolls"
        assert html.evaluate("() => [document.compatMode, getComputedStyle(document.body).fontSize]") == [
            "CSS1Compat",
            "16px",
        ]
        assert html.evaluate("(html) => getComputedStyle(html).backgroundColor") == "rgba(0, 0, 0, 0)", (
            "the body's colour takes the canvas"
        )
        expect(frame.locator("#app")).to_have_attribute("title", "myapp://verify?token=1")
        frame.get_by_role("link", name="terms").click()
        expect(frame.get_by_role("heading", name="Terms")).to_be_in_viewport()
        assert page.url.startswith(f"{url(host)}/#")


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
        expect(panel.get_by_role("link")).to_have_attribute("href", "https://example.com/a?b=1")
        expect(page.locator("#people")).to_contain_text("hidden@example.com")
        for name, wanted in (
            ("Headers", evil),
            ("Source", f"X-Evil: {evil}"),
            ("Attachments", f"{evil}.txt"),
            ("Session", "S: 250-PIPELINING"),
        ):
            page.locator(f"#tab-{name.lower()}").click()
            expect(panel).to_contain_text(wanted)
        expect(panel).to_contain_text("C: AUTH PLAIN ***")
        expect(panel).not_to_contain_text("s3cret<b>")
        page.get_by_role("button", name="Show the password").click()
        expect(panel).to_contain_text("s3cret<b>")
        expect(panel).to_contain_text(evil)


def test_a_mail_of_blanks_and_links_does_not_hold_up_the_page(tmp_path: Path, visit: Visit) -> None:
    """A From of 65,000 blanks froze the page at each look, and 100,000 links in a text left its panel empty."""
    blanks = " " * 20_000
    head = "".join(f"{name}: a{blanks}b{',' * 20_000}{blanks}c\r\n" for name in ("From", "To", "Cc"))
    with inbox(tmp_path) as (host, client):
        send(host, f"{head}Subject: hostile{blanks}\r\n\r\n" + "http://a.b/ " * 85_000 + "\r\nthe end\r\n")
        send(host, mail("second"))
        page = live(visit(host))
        for subject in ("hostile", "second", "hostile"):
            page.get_by_role("option", name=subject).click()
            expect(page.locator("#subject")).to_have_text(subject)
        panel = page.locator("#panel")
        expect(panel.get_by_role("link")).to_have_count(1000)
        expect(page.locator("#people").get_by_role("button")).to_have_count(0)
        assert len(client.get("messages").json()["messages"][1]["header_from"]) == 1000
        page.get_by_role("tab", name="Headers").click()
        expect(panel).to_contain_text("Cc")


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
        # A link to the page itself is harmless, and works.
        page.goto(f"{elsewhere.url}/")
        page.set_content(f'<a href="{url(host)}/">the inbox</a>')
        page.get_by_role("link").click()
        expect(page.get_by_role("option")).to_contain_text("secret")


OTHERS = """async (url) => {
    const urls = ["wait?subject=secret&timeout=0", "messages?search=secret", "messages/latest/html", "stream"];
    const all = [];
    for (const path of urls) {
        for (const headers of [{}, {"Accept-Language": ""}, {"Accept-Language": "*", "Accept": "text/plain"}])
            all.push(fetch(`${url}/api/v1/${path}`, {mode: "no-cors", referrerPolicy: "no-referrer", headers}));
        for (const [tag, name] of [["img", "src"], ["script", "src"], ["iframe", "src"], ["video", "src"]]) {
            const element = document.createElement(tag);
            element.referrerPolicy = "no-referrer";
            element[name] = `${url}/api/v1/${path}`;
            document.body.append(element);
            all.push(new Promise((resolve) => { element.onload = element.onerror = resolve; }));
        }
        const link = document.createElement("link");
        Object.assign(link, {rel: "stylesheet", href: `${url}/api/v1/${path}`, referrerPolicy: "no-referrer"});
        document.head.append(link);
    }
    await Promise.all(all.map((each) => each.catch(() => null)));
}"""


@pytest.mark.parametrize("elsewhere_is", ["elsewhere.test", "mail.test"], ids=["another host", "another port"])
def test_without_marks_of_the_browser_another_web_page_is_refused_and_ours_is_not(
    elsewhere_is: str, tmp_path: Path, visit: Visit
) -> None:
    """Over plain HTTP under a name of the network browsers send no `Sec-Fetch-Site`: a GET was answered."""
    with Elsewhere() as elsewhere, inbox(tmp_path, allowed_hosts=["mail.test"]) as (host, client):
        message = mail("secret", html="<p>Shown</p>")
        message.add_attachment(b"1234", maintype="application", subtype="pdf", filename="x.pdf")
        send(host, message)
        named = url(host).replace("127.0.0.1", "mail.test")
        page = visit(f"{elsewhere.url.replace('127.0.0.1', elsewhere_is)}/")
        answered: list[tuple[str, int]] = []
        page.on("response", lambda response: answered.append((response.url, response.status)))
        page.evaluate(OTHERS, named)
        answers = {status for address, status in answered if address.startswith(named)}
        assert answers == {403}, answered
        page.set_content(f'<a rel="noreferrer" href="{named}/api/v1/messages">list</a>')
        page.get_by_role("link", name="list").click()
        expect(page.locator("body")).to_contain_text("open the page first")
        # A link to our own page works, and so does the page.
        page.goto(f"{elsewhere.url.replace('127.0.0.1', elsewhere_is)}/")
        page.set_content(f'<a rel="noreferrer" href="{named}/">page</a>')
        page.get_by_role("link", name="page").click()
        ours = live(page)
        ours.get_by_role("option", name="secret").click()
        expect(ours.frame_locator("iframe").get_by_text("Shown")).to_be_visible()
        ours.get_by_role("tab", name="Attachments").click()
        with ours.expect_download() as download:
            ours.get_by_role("link", name="Download x.pdf").click()
        assert Path(download.value.path()).read_bytes() == b"1234"
        ours.get_by_role("combobox").fill("nothing")
        expect(ours.get_by_role("heading", name="Nothing found")).to_be_visible()
        ours.get_by_role("combobox").fill("secret")
        ours.get_by_role("option", name="secret").click()
        ours.get_by_role("button", name="Delete the message").click()
        with ours.expect_response(lambda answer: answer.request.method == "DELETE"):
            ours.get_by_role("button", name="Delete now").click()
        expect(ours.locator("#count")).to_have_text("0 of 0 messages")
        assert client.get("messages").json()["total"] == 0


def test_a_name_that_was_made_to_lead_here_gets_nothing(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        send(host, mail("secret"))
        page = visit(url(host).replace("127.0.0.1", "rebound.example"))
        expect(page.locator("body")).to_contain_text("rebound.example is not known here")
        answer = page.evaluate("fetch('/api/v1/messages').then(async (r) => [r.status, await r.text()])")
        assert answer[0] == 403
        assert "secret" not in answer[1]
