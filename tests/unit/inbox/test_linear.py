"""Mail of 64 KiB is listed, searched and shown in time that is in proportion to it, by the host and by the page.

A regular expression over a From of 65,000 blanks took the page 6.5 seconds for each look. So did accents the search.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.inbox.html import safe_html
from support.inbox.stored import MAIL
from support.linear import ALLOWED, LONG, PIECES, SHORT, TRIES, UNSEEN, repeated, superlinear

from rrpy.inbox.records import MAX_HEADER, MAX_WORDS, fold, record_of
from rrpy.inbox.store.query import parse as parse_search
from rrpy.inbox.web import downloads, html
from rrpy.inbox.web import images as images_module
from rrpy.inbox.web.application import STATIC
from rrpy.inbox.web.images import Image
from rrpy.inbox.web.previews import preview_of
from rrpy.mime.filenames import safe_name
from rrpy.mime.message import parse
from rrpy.smtp_plugin.delivery.observers import ReceivedMail

pytestmark = pytest.mark.usefixtures("untraced")


def recorded(head: str, text: str) -> None:
    record_of(ReceivedMail(**MAIL | {"id": "1", "content": f"{head}{text}".encode("utf-8", "replace")}))


@pytest.mark.parametrize(
    "head", ["From: ", "To: ", "Subject: ", "Content-Type: text/html\n\n", "Content-Type: text/html\n\n<style>", "\n"]
)
def test_a_mail_becomes_a_record(head: str) -> None:
    assert superlinear(lambda text: recorded(head, text), repeated()) == []


def test_a_text_is_folded() -> None:
    assert superlinear(fold, repeated()) == []


def test_the_words_of_a_phrase_do_not_multiply_the_time_of_a_search() -> None:
    """A phrase of 126 words took 0.35 s for one mail that repeats them, and the host stood still."""
    words = "a " * (MAX_WORDS // 2)
    candidate: Any = SimpleNamespace(words=words)
    query = parse_search('"' + "a " * 126 + 'b"')

    def least(work: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
        return min(times)

    assert least(lambda: query.fits(candidate)) < 20 * least(lambda: " ".join(words.split()))


@pytest.mark.parametrize(
    "head",
    [
        "",
        "<p ",
        "<p style='",
        '<a href="',
        "<style>",
        "<style>color-scheme:",
        "<style>url(",
        '<style>url("a"',
        "<img src=cid:",
        "<!--",
        "<svg ",
    ],
)
def test_html_is_rewritten(head: str) -> None:
    images = {"x": Image("image/png", 1, lambda: b"x")}
    assert superlinear(lambda text: safe_html(head + text, images), repeated()) == []


def test_the_type_of_an_image_is_found() -> None:
    """Comments before a `<svg>`: 8 KiB of them took 4.5 seconds, for each image of a mail."""
    assert superlinear(lambda text: images_module.sniffed(text.encode()), repeated(), longest=2 * 1024) == []
    assert images_module.sniffed(b"<?xml version='1.0'?>\n<!-- a -- b -->\n<!DOCTYPE svg>\n<svg>") == "image/svg+xml"


def test_a_name_of_a_file_is_made() -> None:
    assert superlinear(safe_name, repeated()) == []
    assert superlinear(downloads.message_name, repeated()) == []
    assert superlinear(downloads.disposition, repeated()) == []


def test_a_preview_is_made() -> None:
    assert superlinear(lambda text: preview_of(text.encode("utf-8", "replace")), repeated()) == []


def test_the_list_has_the_beginning_of_a_header() -> None:
    head = f"From: {'f' * LONG}\r\nSubject: {'s' * LONG}\r\n\r\n"
    record = record_of(ReceivedMail(**MAIL | {"id": "1", "content": head.encode()}))
    assert (record.summary.header_from, record.summary.subject) == ("f" * MAX_HEADER, "s" * MAX_HEADER)
    assert len(parse(record.content).subject) > MAX_HEADER
    growing = record_of(ReceivedMail(**MAIL | {"id": "1", "content": ("\r\n" + "\ufdfa" * MAX_WORDS).encode()}))
    assert len(growing.words) <= MAX_WORDS


def test_an_image_counts_with_the_name_of_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type of 60,000 characters made 100 GB of 25 MB of `<img src=cid:x>`."""
    monkeypatch.setattr(images_module, "MAX_EMBEDDED", 1_000_000)
    images = {"x": Image(f"image/{'a' * 60_000}", 1, lambda: b"x")}
    assert len(safe_html("<img src=cid:x><p style='background: url(cid:x)'>" * 1000, images)) < 1_100_000


def test_a_page_ends_after_so_much_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MAX_MARKUP", 1000)
    for piece in ("<b>", "</b>", "<b a=1>", "<!---->", "<img src=cid:x>"):
        page = safe_html("begin" + piece * 2000 + "end", {})
        assert "begin" in page
        assert page.endswith("its source has all of it.</b></p>"), piece
    assert safe_html("<b>" * 999 + "end", {}).endswith("end")
    monkeypatch.setattr(html, "SLICE", 10)
    monkeypatch.setattr(html, "MAX_PAGE", 50_000)
    page = safe_html(("<b title='" + '"' * 10_000 + "'>") * 900, {})
    assert page.endswith("its source has all of it.</b></p>")
    assert len(page) < 50_000 + 11 * 60_000
    monkeypatch.setattr(html, "MAX_ATTRIBUTES", 10)
    assert safe_html(f"<b {'a=1 ' * 500} id='>'>x", {}).endswith("<b>'>x")


# The page.

EXPRESSION = re.compile(r"(?<=[(,=:\s])/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[\s])+/[dgimsuvy]*(?=[.,;)])")
SPEED = """
const {pieces, lengths, allowed, unseen, tries, modules, expressions} = JSON.parse(process.argv[1]);
const people = await import(`${modules}/people.js`), links = await import(`${modules}/links.js`);
const format = await import(`${modules}/format.js`), {tokens} = await import(`${modules}/tokens.js`);
const message = (text) => ({header_from: text, from: text, subject: text, code: 250});
const works = {
  nameOf: people.nameOf, split: people.split, addressesIn: people.addressesIn, pieces: links.pieces,
  tokens, tokensInTag: (text) => tokens("<a " + text),
  sender: (text) => format.sender(message(text)), subject: (text) => format.subject(message(text)),
};
for (const source of expressions) {
  const found = /^\\/(.*)\\/(\\w*)$/.exec(source);
  const all = new RegExp(found[1], [...new Set(found[2] + "g")].join(""));
  works[source] = (text) => { text.split(all); text.replace(all, "x"); text.search(all); };
}
const took = (work, text) => {
  const before = process.cpuUsage();
  work(text);
  const {user, system} = process.cpuUsage(before);
  return (user + system) / 1e6;
};
const slow = [];
for (const [name, work] of Object.entries(works))
  for (const piece of pieces)
    for (const [before, after] of [["", ""], ["a", "b"]]) {
      const make = (size) => before + piece.repeat(size / piece.length) + after;
      let linear = false;
      for (let tried = 0; !linear && tried < tries; tried += 1) {
        const long = took(work, make(lengths[1]));
        linear = long < unseen || long < allowed * took(work, make(lengths[0]));
      }
      if (!linear) slow.push([name, piece]);
    }
console.log(JSON.stringify(slow));
"""


def expressions() -> set[str]:
    """Return the regular expressions of the page."""
    code = "".join(file.read_text() for file in STATIC.glob("*.js"))
    return set(EXPRESSION.findall(re.sub(r"(?s)/\*.*?\*/|(?m:^|(?<=\s))//[^\n]*", "", code)))


@pytest.mark.program("node")
def test_the_page_reads_a_header_and_a_text(tmp_path: Path) -> None:
    for file in STATIC.glob("*.js"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    given = {
        "pieces": PIECES, "lengths": [SHORT, LONG], "allowed": ALLOWED, "unseen": UNSEEN, "tries": TRIES,
        "modules": str(tmp_path), "expressions": sorted(expressions()),
    }  # fmt: skip
    assert "/^[1-9]$/" in expressions()
    node = subprocess.run(
        ["node", "--input-type=module", "-e", SPEED, json.dumps(given)], capture_output=True, text=True, check=False
    )
    assert node.stderr == ""
    assert json.loads(node.stdout) == []
