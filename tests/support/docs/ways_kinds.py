"""Run a block by its kind, the word after its fence; check a block that cannot run here."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import yaml
from support.container.programs import needs
from support.docs.pages import ROOT, Block, file_of
from support.docs.transcript import Transcript
from support.inbox.proxy import written

from rrpy.cli import main

Way = Callable[[Transcript, Block], None]

ELSEWHERE = {"docker", "kubectl", "mkcert", "systemctl"}
"""Programs that need a system of their own, or change it: an engine, a cluster, an authority, an init."""
INSTRUCTION = re.compile(
    r"(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|RUN|STOPSIGNAL|USER|VOLUME|WORKDIR) |#|$"
)


def write(run: Transcript, block: Block) -> str:
    """Write the file that a block shows, and return its name; empty when it shows none."""
    name = file_of(block)
    if name:
        (run.folder / name).write_text(block.text if block.kind == "yaml" else run.real(block.text))
    return name


def python(run: Transcript, block: Block) -> None:
    """Write a module and import it, run a file of tests, or run a program that has no name."""
    name = write(run, block)
    if name.startswith("test_"):
        run.shell(f"python -m pytest -q -p no:cacheprovider -W error {name}")
    elif name:
        run.shell(f"python -c 'import {Path(name).stem}'", RR_MODE="smtp")  # a worker's module asks for it
    else:
        (run.folder / "program.py").write_text(run.real(block.text))
        run.shell("python program.py")


def php(run: Transcript, block: Block) -> None:
    """Write a file and let PHP check it; commands of the page run it."""
    needs("php")
    name = write(run, block)
    assert name, "a PHP program says in its first comment what it is called"
    run.shell(f"php -l {name}")


def look_at_yaml(run: Transcript, block: Block) -> None:
    """Check a configuration, a part of one after completing it; check other YAML by its kind."""
    name = write(run, block)
    documents = list(yaml.safe_load_all(block.text))
    if "services" in documents[0]:
        assert all("image" in each or "build" in each for each in documents[0]["services"].values())
    elif "apiVersion" in documents[0]:
        assert all(each["kind"] and each["metadata"]["name"] for each in documents)
    elif "scrape_configs" in documents[0]:
        assert all(each["job_name"] and each["static_configs"] for each in documents[0]["scrape_configs"])
    else:
        (tree,) = documents
        if "version" not in tree:
            tree = {"version": "3", "server": {}, **tree}
            (run.folder / "part.yaml").write_text(yaml.safe_dump(tree))
            name = "part.yaml"
        elif not name:
            (run.folder / "whole.yaml").write_text(block.text)
            name = "whole.yaml"
        run.shell(f"rrpy config check -c {name}")


def shell(run: Transcript, block: Block) -> None:
    """Run the lines of a script. `rrpy serve` starts a host, which keeps running."""
    script: list[str] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("rrpy serve"):
            run.shell("\n".join(script))
            run.start(*shlex.split(line)[2:])
            script = []
        else:
            script.append(line)
    run.shell("\n".join(script))


def location(run: Transcript, block: Block) -> None:
    """Let nginx check locations of a server."""
    needs("nginx")
    file = written(run.folder, f"server {{ {block.text} }}")
    run.shell(f"nginx -t -p . -c {file}")


def shown(run: Transcript, block: Block) -> None:
    """Check that a text, which cannot run, does not contain a command."""
    commands = [line for line in block.text.splitlines() if shutil.which(line.removeprefix("$ ").partition(" ")[0])]
    assert not commands, f"not text, but to be run: {commands}"


def mermaid(run: Transcript, block: Block) -> None:
    """Check that a diagram is generated; tests/unit/docs/test_docs.py compares it with its table."""
    assert block.way.startswith("generated: "), "a diagram comes from docs/generate.py"


def load_json(run: Transcript, block: Block) -> None:
    json.loads(block.text)


def load_toml(run: Transcript, block: Block) -> None:
    tomllib.loads(block.text)


def ini(run: Transcript, block: Block) -> None:
    """Check a unit of systemd. Other files of this kind name a way."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), allow_no_value=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(block.text)
    assert {"Unit", "Service", "Socket", "Install"} >= set(parser.sections()) != set()


def dockerfile(run: Transcript, block: Block) -> None:
    """Check that every line begins with an instruction."""
    lines = block.text.replace("\\\n", " ").splitlines()
    assert [line for line in lines if not INSTRUCTION.match(line)] == []


def elsewhere(run: Transcript, block: Block) -> None:
    """Check that a block for another system is bash, names existing files, and calls rrpy correctly."""
    words = shlex.split(block.text.replace("&&", "\n"), comments=True)
    assert ELSEWHERE & set(words), f"this can be run here: {block.text}"
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    for name in words:
        if re.fullmatch(r"[\w.-]+\.(?:yaml|service|socket|conf)", name):
            assert (run.folder / name).is_file() or (ROOT / name).is_file(), name
    for line in re.findall(r"\brrpy (\w+ -.*|(?:workers|reset|rpc|stop|tail)\b.*)$", block.text, re.MULTILINE):
        name, *arguments = shlex.split(line)
        command = main.commands[name]
        command.make_parser(click.Context(command)).parse_args(arguments)


KINDS: dict[str, Way] = {
    "console": Transcript.console,
    "dockerfile": dockerfile,
    "ini": ini,
    "json": load_json,
    "log": Transcript.log,
    "mermaid": mermaid,
    "nginx": location,
    "php": php,
    "pycon": Transcript.prompt,
    "python": python,
    "sh": shell,
    "text": shown,
    "toml": load_toml,
    "yaml": look_at_yaml,
}
