"""The documentation as a test reads it: blocks and tables; and its transcripts, run against a real host."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from support.host import PATIENCE, RRPY, Host

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("**/*.md")])

_BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_CHANGING = (
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", re.MULTILINE), "TIME"),
    (_UUID, "UUID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\bpid=\d+"), "pid=PID"),
    (re.compile(r"^ *\d+ +(ready|working) .*$", re.MULTILINE), r"PID \1"),  # memory, CPU and age are the machine's
    (re.compile(r"[ ─]+"), " "),
)
_FILE = re.compile(r"# (?P<name>[\w./]+)\n")


class Block(NamedTuple):
    """A fenced block. `kind`: the word behind its fence."""

    kind: str
    text: str


class Command(NamedTuple):
    """A `$` line of a console block, and what the page says that it prints."""

    line: str
    output: str


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _BLOCK.sub("", text)


def blocks(text: str, *kinds: str) -> list[Block]:
    """Return the fenced blocks of a page, of these kinds or of all."""
    found = [Block(match["kind"], match["text"]) for match in _BLOCK.finditer(text)]
    return [block for block in found if not kinds or block.kind in kinds]


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next one of any level. Fenced blocks are left out."""
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
    """Return output without what is different each time: times, process ids, uuids, ports, measures, column widths."""
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def write_files(text: str, folder: Path) -> None:
    """Write the blocks that begin with the name of their file in a comment."""
    for block in blocks(text, "python", "yaml"):
        named = _FILE.match(block.text)
        if named is not None:
            (folder / named["name"]).write_text(block.text[named.end() :])


class ConsoleHost(Host):
    """A host whose log is for people. `named` and `wait_for` find a line by a part of it."""

    def named(self, message: str, **keys: object) -> list[dict[str, Any]]:
        return [line for line in self.lines if message in line.get("text", "")]

    def address(self, message: str) -> str:
        """Return the `host:port` that a line names."""
        (line,) = self.wait_for(message)
        found = re.search(r"127\.0\.0\.1:\d+", line["text"])
        assert found is not None, line
        return found[0]


class Transcript:
    """A page that is run, block by block. A context manager; `host` is the one that the page has started."""

    def __init__(self, text: str, folder: Path) -> None:
        self._text = text
        self._folder = folder
        self._known: dict[str, str] = {}
        self._prompt: dict[str, Any] = {}
        self.host: ConsoleHost | None = None

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *_: object) -> None:
        if self.host is not None:
            self.host.close()

    def start(self, *arguments: str) -> None:
        """Start the host on free ports; the page's ports stand for them from here on."""
        free = ("smtp.addr=127.0.0.1:0", "rpc.listen=tcp://127.0.0.1:0")
        has_smtp = "\nsmtp:" in (self._folder / "rr.yaml").read_text()
        overrides = [part for each in free if has_smtp or "smtp" not in each for part in ("-o", each)]
        self.host = ConsoleHost(self._folder, [*arguments, *overrides])
        self.host.ready()
        self._known["127.0.0.1:6001"] = self.host.address("rpc is listening")
        if has_smtp:
            self._known["127.0.0.1:1025"] = self.host.address("SMTP server listens")

    def run(self) -> None:
        """Run every block, in order."""
        shown = ""
        for block in blocks(self._text, "console", "log", "pycon"):
            if block.kind == "log":
                shown += block.text
            elif block.kind == "pycon":
                self._type(block.text)
            else:
                for command in commands(block):
                    shown += self._run(command)
        self._stop()
        self._check_log(shown)

    def _run(self, command: Command) -> str:
        """Run one command and compare what it prints; return what the host's log has to hold in the end."""
        words = shlex.split(self._real(command.line.rpartition("&& ")[2]))
        name = words.pop(0).removeprefix(".venv/bin/")
        serves = name == "rrpy" and words[0] == "serve"
        if serves and self.host is None:
            self.start(*words[1:])
            return command.output
        if name == "rrpy" and words[0] in ("rpc", "workers"):
            words += ["--address", f"tcp://{self._known['127.0.0.1:6001']}"]
        program = RRPY if name == "rrpy" else [sys.executable]
        assert name in ("rrpy", "python"), command.line
        done = subprocess.run(
            [*program, *words],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        said = _same_form(command.output), _same_form(done.stdout)
        assert plain(said[1]) == plain(said[0]), command.line
        self._known.update(zip(_UUID.findall(command.output), _UUID.findall(done.stdout), strict=True))
        return ""

    def _type(self, text: str) -> None:
        """Type a block into a Python prompt."""
        test = doctest.DocTestParser().get_doctest(self._real(text), self._prompt, "prompt", None, None)
        report = io.StringIO()
        with contextlib.redirect_stdout(report):
            result = doctest.DocTestRunner().run(test, clear_globs=False)
        assert not result.failed, report.getvalue()
        self._prompt = test.globs

    def _real(self, text: str) -> str:
        """Return a text with the page's ports and uuids replaced by those of this run."""
        for shown, real in self._known.items():
            text = text.replace(shown, real)
            if ":" in shown:  # a port that stands beside its host, as in `SMTP('127.0.0.1', 1025)`
                text = re.sub(rf"\b{shown.rpartition(':')[2]}\b", real.rpartition(":")[2], text)
        return text

    def _stop(self) -> None:
        assert self.host is not None, "the page starts a host"
        code = self.host.wait() if self.host.named("host is stopping") else self.host.stop()
        assert code == 0, self.host.text()

    def _check_log(self, shown: str) -> None:
        assert self.host is not None
        real = plain(self.host.text()).splitlines()
        assert [line for line in plain(shown).splitlines() if line not in real] == [], self.host.text()


def _same_form(text: str) -> str:
    """Return JSON, which is indented on a terminal and not in a pipe, in one form; other text as it is."""
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text
