"""Read the documentation for a test: blocks, commands and tables."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "examples").glob("**/*.md")])

_BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_CHANGING = (
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", re.MULTILINE), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "TIME"),
    (re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE), "TIME "),
    (re.compile(r"\bin \d+\.\d s$", re.MULTILINE), "in SECONDS"),
    (UUID, "UUID"),
    (re.compile(r"\b(127\.0\.0\.1|localhost):\d+"), r"\1:PORT"),
    (re.compile(r"\bpid=\d+"), "pid=PID"),
    (re.compile(r"^ *\d+ +(ready|working) .*$", re.MULTILINE), r"PID \1"),  # memory, CPU and age are the machine's
    (re.compile(r"[ ─]+"), " "),
)
_FILE = re.compile(r"(?:<\?php\n)?(?:#|//|;) (?P<name>[\w.-]*\.\w+)(?:[,;] .*)?\n")
_WAY = re.compile(r"<!-- (?P<way>(?:test|generated|not run): [^>]+) -->")
_COMMONMARK = MarkdownIt("commonmark")


class Block(NamedTuple):
    """A block of code. `kind`: the word after its fence, empty for an indented block. `line`: its first line.

    `way`: the text of a comment right above it, `test: ...`, `generated: ...` or `not run: ...`; else empty.
    """

    kind: str
    text: str
    line: int = 0
    way: str = ""


class Command(NamedTuple):
    """A `$` line of a console block, and its output on the page."""

    line: str
    output: str


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sources(suffix: str = "") -> list[Path]:
    """Return the text files of the repository, those with this suffix or all; not the scripts of others."""
    command = ["git", "ls-files", "-z", "-co", "--exclude-standard", f"*{suffix}"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name and not name.startswith("docs/javascripts/")]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:1024]]


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _BLOCK.sub("", text)


def blocks(text: str, *kinds: str) -> list[Block]:
    """Return the blocks of a page, of these kinds or of all, as CommonMark has them: in lists and quotations too."""
    found, way = [], ""
    for token in _COMMONMARK.parse(text):
        if token.type in ("fence", "code_block"):
            assert token.map is not None
            kind = token.info.partition(" ")[0]
            if not kinds or kind in kinds:
                found.append(Block(kind, token.content, token.map[0] + 1, way))
        comment = _WAY.fullmatch(token.content.strip()) if token.type == "html_block" else None
        way = comment["way"] if comment else ""
    return found


def section(text: str, title: str) -> str:
    """Return the text under a heading, up to the next heading of any level, without fenced blocks."""
    text = prose(text)
    headings = list(_HEADING.finditer(text))
    (found,) = [heading for heading in headings if heading["title"] == title]
    after = next((heading.start() for heading in headings if heading.start() > found.start()), len(text))
    return text[found.end() : after]


def tables(text: str) -> Iterator[dict[str, list[str]]]:
    """Yield the tables of a text: the first cell of each row, and the row."""
    for found in re.findall(r"(?:^\|.*\|\n)+", text + "\n", re.MULTILINE):
        rows = [
            [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in found.splitlines()
        ]
        yield {row[0]: row for row in rows[2:]}


def table(text: str) -> dict[str, list[str]]:
    """Return the only table of a text."""
    (found,) = tables(text)
    return found


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings get."""
    titles = (heading["title"].lower() for heading in _HEADING.finditer(prose(text)))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not parts[0], f"a console block begins with a command: {block.text}"
    return [Command(*part.partition("\n")[::2]) for part in parts[1:]]


def plain(text: str) -> str:
    """Return output with a name for each part that varies: times, process ids, uuids, ports, measures, widths."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def file_of(block: Block) -> str:
    """Return the name of the file that a block shows, from its first comment; empty without one.

    The comment belongs to the file: a copy of the block has it too, and line numbers count it.
    """
    named = _FILE.match(block.text)
    return named["name"] if named else ""


def write_files(text: str, folder: Path) -> None:
    """Write the blocks that begin with the name of their file in a comment."""
    for block in blocks(text):
        if name := file_of(block):
            (folder / name).write_text(block.text)
