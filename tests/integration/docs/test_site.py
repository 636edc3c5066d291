"""The site that mkdocs makes of the pages: whole, the same as on GitHub, and nothing in it from elsewhere."""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from support.docs.pages import ROOT

pytestmark = pytest.mark.usefixtures("unmeasured")

PAGES = sorted((ROOT / "docs").glob("**/*.md"))
COUNTED = {"li", "table", "pre", "h1", "h2", "h3", "blockquote", "img"}
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "video": "src"}


class Html(HTMLParser):
    """A page of the site: how often its article has each element, and what the page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.loads: list[str] = []
        self._in_article = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "article":
            self._in_article = True
        if self._in_article:
            self.counts[tag] += tag in COUNTED
        address = dict(attributes).get(LOADED.get(tag, ""))
        if address is not None:
            self.loads.append(address)

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._in_article = False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def html_of(site: Path, page: Path) -> str:
    name = page.relative_to(ROOT / "docs").with_suffix("")
    folder = site / name.parent if name.name == "README" else site / name
    return (folder / "index.html").read_text(encoding="utf-8")


def test_it_builds_without_a_warning_and_has_every_page(site: Path) -> None:
    for page in PAGES:
        assert "<article" in html_of(site, page), page


def test_a_page_reads_the_same_there_as_on_github(site: Path) -> None:
    commonmark = MarkdownIt("commonmark").enable("table")
    for page in PAGES:
        wanted: Counter[str] = Counter()
        for token in commonmark.parse(page.read_text(encoding="utf-8")):
            if token.type in ("fence", "code_block"):
                wanted["pre"] += 1
            elif token.nesting == 1 and token.tag in COUNTED:
                wanted[token.tag] += 1
            wanted["img"] += sum(child.type == "image" for child in token.children or [])
        assert +Html(html_of(site, page)).counts == +wanted, page


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for file in site.glob("**/*.html"):
        loads = Html(file.read_text(encoding="utf-8")).loads
        assert [each for each in loads if re.match(r"(\w+:)?//", each)] == [], file
    for file in site.glob("**/*.css"):
        assert not re.search(r"(url\(|@import )['\"]?(https?:)?//", file.read_text(encoding="utf-8")), file


@pytest.mark.program("chromium")
def test_a_browser_draws_the_diagrams_and_asks_nobody_else(site: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    asked: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with playwright.sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                page = browser.new_page()
                page.on("request", lambda request: asked.append(request.url))
                here = f"http://127.0.0.1:{server.server_port}/"
                page.goto(f"{here}explanation/architecture/")
                page.wait_for_function("document.querySelectorAll('pre.mermaid').length === 0")
                drawn = page.locator("div.mermaid").count()
                browser.close()
        finally:
            server.shutdown()
            thread.join()
    assert drawn == (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8").count("```mermaid")
    assert [url for url in asked if not url.startswith((here, "data:", "blob:"))] == []
