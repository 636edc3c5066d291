"""What a start does not load: the commands of people and scripts answer at once, an idle host stays small.

Nothing is timed here; benchmarks/startup.py measures the effect.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.container.host import RRPY, hosting

SERVING = {"aiosmtpd", "anyio", "asyncio", "loguru", "uvloop", "ssl"}
WEB = {"prometheus_client", "sqlite3", "starlette", "uvicorn"}
LOOKING = {"psutil", "rich"}

MODULES = """\
import sys


import anyio


class Methods:
    def loaded(self) -> list[str]:
        return sorted(sys.modules)


class Modules:
    name = "modules"

    def init(self) -> None:
        self.ended = anyio.Event()

    def rpc(self) -> Methods:
        return Methods()

    async def serve(self, *, task_status) -> None:
        task_status.started()
        await self.ended.wait()

    async def stop(self) -> None:
        self.ended.set()
"""


def imported(arguments: Sequence[str], folder: Path) -> set[str]:
    """Return the top-level modules that a command imports."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [RRPY[0], "-X", "importtime", *RRPY[1:], *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["rpc", "--help"], ["config", "check", "--help"]])
def test_help_loads_neither_what_serves_nor_what_reads_a_configuration(arguments: list[str], tmp_path: Path) -> None:
    found = imported(arguments, tmp_path)
    assert "click" in found
    assert not found & (SERVING | WEB | LOOKING | {"msgspec", "yaml", "dotenv", "msgpack", "jsonschema"})


def test_a_call_loads_neither_what_serves_nor_what_draws(tmp_path: Path) -> None:
    with hosting(tmp_path):
        found = imported(["rpc", "rpc.Version"], tmp_path)
        assert {"yaml", "msgspec"} <= found, "the file says where the host is"
        assert not found & (SERVING | WEB | LOOKING | {"dotenv", "msgpack"})
        straight = imported(["rpc", "rpc.Version", "--address", f"unix://{tmp_path}/rpc.sock"], tmp_path)
        assert not straight & (SERVING | WEB | LOOKING | {"yaml", "msgspec"})


def test_a_host_has_not_loaded_what_its_sections_do_not_ask_for(tmp_path: Path) -> None:
    (tmp_path / "modules.py").write_text(MODULES)
    with hosting(tmp_path, plugins=["modules:Modules"]) as host:
        loaded = set(json.loads(host.rrpy("rpc", "modules.Loaded").stdout))
        assert "rrpy.smtp_plugin.plugin" in loaded
        found = {name.partition(".")[0] for name in loaded}
        if "coverage" in found:  # which keeps what it finds with SQLite
            found -= {"sqlite3"}
        assert not found & (WEB | {"rich", "jsonschema", "dotenv"})
        assert not loaded & {"rrpy.commands.schema", "rrpy.commands.check"}
