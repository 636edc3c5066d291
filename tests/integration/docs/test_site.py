"""The site that docs/site.py builds from the pages: whole, the same as on GitHub, and nothing in it from elsewhere."""

from __future__ import annotations

import http.server
import re
import shutil
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

import rrpy.testing
import rrpy.worker.testing

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
    built = build(ROOT, folder)
    assert built.returncode == 0, built.stderr
    return folder / "html"


def build(root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, root / "docs" / "site.py", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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
        counts = Html(html_of(site, page)).counts
        if "<!-- api: " in page.read_text(encoding="utf-8"):  # where the site has more
            assert wanted <= counts, page
        else:
            assert +counts == +wanted, page


def test_the_reference_has_every_public_name(site: Path) -> None:
    shown = html_of(site, ROOT / "docs" / "reference" / "api.md")
    for module in (rrpy, rrpy.worker, rrpy.worker.testing, rrpy.testing):
        for name in {*module.__all__} - {"__version__", "log"}:  # a text and a module
            assert f'id="{module.__name__}.{name}"' in shown, f"{module.__name__}.{name}"


@pytest.mark.parametrize(
    ("wrong", "reasons"),
    [
        ("[a](README.md#nowhere) [b](nowhere.md)", ["anchor does not exist", "page does not exist"]),
        ("<!-- api: rrpy.nowhere -->", ["rrpy.nowhere could not be found"]),
    ],
)
def test_a_dead_link_fails_the_build(tmp_path: Path, wrong: str, reasons: list[str]) -> None:
    (tmp_path / "docs" / "javascripts").mkdir(parents=True)
    for name in ("pyproject.toml", "docs/site.py", "docs/zensical.toml", "docs/javascripts/mermaid.js"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    settings = tmp_path / "docs" / "zensical.toml"
    settings.write_text(
        re.sub(r"^nav = .*?^\]$", 'nav = ["README.md"]', settings.read_text(), flags=re.MULTILINE | re.DOTALL)
    )
    (tmp_path / "docs" / "README.md").write_text(f"# A site of one page\n\n{wrong}\n\n[c](README.md)\n")
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode == 1, built.stderr
    assert [reason for reason in reasons if reason not in built.stderr] == [], built.stderr


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
