"""How each block of the documentation is run: by its kind, or by the way that a comment above it names.

A page is run from its top to its end in a folder of its own: a block that shows a file writes it, the next ones find it
there. `<!-- test: way -->` above a block names a set-up that its kind alone does not tell; WAYS has them all. A block
that is neither of a kind in KINDS nor has a way is run by nobody, and fails its page.

Why not Sybil, or another of its like: each makes a test of every block, and passes over the blocks that it has no
parser for. Here the blocks of a page share a host, a prompt and files, which one test has and several processes of
pytest-xdist cannot share; and a block that nobody runs is the very thing to be found.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from support.host import PATIENCE, Telnet
from support.pages import ROOT, Block, blocks, file_of, page
from support.programs import needs
from support.transcript import Transcript
from support.ways_clients import deliver
from support.worker_host import WorkerHost, last

Way = Callable[[Transcript, Block], None]

LOAD = """\
import sys
from pathlib import Path
from rrpy import Config, Container, default_plugins, load_plugins
config = Config.load(sys.argv[1])
Container(load_plugins(config.plugins, Path.cwd()), config, optional=default_plugins())._initialize()
"""
"""What `rrpy serve` does before it serves: every plugin reads its section."""

AUTOLOAD = f"<?php\nrequire '{ROOT}/tests/support/php/autoload.php';\n"


def run_pages(paths: Sequence[Path], folder: Path) -> None:
    """Run every block of these pages, one page after the other, in a folder that has what their reader begins with."""
    if paths[0].parent.parent.name == "examples":
        shutil.copytree(paths[0].parent, folder, dirs_exist_ok=True)
    else:
        shutil.copy(ROOT / "rr.yaml", folder)
    with Transcript(folder) as transcript:
        for path in paths:
            for block in blocks(path.read_text(encoding="utf-8")):
                try:
                    way_of(block)(transcript, block)
                except BaseException as error:
                    error.add_note(f"in the block at {os.path.relpath(path, ROOT)}:{block.line}")
                    raise
        transcript.stop()


def way_of(block: Block) -> Way:
    named = block.way.removeprefix("test: ") if block.way.startswith("test: ") else ""
    known = WAYS if named else KINDS
    way = known.get(named or block.kind)
    assert way is not None, f"nobody runs a block of the kind {block.kind!r} in the way {named!r}; see {__name__}"
    return way


def write(run: Transcript, block: Block) -> str:
    """Write the file that a block shows, and return its name; empty when it shows none."""
    file = file_of(block)
    if file is None:
        return ""
    text = file[1] if block.kind == "yaml" else run.real(file[1])
    (run.folder / file[0]).write_text(text)
    return file[0]


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


def load_yaml(run: Transcript, block: Block) -> None:
    """Load a configuration as a host does it, with what a part of one leaves out; anything else as what it is."""
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
        (run.folder / ".load.py").write_text(LOAD)
        run.shell(f"PYTHONPATH=. python .load.py {name}")


def shell(run: Transcript, block: Block) -> None:
    """Type the lines of a script. `rrpy serve` starts a host, which goes on."""
    script: list[str] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("rrpy serve"):
            run.shell("\n".join(script))
            run.start(*shlex.split(line)[2:])
            script = []
        else:
            script.append(line)
    run.shell("\n".join(script))


def shown(run: Transcript, block: Block) -> None:
    """Text is what a person sees somewhere: nothing can run it."""


def mermaid(run: Transcript, block: Block) -> None:
    """A diagram is generated, and compared with its tables by tests/unit/test_docs.py."""
    assert block.way.startswith("generated: "), "a diagram comes from docs/diagrams.py"


def load_json(run: Transcript, block: Block) -> None:
    json.loads(block.text)


def load_toml(run: Transcript, block: Block) -> None:
    tomllib.loads(block.text)


def file(run: Transcript, block: Block) -> None:
    """Write the block's file, which is not rrpy's; commands of the page say what it is."""
    assert write(run, block)


def host(run: Transcript, block: Block) -> None:
    """Run the block, and then the host of the repository's own rr.yaml."""
    KINDS[block.kind](run, block)
    run.start()


def install(run: Transcript, block: Block) -> None:
    """Install a clone, as a stranger does it: in a virtual environment of its own."""
    clone = run.folder / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    script = block.text.replace("pip install", "pip install -q --disable-pip-version-check")
    assert run.shell(f"cd clone\n{script}\nrrpy --version").rpartition("rrpy ")[2], "rrpy is on the PATH"
    shutil.rmtree(clone)


def checks(run: Transcript, block: Block) -> None:
    """The command that passes the tests is what `.ci/run` does, where it runs all of them."""
    *_, prepared, tests = block.text.strip().split(" && ")
    script = page(".ci/run")
    assert f"\n{tests.removeprefix('.venv/bin/')}\n" in script
    assert f"\n{prepared.removeprefix('.venv/bin/')}\n" in script


def embedding(run: Transcript, block: Block) -> None:
    """A program that is a host runs until a signal, and ends with 0."""
    config = run.folder / "rr.yaml"
    config.write_text(config.read_text().replace("127.0.0.1:6001", "127.0.0.1:0"))
    command = [sys.executable, write(run, block)]
    with subprocess.Popen(command, cwd=run.folder, stderr=subprocess.PIPE, text=True) as program:
        guard = threading.Timer(PATIENCE, program.kill)
        guard.start()
        try:
            assert program.stderr is not None
            assert any("host is ready" in line for line in program.stderr), "it never got ready"
            program.send_signal(signal.SIGTERM)
            rest = program.stderr.read()
            assert program.wait() == 0, rest
        finally:
            program.kill()
            guard.cancel()
            guard.join()


def controller(run: Transcript, block: Block) -> None:
    """A program that starts an aiosmtpd controller takes a mail, refuses a recipient, and stops."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = block.text.replace("port=8025", f"port={port}")
    program += """
from smtplib import SMTP as Client
with Client(controller.hostname, controller.port) as client:
    client.ehlo()
    assert client.mail("a@example.com")[0] == 250
    assert client.rcpt("b@example.org")[0] == 550
    assert client.rcpt("c@example.com")[0] == 250
    assert client.data("Subject: Hello")[0] == 250
controller.stop()
"""
    (run.folder / "program.py").write_text(program)
    assert "['c@example.com']" in run.shell("python program.py")


def benchmark(run: Transcript, block: Block) -> None:
    """A benchmark runs with a small part of its work."""
    (line,) = re.findall(r"^\$ \.venv/bin/python (benchmarks/\w+\.py) --rounds \d+$", block.text, re.MULTILINE)
    assert "rrpy" in run.shell(f"python {ROOT / line} --rounds 1 --quick --only a --servers stock,rrpy")


def composer(run: Transcript, block: Block) -> None:
    """Composer's packages are in no registry of the checks: a stand-in has the names."""
    (run.folder / "vendor").mkdir()
    (run.folder / "vendor/autoload.php").write_text(AUTOLOAD)


def php_worker(run: Transcript, block: Block) -> None:
    """A worker written for RoadRunner's PHP package, for which a stand-in has the names, answers the host."""
    needs("php")
    name = write(run, block)
    composer(run, block)
    worker = WorkerHost(["php", name], cwd=run.folder)
    try:
        worker.shake_hands()
        assert worker.ask(b'{"name": "x"}') == last(b"CONTINUE")
        worker.stop()
        assert worker.wait() == 0
    finally:
        worker.close()


def php_client(run: Transcript, block: Block) -> None:
    """RoadRunner's PHP client, for which a stand-in has the names, closes a connection."""
    needs("php")
    assert run.host is not None
    host, _, port = run.known["127.0.0.1:1025"].rpartition(":")
    with Telnet((host, int(port))) as client:
        client.line()
        (connection,) = json.loads(run.rrpy("rpc", "smtp.ListConnections"))
        program = f"{AUTOLOAD}$uuid = '{connection['uuid']}';\n{run.real(block.text)}"
        (run.folder / "program.php").write_text(program)
        run.shell("php program.php")
        assert client.line().startswith("421 ")


KINDS: dict[str, Way] = {
    "console": Transcript.console,
    "json": load_json,
    "log": Transcript.log,
    "mermaid": mermaid,
    "php": php,
    "pycon": Transcript.prompt,
    "python": python,
    "sh": shell,
    "text": shown,
    "toml": load_toml,
    "yaml": load_yaml,
}
WAYS: dict[str, Way] = {
    "benchmark": benchmark,
    "checks": checks,
    "client": deliver,
    "composer": composer,
    "controller": controller,
    "embedding": embedding,
    "file": file,
    "host": host,
    "install": install,
    "php client": php_client,
    "php worker": php_worker,
}
