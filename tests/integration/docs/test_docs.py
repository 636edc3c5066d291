"""The documentation is true: what it lists is what a host has. Its blocks are run by test_every_block.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from support.container.host import hosting
from support.docs.pages import blocks, page, section, table, write_files
from support.smtp_plugin.client import BlockingClient

from rrpy import Config, Container, default_plugins


def test_the_rpc_pages_client_lists_connections(tmp_path: Path) -> None:
    (program,) = [block.text for block in blocks(page("docs/reference/rpc.md"), "python") if "Client(" in block.text]
    with hosting(tmp_path) as host:
        program = program.replace("tcp://127.0.0.1:6001", f"unix://{tmp_path}/rpc.sock")
        with BlockingClient(host.smtp) as client:
            client.line()
            said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            port = client.socket.getsockname()[1]
            assert said.stdout.endswith(f" 127.0.0.1:{port}\n")


def test_the_plugin_with_a_pool_asks_a_worker(tmp_path: Path) -> None:
    write_files(page("docs/how-to/plugins.md"), tmp_path)
    with hosting(tmp_path, plugins=["asker:Asker"], asker={}, smtp=None) as host:
        asked = host.rrpy("rpc", "asker.Ask", "why")
        assert (asked.stdout, asked.stderr) == ('"CONTINUE"\n', "")


def test_the_embedding_program_ends_with_one_sentence(tmp_path: Path) -> None:
    write_files(page("docs/how-to/plugins.md"), tmp_path)
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
        "inbox": {"address": f"unix://{tmp_path}/inbox.sock"},
        "status": {"address": f"unix://{tmp_path}/status.sock"},
        "metrics": {"address": f"unix://{tmp_path}/metrics.sock"},
        "jobs": {},
    }
    plugins = default_plugins()
    (rpc,) = [plugin for plugin in plugins if plugin.name == "rpc"]
    container = Container([], Config.from_dict(sections), optional=plugins)
    async with anyio.create_task_group() as group:
        await group.start(lambda *, task_status: container.serve(task_status=task_status))
        served = [method.name for method in rpc.registry.describe()]
        container.stop()
    documented = [name.strip("`") for name in table(section(page("docs/reference/rpc.md"), "Methods"))]
    assert sorted(documented) == served
