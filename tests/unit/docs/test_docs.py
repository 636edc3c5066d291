"""The documentation is whole: every key, option and public name is in it, and nothing that does not exist."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import click
import pytest
from support.docs.pages import PAGES, ROOT, anchors, blocks, page, prose, section, table, tables

import rrpy
from rrpy.cli import main
from rrpy.container.config.config import HOST_SECTIONS
from rrpy.container.config.yamlfile import parse
from rrpy.inbox.web.routes import ROUTES
from rrpy.mime.defects import DEFECTS
from rrpy.mime.message import parse as parse_mail
from rrpy.smtp_plugin.delivery.event import Arrival, build_event
from rrpy.smtp_plugin.delivery.observers import ReceivedMail
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.dialog import Dialog
from rrpy.smtp_plugin.protocol.parameters import MAIL, RCPT
from rrpy.smtp_plugin.protocol.phases import Event, Phase
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.session import Credentials, Envelope, Session, TLSInfo
from rrpy.worker_pool.states import TRANSITIONS


def test_every_section_of_a_host_is_documented() -> None:
    titles = set(re.findall(r"^##+ (\w+)$", page("docs/reference/configuration.md"), re.MULTILINE))
    wanted = {plugin.name for plugin in rrpy.default_plugins()} - {"informer", "resetter"}  # which have no section
    assert titles >= wanted | {"logs", "endure"}
    rows = table(section(page("docs/reference/configuration.md"), "The top of the file"))
    assert {name.strip("`") for name in rows} | {"logs", "endure"} == HOST_SECTIONS


def test_every_keyword_of_ehlo_and_every_parameter_is_documented() -> None:
    keywords, parameters = (
        found for found in tables(page("docs/reference/smtp.md")) if {"`PIPELINING`", "`SIZE`"} & set(found)
    )
    everything = Rules(hostname="mx", enhanced=True, max_recipients=1, tls_available=True)
    offered = {re.sub(r"=.*| \d.*", "", line) for line in everything.extensions()}
    assert _names(keywords) == offered | {"AUTH"}
    assert _names({name: row for name, row in parameters.items() if row[1] == "MAIL"}) == set(MAIL)
    assert _names({name: row for name, row in parameters.items() if row[1] == "RCPT"}) == set(RCPT)


def _names(rows: Iterable[str]) -> set[str]:
    return {name for cell in rows for name in re.findall("`([^`]+)`", cell)}


def test_every_defect_of_mail_is_documented_in_its_own_words() -> None:
    rows = table(section(page("docs/reference/events.md"), "Defects"))
    assert {name.strip("`"): row[1] for name, row in rows.items()} == DEFECTS


def every_command() -> list[tuple[str, click.Command]]:
    return [(f"`{name}`", command) for name, command in commands_below(main, "rrpy")]


def commands_below(group: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that can be run, with what one types for it: a group by its sub-commands."""
    assert isinstance(group, click.Group)
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            assert not command.params, "what a group takes is to be documented too"
            yield from commands_below(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@pytest.mark.parametrize(("title", "command"), every_command())
def test_every_option_of_a_command_is_documented_and_no_other(title: str, command: click.Command) -> None:
    documented = reduce(dict.__or__, tables(section(page("docs/reference/commands.md"), title)))
    takes = {name.split(" ")[-1] if "`" not in name else ", ".join(re.findall("`(.*?)`", name)) for name in documented}
    expected = set()
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            expected.add((parameter.name or "").rstrip("s").upper())
        else:
            expected.add(", ".join(parameter.opts))
    assert takes == expected


def test_the_options_of_all_commands_are_documented() -> None:
    options = [name for found in tables(section(page("docs/reference/commands.md"), "Commands")) for name in found]
    context = main.make_context("rrpy", ["serve"])
    for parameter in main.get_params(context):
        assert any(set(parameter.opts) == set(re.findall("`(.*?)`", name)) for name in options), parameter.opts


def test_every_command_has_a_heading() -> None:
    titles = set(re.findall(r"^## (`rrpy .*`)$", page("docs/reference/commands.md"), re.MULTILINE))
    assert titles == {title for title, _ in every_command()}


@pytest.mark.parametrize("name", ["greeter.py", "rr.yaml"])
def test_the_plugin_on_the_page_is_the_example(name: str) -> None:
    shown = [block.text for block in blocks(page("docs/how-to/plugins.md")) if block.text.startswith(f"# {name}\n")]
    assert shown == [f"# {name}\n" + page(f"examples/greeter/{name}")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(path.read_text())):
        link = re.sub(r"\s+", " ", target)
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.is_file(), link
        assert not anchor or anchor in anchors(found.read_text()), link


def test_every_path_of_the_inbox_s_api_is_documented_with_its_parameters() -> None:
    cells = " ".join(table(section(page("docs/how-to/inbox.md"), "The API")))
    documented = re.findall(r"`(GET|DELETE|PATCH|POST|PUT) (/[^?`]*)\??([^`]*)`", cells)
    served = [
        (route.method, route.path, sorted(each.name for each in route.parameters if each.place == "query"))
        for route in ROUTES
        if route.path != "/openapi.json"  # in the text
    ]
    asked = [(method, path, sorted(re.findall(r"(\w+)=", query))) for method, path, query in documented]
    assert sorted(asked) == sorted(served)


def test_all_that_a_plugin_sees_of_a_mail_is_documented() -> None:
    rows = table(section(page("docs/how-to/plugins.md"), "Seeing mail"))
    documented = [name for cell in rows for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(documented) == sorted([*ReceivedMail.__struct_fields__, "message"])


def test_every_field_of_an_event_is_documented_and_no_other() -> None:
    session, envelope = Session(None, ("127.0.0.1", 1)), Envelope()
    session.credentials = Credentials("PLAIN", b"u", b"p")
    session.tls = TLSInfo("TLSv1.3", "AES", "CN=a")
    envelope.rcpt_tos = ["a@b.c"]
    arrival = Arrival.of(session, envelope, "id", 0.0)
    html, attached = parse_mail(b"Content-Type: text/html\r\n\r\n<p>x"), parse_mail(b"Content-Type: a/b\r\n\r\nx")
    event = json.loads(build_event(arrival, html, all_headers=True))
    in_event = json.loads(build_event(arrival, attached))["attachments"][0]
    in_file = json.loads(build_event(arrival, attached, ["/path"]))["attachments"][0]
    text = section(page("docs/reference/events.md"), "The request")
    documented = [
        {name for cell in rows for name in re.findall(r"`(\w+)`", cell)} for rows in itertools.islice(tables(text), 3)
    ]
    assert documented == [set(event), set(event["message"]), set(in_event | in_file)]


def test_the_guide_has_the_readmes_ways_to_install() -> None:
    ways = table(section(page("README.md"), "Run it"))
    assert list(ways) == ["pip", "pipx", "uvx", "Docker"]
    assert table(section(page("docs/guide/1-catch-mail.md"), "Install")) == ways


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", page("docs/README.md")))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").glob("**/*.md")}
    assert linked >= pages - {"README.md"}


def test_the_site_s_navigation_names_every_page() -> None:
    named = set(re.findall(r'"([\w./-]+\.md)"', page("docs/zensical.toml")))
    assert named >= {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").glob("**/*.md")}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_is_well_formed(path: Path) -> None:
    for block in blocks(path.read_text()):
        if block.kind == "python":
            compile(block.text, str(path), "exec")
        elif block.kind == "yaml":
            parse(block.text, str(path))
        assert block.kind, f"a block of {path} says what it is"


def test_the_changelog_has_the_version() -> None:
    assert f"## [{rrpy.__version__}]" in page("CHANGELOG.md")


@pytest.fixture(scope="module")
def generate() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_what_the_tables_give(generate: Any) -> None:
    for name in generate.pages():
        text = page(f"docs/{name}")
        assert generate.updated(name, text) == text, "run: python docs/generate.py --write"


def test_the_generated_parts_are_rewritten_where_they_are_old(generate: Any, tmp_path: Path) -> None:
    name = "explanation/architecture.md"
    whole = page(f"docs/{name}")
    old = whole.replace("registered --> disabled: disable", "registered --> nowhere: lost")
    assert old != whole
    assert generate.updated(name, old) == whole
    with pytest.raises(ValueError, match=r"needs one <!-- generated: layers -->"):
        generate.updated(name, "# no place for anything\n")
    checked = subprocess.run([sys.executable, "docs/generate.py"], cwd=ROOT, check=False)
    assert checked.returncode == 0
    for source in ("pyproject.toml", "docs/generate.py", *(f"docs/{each}" for each in generate.pages())):
        copy = tmp_path / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(page(source))
    (tmp_path / "docs" / name).write_text(old)
    command = [sys.executable, "docs/generate.py"]
    stale = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    expected = "explanation/architecture.md is out of date; run: python docs/generate.py --write\n"
    assert (stale.returncode, stale.stderr) == (1, expected)
    subprocess.run([*command, "--write"], cwd=tmp_path, check=True)
    assert (tmp_path / "docs" / name).read_text() == whole
    assert subprocess.run([*command, "--nope"], cwd=tmp_path, stderr=subprocess.PIPE, check=False).returncode == 2


def test_what_the_worker_diagram_leaves_out_can_happen_everywhere(generate: Any) -> None:
    left_out = generate.common_ends()
    assert {state.text for state in left_out} == {"destroyed", "errored"}
    assert all(left_out <= after for after in TRANSITIONS.values() if after)


BEGUN = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\n"
REFUSED = b"BDAT 20\r\n" + b"x" * 20
BEFORE = {Phase.RECIPIENTS: b"", Phase.CHUNKS: b"BDAT 2\r\nhi", Phase.FAILED: REFUSED}
NOW = {"BDAT LAST": b"BDAT 2 LAST\r\nhi", "BDAT refused": REFUSED}


def test_bdat_leads_where_the_dialogs_diagram_says(generate: Any) -> None:
    for start, row in generate.CHUNKING.items():
        for event, target in row.items():
            dialog = Dialog(Rules(max_message_size=10), Session(None))
            dialog.receive(BEGUN + BEFORE[start])
            assert dialog.phase is start
            dialog.receive(NOW[event])
            if dialog.next_event() is Event.DELIVER:
                dialog.answer(replies.ACCEPTED)
            assert dialog.phase is target, (start, event)
