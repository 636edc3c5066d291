"""The documentation is true: its transcripts run, its programs run, what it lists is what a host has."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest
from support.host import PATIENCE, Telnet, hosting
from support.pages import ROOT, Transcript, blocks, page, section, table, write_files

from rrpy import Config, Container, default_plugins


@pytest.mark.parametrize("name", ["README.md", "docs/quickstart.md", "docs/plugins.md"])
def test_a_page_prints_what_is_really_printed(tmp_path: Path, name: str) -> None:
    text = page(name)
    shutil.copy(ROOT / "rr.yaml", tmp_path)
    write_files(text, tmp_path)
    with Transcript(text, tmp_path) as transcript:
        transcript.run()


def test_the_commands_and_the_client_of_the_rpc_page_work(tmp_path: Path) -> None:
    text = page("docs/rpc.md")
    shutil.copy(ROOT / "rr.yaml", tmp_path)
    with Transcript(text, tmp_path) as transcript:
        transcript.start()
        transcript.run()


def test_the_rpc_pages_client_lists_connections(tmp_path: Path) -> None:
    (program,) = [block.text for block in blocks(page("docs/rpc.md"), "python") if "Client(" in block.text]
    with hosting(tmp_path) as host:
        program = program.replace("tcp://127.0.0.1:6001", f"unix://{tmp_path}/rpc.sock")
        with Telnet(host.smtp) as client:
            client.line()
            said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            port = client.socket.getsockname()[1]
            assert said.stdout.endswith(f" 127.0.0.1:{port}\n")


def test_the_plugin_with_a_pool_asks_a_worker(tmp_path: Path) -> None:
    write_files(page("docs/plugins.md"), tmp_path)
    with hosting(tmp_path, plugins=["asker:Asker"], asker={}, smtp=None) as host:
        asked = host.rrpy("rpc", "asker.Ask", "why")
        assert (asked.stdout, asked.stderr) == ('"CONTINUE"\n', "")


def test_the_embedding_program_runs_a_host_until_a_signal(tmp_path: Path) -> None:
    write_files(page("docs/plugins.md"), tmp_path)
    config = tmp_path / "rr.yaml"
    config.write_text(config.read_text().replace("127.0.0.1:6001", "127.0.0.1:0"))
    with subprocess.Popen([sys.executable, "main.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as program:
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


def test_the_embedding_program_ends_with_one_sentence(tmp_path: Path) -> None:
    write_files(page("docs/plugins.md"), tmp_path)
    (tmp_path / "rr.yaml").write_text("version: '3'\ngreeter:\n  greetings: Hi\n")
    ended = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith("greeter.greetings is not a known key in rr.yaml")
    assert ended.returncode == 2


@pytest.mark.anyio
async def test_every_rpc_method_of_a_host_is_documented_and_no_other(tmp_path: Path) -> None:
    sections = {
        "rpc": {"listen": f"unix://{tmp_path}/rpc.sock"},
        "server": {},
        "smtp": {"addr": f"unix://{tmp_path}/smtp.sock", "pool": {"num_workers": 1}},
    }
    plugins = default_plugins()
    (rpc,) = [plugin for plugin in plugins if plugin.name == "rpc"]
    container = Container([], Config.from_dict(sections), optional=plugins)
    async with anyio.create_task_group() as group:
        await group.start(lambda *, task_status: container.serve(task_status=task_status))
        served = [method.name for method in rpc.registry.describe()]
        container.stop()
    documented = [name.strip("`") for name in table(section(page("docs/rpc.md"), "Methods"))]
    assert sorted(documented) == served
