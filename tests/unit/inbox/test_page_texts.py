"""What the page reads in the texts of a mail: links, and the pieces of HTML. It runs the page's own modules."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.waiting import TIMEOUT

from rrpy.inbox.web.application import STATIC

pytestmark = pytest.mark.program("node")

RUN = """
const [folder, module, name, given] = process.argv.slice(1);
const work = (await import(`${folder}/${module}.js`))[name];
console.log(JSON.stringify(JSON.parse(given).map((each) => work(each))));
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules")
    for file in STATIC.glob("*.js"):
        (folder / file.name).write_text(file.read_text())
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def run(modules: Path, module: str, name: str, given: list[str]) -> Any:
    command = ["node", "--input-type=module", "-e", RUN, str(modules), module, name, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.stderr == ""
    return json.loads(done.stdout)


LINKS = {
    "see https://example.com/a?b=1.": ["https://example.com/a?b=1"],
    "HTTP://EXAMPLE.COM and (www.example.com/a),": ["HTTP://EXAMPLE.COM", "www.example.com/a"],
    "mail <mailto:ann@example.com?subject=Hi> now": ["mailto:ann@example.com?subject=Hi"],
    "www. www... mailto: http:// https://. awww.example.com x@www.example.com nomailto:a": [],
    "javascript:alert(1) data:text/html,x ftp://x": [],
    "https://www.example.com": ["https://www.example.com"],
}


def test_links_of_a_text_are_found(modules: Path) -> None:
    found = run(modules, "links", "pieces", list(LINKS))
    assert [each[1::2] for each in found] == list(LINKS.values())
    assert ["".join(each) for each in found] == list(LINKS)
    assert run(modules, "links", "hrefOf", ["www.x.y", "WWW.x.y", "mailto:a@b", "http://a"]) == [
        "https://www.x.y", "https://WWW.x.y", "mailto:a@b", "http://a",
    ]  # fmt: skip


HTML = [
    '<!doctype html><a href="x>y" title=\'a"b\' id=1/2 hidden>Hi</a><!-- <b> -->',
    "a < b <3 <>",
    '<a href="never ends>',
    "<!-- never ends",
    "<",
    "",
    "<b" + " a=1" * 20_000 + ">",
]


def test_the_pieces_of_html_are_the_html(modules: Path) -> None:
    found = run(modules, "tokens", "tokens", HTML)
    assert ["".join(text for _, text in each) for each in found] == HTML
    assert [piece for piece in found[0] if piece[0] not in ("", "tag")] == [
        ["name", "html"],
        ["name", "href"], ["value", '"x>y"'], ["name", "title"], ["value", "'a\"b'"],
        ["name", "id"], ["value", "1/2"], ["name", "hidden"],
        ["comment", "<!-- <b> -->"],
    ]  # fmt: skip
    assert len(found[6]) < 20_010
