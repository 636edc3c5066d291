"""What the site needs beside the pages: mkdocs.yml names this file as its hook.

The pages are written for GitHub, where a link may lead out of `docs/`, to a source file or an example. The site has no
such place, so it gets a page for each file that a page links to: a Markdown file as it is, any other as a listing.

Material draws mermaid diagrams with a script that it would load from a stranger's server. A page that has diagrams
brings the copy in `docs/javascripts/` instead (@mermaid-js/tiny 11.17.2, MIT), and no page loads anything from outside.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=\))")
LISTING = "---\nsearch:\n  exclude: true\n---\n# `{path}`\n\n~~~~{kind}\n{text}\n~~~~\n"
KINDS = {".py": "python", ".js": "js", ".php": "php", ".yaml": "yaml", ".toml": "toml"}
SCRIPT = '<script src="{path}"></script>\n'


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for every file outside of `docs/` that a page links to, and for those that these link to."""
    waiting = [file.src_uri for file in files.documentation_pages()]
    while waiting:
        uri = waiting.pop()
        source = source_of(uri)
        if source.suffix != ".md":
            continue
        for found in LINK.finditer(source.read_text(encoding="utf-8")):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path_of(uri)), found["target"]))
            there = ROOT / path
            if there.is_file() and files.get_file_from_path(uri_of(path)) is None and not path.startswith("docs/"):
                files.append(generated(config, path))
                waiting.append(uri_of(path))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page to where the site has what the repository has elsewhere."""
    here = page.file.src_uri

    def moved(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path_of(here)), found["target"]))
        uri = uri_of(path)
        if files.get_file_from_path(uri) is None:
            return found[0]  # mkdocs says what is wrong with it
        return posixpath.relpath(uri, posixpath.dirname(here) or ".") + (found["anchor"] or "")

    return LINK.sub(moved, markdown)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Give a page with diagrams the script that draws them."""
    if 'class="mermaid"' not in html:
        return html
    script = posixpath.relpath("javascripts/mermaid.js", posixpath.dirname(page.file.dest_uri) or ".")
    return SCRIPT.format(path=script) + html


def generated(config: MkDocsConfig, path: str) -> File:
    """Return the page of a file of the repository, which is no page of `docs/`."""
    if path.endswith(".md"):
        return File.generated(config, uri_of(path), abs_src_path=str(ROOT / path))
    text = (ROOT / path).read_text(encoding="utf-8").rstrip("\n")
    listing = LISTING.format(path=path, kind=KINDS.get(Path(path).suffix, "text"), text=text)
    return File.generated(config, uri_of(path), content=listing, inclusion=InclusionLevel.NOT_IN_NAV)


def uri_of(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return path if path.endswith(".md") else f"source/{path}.md"


def path_of(uri: str) -> str:
    """Return which file of the repository the site has there."""
    if uri.startswith("source/"):
        return uri.removeprefix("source/").removesuffix(".md")
    return f"docs/{uri}" if (ROOT / "docs" / uri).is_file() else uri


def source_of(uri: str) -> Path:
    """Return the file that a page of the site is made of."""
    return ROOT / path_of(uri)
