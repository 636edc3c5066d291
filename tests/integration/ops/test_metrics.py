"""What Prometheus gets of a real host."""

from __future__ import annotations

import json
import re
import signal
import smtplib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgpack
import prometheus_client
import pytest
from support.container.host import hosting, run, write
from support.docs.pages import page, section, table
from support.ops.host import OPENMETRICS, SECTIONS, number, scrape, url
from support.rpc.php_client import CODEC_JSON, CODEC_MSGPACK, RPC
from support.smtp_plugin.client import BlockingClient
from support.waiting import TIMEOUT, eventually
from support.worker.delivery import SUPPORT

import rrpy
from rrpy import Config, Container, HostError
from rrpy.ops.metrics import MetricsPlugin

METRICS = {"metrics": SECTIONS["metrics"]}
COLLECT = {
    "orders_total": {"type": "counter", "help": "Orders.", "labels": ["land"]},
    "depth": {"type": "gauge"},
    "took": {"type": "histogram", "buckets": [0.1, 1]},
}


def deliver(address: tuple[str, int], *recipients: str) -> None:
    with smtplib.SMTP(*address) as client:
        client.login("someone", "secret")
        for recipient in recipients:
            try:
                client.sendmail("a@b.c", [recipient], b"Subject: x\r\n\r\nbody\r\n")
            except smtplib.SMTPResponseException:
                client.rset()


def test_mail_that_workers_decide_about_is_counted(tmp_path: Path) -> None:
    server = {
        "command": "python -m rrpy.worker mail_handlers:decide",
        "env": {"PYTHONPATH": SUPPORT, "SEEN": str(tmp_path)},
    }
    with hosting(tmp_path, server=server, smtp={"deliver": "workers"}, **METRICS) as host:
        deliver(host.smtp, "x@y.z", "code+550@y.z", "code+451@y.z", "x@y.z", "code+550@y.z")
        eventually(lambda: number(scrape(host), "rr_smtp_session_duration_seconds_count") == 1, "the session ended")
        with BlockingClient(host.smtp) as client:
            client.line()
            assert client.say("NOPE").startswith("500 ")
            found = scrape(host)
    for result, count in (("accepted", 2), ("rejected", 2), ("deferred", 1)):
        assert number(found, "rr_smtp_messages_total", result=result) == count
    for code, count in ((550, 2), (451, 1), (500, 1)):
        assert number(found, "rr_smtp_refusals_total", code=str(code)) == count
    assert number(found, "rr_smtp_message_bytes_total") == 5 * len(b"Subject: x\r\n\r\nbody\r\n")
    assert number(found, "rr_smtp_connections_total") == 2
    assert number(found, "rr_smtp_connections_open") == 1
    assert number(found, "rr_smtp_delivery_duration_seconds_count") == 5
    assert number(found, "rr_smtp_requests_total") == 5
    assert sum(sample.value for sample in found["rr_smtp_auth_captures"].samples) == 1
    assert number(found, "rr_smtp_total_workers") == 1
    assert number(found, "rr_smtp_workers_ready") == 1
    assert number(found, "rr_smtp_workers_memory_bytes") > 1_000_000


def test_mail_that_is_logged_and_mail_that_is_too_big_is_counted(tmp_path: Path) -> None:
    with hosting(tmp_path, smtp={"max_message_size": 1000}, **METRICS) as host:
        deliver(host.smtp, "x@y.z")
        with BlockingClient(host.smtp) as client:
            client.begin()
            client.send("x" * 900 + "\r\n" + "x" * 900 + "\r\n.")
            assert client.line().startswith("552 ")
        found = scrape(host)
    assert number(found, "rr_smtp_messages_total", result="accepted") == 1
    assert number(found, "rr_smtp_messages_total", result="rejected") == 1
    assert number(found, "rr_smtp_refusals_total", code="552") == 1


def test_the_page_names_every_metric_that_a_host_has_with_its_type_and_its_labels(tmp_path: Path) -> None:
    rows = table(section(page("docs/how-to/operations.md"), "Metrics"))
    documented = {row[0].strip("`"): (row[1], set(re.findall(r"`(\w+)`", row[2]))) for row in rows.values()}
    jobs = {"pipelines": {"mail": {}}}
    with hosting(tmp_path, jobs=jobs, **METRICS) as host, BlockingClient(host.smtp) as client:
        client.line()
        client.say("EHLO x")
        client.say("AUTH PLAIN AHUAcA==")
        client.say("NOPE")
        found = scrape(host)
    shown: dict[str, tuple[str, set[str]]] = {}
    for family in found.values():
        if family.name.startswith("rr_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            shown[name] = (family.type, {label for sample in family.samples for label in sample.labels} - {"le"})
    assert shown == documented
    assert all(row[3] for row in rows.values()), "each has a meaning"
    assert all(family.documentation for family in found.values())
    assert {"process_resident_memory_bytes", "python_info"} <= set(found)


def test_prometheus_gets_the_format_that_it_asks_for_compressed(tmp_path: Path) -> None:
    with hosting(tmp_path, **METRICS) as host:
        address = url(host, "metrics") + "/metrics"
        assert number(scrape(host, OPENMETRICS), "rr_build_info", version=rrpy.__version__) == 1
        for accept in ("", OPENMETRICS):
            answer = httpx.get(address, headers={"accept": accept, "accept-encoding": "gzip"})
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.headers["content-type"].startswith(accept.partition(";")[0] or "text/plain")
        bare = httpx.get(address, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in bare.headers
        one = httpx.get(address, params={"name[]": "rr_uptime_seconds"})
        assert {line.split()[2] for line in one.text.splitlines() if line.startswith("# TYPE")} == {"rr_uptime_seconds"}
        assert httpx.head(address).content == b""
        assert httpx.post(address).status_code == 405
        assert httpx.get(address.removesuffix("/metrics")).status_code == 404


def test_the_numbers_can_be_had_until_the_last_message_is_in(tmp_path: Path) -> None:
    with hosting(tmp_path, **METRICS) as host, BlockingClient(host.smtp) as client:
        client.begin()
        host.process.send_signal(signal.SIGTERM)
        host.wait_for("host is stopping")
        assert number(scrape(host), "rr_smtp_connections_open") == 1
        client.send("Subject: x\r\n\r\nlast\r\n.")
        assert client.line().startswith("250 ")
        assert host.wait() == 0


def test_status_and_metrics_on_one_address_are_one_server(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/ops.sock"
    with hosting(tmp_path, status={"address": address}, metrics={"address": address}) as host:
        assert len(host.named("HTTP server listens")) == 1
        with httpx.Client(transport=httpx.HTTPTransport(uds=f"{tmp_path}/ops.sock"), base_url="http://ops") as client:
            assert client.get("/ready").json()[0]["status_code"] == 200
            assert "rr_uptime_seconds" in client.get("/metrics").text
    assert not (tmp_path / "ops.sock").exists()


def test_two_free_ports_are_two_servers(tmp_path: Path) -> None:
    with hosting(tmp_path, **SECTIONS) as host:
        assert url(host, "status") != url(host, "metrics")


def test_metrics_of_the_configuration_are_counted_over_rpc(tmp_path: Path) -> None:
    with hosting(tmp_path, metrics={**SECTIONS["metrics"], "collect": COLLECT}) as host:
        for method, value in (
            ("Add", {"name": "orders_total", "value": 2, "labels": ["NL"]}),
            ("Set", {"name": "depth", "value": 7}),
            ("Sub", {"name": "depth", "value": 3}),
            ("Observe", {"name": "took", "value": 0.5}),
        ):
            assert host.rrpy("rpc", f"metrics.{method}", json.dumps(value)).stdout == "true\n"
        wrong = host.rrpy("rpc", "metrics.Set", '{"name": "orders_total", "value": 1, "labels": ["NL"]}')
        assert (wrong.returncode, wrong.stderr) == (
            1,
            "rrpy: orders_total is a counter; only a gauge can be set\n",
        )
        found = scrape(host)
    assert number(found, "orders_total", land="NL") == 2
    assert number(found, "depth") == 4
    assert number(found, "took_bucket", le="1.0") == 1


@pytest.mark.parametrize(
    ("collect", "said"),
    [
        (
            {"a-b": {"type": "gauge"}},
            "the metric a-b cannot be made: 'a-b' is not a name: letters, digits and underscores, and no digit first",
        ),
        (
            {"rr_uptime_seconds": {"type": "gauge"}},
            "the metric rr_uptime_seconds cannot be made: its name, or one derived from it, is taken",
        ),
    ],
)
def test_a_metric_of_the_configuration_that_is_none_is_one_clear_sentence(
    tmp_path: Path, collect: dict[str, Any], said: str
) -> None:
    write(tmp_path, logs={"mode": "none"}, metrics={**SECTIONS["metrics"], "collect": collect})
    done = run("serve", cwd=tmp_path)
    (name,) = collect
    assert (done.returncode, done.stderr) == (2, f"rrpy: metrics.collect.{name} is wrong in rr.yaml; {said}\n")


def test_objectives_are_a_warning_in_the_log(tmp_path: Path) -> None:
    collect = {"took": {"type": "summary", "objectives": {0.5: 0.05}}}
    with hosting(tmp_path, metrics={**SECTIONS["metrics"], "collect": collect}) as host:
        host.wait_for("objectives are not computed; a histogram has quantiles", metric="took")


@pytest.mark.parametrize("codec", [CODEC_JSON, CODEC_MSGPACK])
def test_roadrunners_php_client_declares_and_counts(tmp_path: Path, codec: int) -> None:
    def encode(value: object) -> bytes:
        return json.dumps(value).encode() if codec == CODEC_JSON else msgpack.packb(value)

    with hosting(tmp_path, rpc={"listen": "tcp://127.0.0.1:0"}, **METRICS) as host:
        (line,) = host.wait_for("rpc is listening")
        client = RPC("127.0.0.1", int(line["address"].rpartition(":")[2]))
        with client.connection:
            collector = {"namespace": "", "type": "counter", "help": "", "labels": ["who"], "buckets": []}
            declaration = encode({"name": "hits", "collector": {**collector, "objectives": []}})
            count = encode({"name": "hits", "value": 2.0, "labels": ["me"]})
            answers = []
            for method, argument in (("Declare", declaration), ("Declare", declaration), ("Add", count)):
                client.request(f"metrics.{method}", argument, codec)
                answers.append(client.response()[2:])
        assert answers[0] == answers[2] == (encode(True), False)
        assert answers[1] == (b"tried to register existing collector with the name `hits`", True)
        assert number(scrape(host), "hits", who="me") == 2


def test_without_the_sections_nothing_is_loaded_and_nothing_counted(tmp_path: Path) -> None:
    write(tmp_path, logs={"mode": "none"})
    program = """
import sys
import anyio
from rrpy import Config, Container, default_plugins

async def main():
    container = Container([], Config.load("rr.yaml"), optional=default_plugins())
    async with anyio.create_task_group() as group:
        await group.start(container.serve)
        container.stop()

anyio.run(main)
loaded = {name.partition(".")[0] for name in sys.modules} & {"prometheus_client", "uvicorn", "starlette", "h11"}
loaded |= {"rrpy.smtp_plugin.server.metrics"} & sys.modules.keys()  # which counts
print(sorted(loaded))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# The doors, in a host of our own.


class Plugin:
    """A plugin with numbers."""

    name = "mine"

    def __init__(self, *collectors: object) -> None:
        self.collectors = collectors
        self.asked = 0

    def init(self) -> None:
        self.end = anyio.Event()

    def metrics_collectors(self) -> tuple[object, ...]:
        self.asked += 1
        return self.collectors

    async def serve(self, *, task_status: Any) -> None:
        task_status.started()
        await self.end.wait()

    async def stop(self) -> None:
        self.end.set()


class Moody:
    """A collector that fails on demand."""

    def __init__(self) -> None:
        self.fails = False

    def collect(self) -> list[prometheus_client.Metric]:
        if self.fails:
            raise RuntimeError("not today")
        return [prometheus_client.Metric("moody", "A mood.", "gauge")]


async def served(tmp_path: Path, plugin: Plugin, ask: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Run a host with this plugin, and `ask` with a client of its metrics."""
    config = Config.from_dict({"metrics": {"address": f"unix://{tmp_path}/m.sock"}})
    container = Container([plugin, MetricsPlugin()], config)
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            await group.start(container.serve)
            transport = httpx.AsyncHTTPTransport(uds=f"{tmp_path}/m.sock")
            async with httpx.AsyncClient(transport=transport, base_url="http://m") as client:
                await ask(client)
            container.stop()


@pytest.mark.anyio
async def test_a_plugins_collectors_are_asked_for_once_and_shown(tmp_path: Path) -> None:
    gauge = prometheus_client.Gauge("depth", "Depth.", registry=None)
    plugin = Plugin(gauge)

    async def ask(client: httpx.AsyncClient) -> None:
        gauge.set(3)
        for _ in range(2):
            assert "\ndepth 3.0\n" in (await client.get("/metrics")).text
        assert plugin.asked == 1

    await served(tmp_path, plugin, ask)


@pytest.mark.anyio
async def test_a_collector_that_fails_hides_nobody_elses_numbers(tmp_path: Path) -> None:
    moody = Moody()

    async def ask(client: httpx.AsyncClient) -> None:
        for moody.fails in (False, True, True, False):
            answer = await client.get("/metrics")
            assert answer.status_code == 200
            assert "rr_uptime_seconds" in answer.text
            assert ("# TYPE moody gauge" in answer.text) is not moody.fails

    await served(tmp_path, Plugin(moody), ask)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("collectors", "said"),
    [
        (("nonsense",), r"^plugin mine: metrics_collectors\(\) returned 'nonsense', which is not a collector$"),
        (
            (prometheus_client.Gauge("rr_build_info", "x", registry=None),),
            r"^plugin mine has metrics whose names are taken: rr_build_info$",
        ),
    ],
)
async def test_what_a_plugin_gives_that_cannot_be_shown_is_one_clear_sentence(
    tmp_path: Path, collectors: tuple[object, ...], said: str
) -> None:
    config = Config.from_dict({"metrics": {"address": f"unix://{tmp_path}/m.sock"}})
    with pytest.raises(HostError, match=said):
        await Container([Plugin(*collectors), MetricsPlugin()], config).serve()


@pytest.mark.parametrize("accept", [b"\xff", b"application/openmetrics-text;version=a", b"text/plain;version=a"])
def test_an_accept_header_that_nobody_can_read_is_as_good_as_none(tmp_path: Path, accept: bytes) -> None:
    with hosting(tmp_path, metrics=SECTIONS["metrics"]) as host:
        answer = httpx.get(f"{url(host, 'metrics')}/metrics", headers={b"Accept": accept})
        assert answer.status_code == 200
        assert "rr_build_info" in answer.text
