"""Run a block with the set-up that a comment above it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack

from support.container.programs import needs
from support.docs.pages import ROOT, Block, page
from support.docs.transcript import ConsoleHost, Transcript
from support.docs.ways_clients import deliver, settings
from support.docs.ways_kinds import KINDS, Way, write
from support.jobs.nats_server import nats_server
from support.smtp_plugin.client import BlockingClient
from support.waiting import TIMEOUT, eventually
from support.worker.host import WorkerHost, last

DOWNLOAD = 200.0
"""Seconds for the download of all packages."""
AUTOLOAD = f"<?php\nrequire '{ROOT}/tests/support/worker/php/autoload.php';\n"


def file(run: Transcript, block: Block) -> None:
    """Write the block's file, which is not for rrpy."""
    assert write(run, block)


def javascript(run: Transcript, block: Block) -> None:
    """Write the block's file, and let Node.js check its syntax: the tool that runs it is a download of its own."""
    needs("node")
    name = write(run, block)
    run.shell(f"node --check {name}")


def host(run: Transcript, block: Block) -> None:
    """Run the block, and then the host of the repository's own rr.yaml."""
    KINDS[block.kind](run, block)
    run.start()


def install(run: Transcript, block: Block) -> None:
    """Install a clone in a virtual environment of its own, as a new user does."""
    clone = run.folder / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    script = block.text.replace("pip install", "pip install -q --disable-pip-version-check")
    home = os.environ.get("HOME", "")  # where pip keeps what it has downloaded
    said = run.shell(f"cd clone\n{script}\nrrpy --version", timeout=DOWNLOAD, HOME=home)
    assert said.rpartition("rrpy ")[2], "rrpy is on the PATH"
    shutil.rmtree(clone)


def checks(run: Transcript, block: Block) -> None:
    """Every command is one of `.ci/run`, which runs all of them."""
    script = [line.strip() for line in page(".ci/run").splitlines()]
    for command in re.split(r" && |\n", block.text.strip()):
        assert command.removeprefix(".venv/bin/") in script, command


def program(run: Transcript, block: Block) -> None:
    """Run a block whose program pip cannot install: the first word, or the one that `rrpy catch --` runs."""
    needs(block.text.rpartition(" -- ")[2].split()[0])
    run.shell(block.text)


def checkout(run: Transcript, block: Block) -> None:
    """Run the block in the root of the repository."""
    run.shell(f"cd {ROOT}\n{block.text}")


def embedding(run: Transcript, block: Block) -> None:
    """Run a program that is a host until a signal; it ends with 0."""
    config = run.folder / "rr.yaml"
    config.write_text(config.read_text().replace("127.0.0.1:6001", "127.0.0.1:0"))
    command = [sys.executable, write(run, block)]
    with subprocess.Popen(command, cwd=run.folder, stderr=subprocess.PIPE, text=True) as program:
        guard = threading.Timer(TIMEOUT, program.kill)
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
    """Run a program with a controller; its `input` is a client that sends a mail with a refused recipient."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert block.text.count("port=1025") == 1
    client = f"""
from smtplib import SMTP as Client


def input(prompt):
    with Client("127.0.0.1", {port}) as client:
        client.ehlo()
        assert client.mail("a@example.com")[0] == 250
        assert client.rcpt("b@example.org")[0] == 550
        assert client.rcpt("c@example.com")[0] == 250
        assert client.data("Subject: Hello")[0] == 250


"""
    (run.folder / "program.py").write_text(client + block.text.replace("port=1025", f"port={port}"))
    assert "['c@example.com']" in run.shell("python program.py")


def benchmark(run: Transcript, block: Block) -> None:
    """Run a benchmark with a small part of its work."""
    (line,) = re.findall(r"^\$ \.venv/bin/python (benchmarks/\w+\.py) --rounds \d+$", block.text, re.MULTILINE)
    assert "rrpy" in run.shell(f"python {ROOT / line} --rounds 1 --quick --only a --servers stock,rrpy")


def composer(run: Transcript, block: Block) -> None:
    """Replace Composer's packages, which tests cannot download, with a stand-in of the same names."""
    (run.folder / "vendor").mkdir()
    (run.folder / "vendor/autoload.php").write_text(AUTOLOAD)


def php_worker(run: Transcript, block: Block) -> None:
    """Run a worker for RoadRunner's PHP package, with a stand-in for the package; it answers the host."""
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
    """Close a connection with RoadRunner's PHP client, with a stand-in for the package."""
    needs("php")
    assert run.host is not None
    host, _, port = run.known["127.0.0.1:1025"].rpartition(":")
    with BlockingClient((host, int(port))) as client:
        client.line()
        (connection,) = json.loads(run.rrpy("rpc", "smtp.ListConnections"))
        program = f"{AUTOLOAD}$uuid = '{connection['uuid']}';\n{run.real(block.text)}"
        (run.folder / "program.php").write_text(program)
        run.shell("php program.php")
        assert client.line().startswith("421 ")


def two_hosts(run: Transcript, block: Block) -> None:
    """Run a server of NATS and two hosts on free ports, and the other commands against them."""
    program, *starts = [line for line in block.text.splitlines() if line.endswith(" &")]
    assert program == "nats-server --jetstream --store_dir nats --addr 127.0.0.1 &"
    with ExitStack() as running:
        server = running.enter_context(nats_server(run.folder / "nats"))
        run.known["127.0.0.1:4222"] = f"127.0.0.1:{server.port}"
        run.free_port("127.0.0.1:2525")
        for start in starts:
            *_, name = start.removesuffix(" &").split()
            (run.folder / name).write_text(run.real((run.folder / name).read_text()))
            host = ConsoleHost(run.folder, ["-c", name], run.environ())
            running.callback(host.close)
            host.ready()
            running.callback(lambda host=host: host.stop(signal.SIGINT))
        run.shell("\n".join(line for line in block.text.splitlines() if not line.endswith(" &") and line != "sleep 5"))
        figures = f"rrpy rpc -c {name} jobs.Stat"
        eventually(lambda: re.search('"active": ?0,.*"reserved": ?0,', run.shell(figures)), "the mail is done")


WAYS: dict[str, Way] = {
    "benchmark": benchmark,
    "checkout": checkout,
    "checks": checks,
    "client": deliver,
    "composer": composer,
    "controller": controller,
    "embedding": embedding,
    "file": file,
    "host": host,
    "install": install,
    "javascript": javascript,
    "php client": php_client,
    "php worker": php_worker,
    "program": program,
    "settings": settings,
    "two hosts": two_hosts,
}
