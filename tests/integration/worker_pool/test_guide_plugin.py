"""The plugin of the guide, which only calls `new_pool(name="orders")`, in a real host."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from support.container.host import hosting, run, write
from support.docs.pages import page, write_files
from support.ops.host import SECTIONS, number, probe, scrape


def test_a_pool_shows_itself_in_workers_reset_metrics_and_readiness(tmp_path: Path) -> None:
    write_files(page("docs/guide/4-plugin.md"), tmp_path)
    orders = {"pool": {"num_workers": 2, "command": f"{sys.executable} -m rrpy.worker greet:handle"}}
    with hosting(tmp_path, plugins=["orders:Orders"], orders=orders, **SECTIONS) as host:
        shown = json.loads(host.rrpy("workers", "orders", "--json").stdout)
        before = {worker["pid"] for worker in shown["orders"]}
        assert len(before) == 2
        figures = {"workers": 2, "waiting": 0, "running": 0, "served": 0, "no_free_workers": 0}
        assert json.loads(host.rrpy("rpc", "informer.Pool", "orders").stdout) == figures
        assert number(scrape(host), "rr_orders_workers_ready") == 2
        assert probe(host, "/ready").json() == [
            {"plugin_name": "orders", "error_message": "", "status_code": 200},
            {"plugin_name": "smtp", "error_message": "", "status_code": 200},
        ]
        assert json.loads(host.rrpy("rpc", "status.Ready", "orders").stdout) == {"code": 200, "message": ""}
        reset = host.rrpy("reset", "orders")
        assert re.fullmatch(r"orders: 2 workers replaced in \d+\.\d s\n", reset.stdout), reset.stderr
        after = {worker["pid"] for worker in json.loads(host.rrpy("workers", "orders", "--json").stdout)["orders"]}
        assert not before & after


def test_two_plugins_cannot_name_their_pools_alike(tmp_path: Path) -> None:
    (tmp_path / "twin.py").write_text(
        "import anyio\n"
        "from rrpy import PoolConfig, PoolFactory\n"
        "class Twin:\n"
        "    name = 'twin'\n"
        "    def init(self, server: PoolFactory) -> None:\n"
        "        self.pool = server.new_pool(PoolConfig(num_workers=1), {}, name='smtp')\n"
        "    async def serve(self, *, task_status): ...\n"
        "    async def stop(self): ...\n"
    )
    write(tmp_path, plugins=["twin:Twin"])
    done = run("serve", cwd=tmp_path)
    text = "there is a worker pool called smtp already; each pool needs a name of its own"
    assert (done.returncode, text in done.stderr) == (1, True), done.stderr
