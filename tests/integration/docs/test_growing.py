"""The examples of many hosts: real hosts, NATS servers and HAProxy, with their files as they are but for addresses."""

from __future__ import annotations

import re
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from support.container.host import Host, run
from support.container.ports import free_ports
from support.docs.pages import ROOT
from support.jobs.nats_server import nats_cluster
from support.waiting import TIMEOUT, eventually

from rrpy.container.config import Config
from rrpy.container.container import EndureConfig

GROWING = ROOT / "examples" / "growing"


@pytest.mark.parametrize("name", ["accept", "work", "spool"])
def test_the_configurations_are_right(name: str, tmp_path: Path) -> None:
    checked = run("config", "check", "-c", str(GROWING / f"{name}.yaml"), cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", ["compose", "compose-spool"])
def test_compose_waits_longer_than_a_host_needs(name: str) -> None:
    services = yaml.safe_load((GROWING / f"{name}.yaml").read_text())["services"]
    hosts = [each for each in services.values() if "build" in each]
    assert hosts
    for service in hosts:
        (file,) = re.findall(r"\./(\w+\.yaml):/etc/rrpy/rr.yaml:ro", " ".join(service["volumes"]))
        grace = Config.load(GROWING / file).section_or_default("endure", EndureConfig).grace_period
        assert int(service["stop_grace_period"].removesuffix("s")) > grace


@pytest.mark.parametrize("name", ["kubernetes", "kubernetes-spool"])
def test_the_manifests_fit_their_configurations(name: str, tmp_path: Path) -> None:
    text = (GROWING / f"{name}.yaml").read_text()
    files = dict(re.findall(r"create configmap (\S+) --from-file rr.yaml=(\S+)", text))
    found = [each for each in yaml.safe_load_all(text) if "template" in each["spec"]]
    assert {each["metadata"]["name"] for each in found} == set(files)
    for each in found:
        pod = each["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        path = GROWING / files[pod["volumes"][0]["configMap"]["name"]]
        checked = run("config", "check", "-c", str(path), *container["args"][3:], cwd=tmp_path)
        assert checked.returncode == 0, checked.stderr
        config = Config.load(path)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for section, key in (("smtp", "addr"), ("status", "address"), ("metrics", "address")):
            if section in ports:
                assert config.masked()[section][key].endswith(f":{ports[section]}")
        plugin = container["readinessProbe"]["httpGet"]["path"].partition("=")[2]
        assert plugin in config.masked()
        assert pod["terminationGracePeriodSeconds"] > config.section_or_default("endure", EndureConfig).grace_period
        assert each["spec"]["selector"]["matchLabels"] == each["spec"]["template"]["metadata"]["labels"]


def started(folder: Path, name: str, nats: str, **addresses: str) -> Host:
    """Start a host with the file of the example; only its addresses differ."""
    folder.mkdir()
    options = [f"rpc.listen=unix://{folder}/rpc.sock", "status.address=127.0.0.1:0", "metrics.address=127.0.0.1:0"]
    options += [f"{key.replace('_', '.')}={value}" for key, value in addresses.items()]
    overrides = [part for each in options for part in ("-o", each)]
    return Host(folder, ["-c", str(GROWING / f"{name}.yaml"), *overrides], {"NATS": nats})


@contextmanager
def haproxy(folder: Path, hosts: list[Host]) -> Iterator[int]:
    """Run HAProxy with the file of the example; return its port."""
    text = (GROWING / "haproxy.cfg").read_text()
    for number, host in enumerate(hosts, 1):
        (line,) = host.wait_for("HTTP server listens", logger="status")
        checked = re.sub(r".*:", "", str(line["address"]))
        text = text.replace(f"accept-{number}:1025", f"127.0.0.1:{host.smtp[1]} port {checked}")
    (port,) = free_ports(1)
    (folder / "haproxy.cfg").write_text(text.replace("bind :25", f"bind 127.0.0.1:{port}"))
    with subprocess.Popen(["haproxy", "-db", "-f", "haproxy.cfg"], cwd=folder, stderr=subprocess.DEVNULL) as program:
        try:
            yield port
        finally:
            program.terminate()
            program.wait(TIMEOUT)


@pytest.mark.program("haproxy")
def test_mail_through_haproxy_is_worked_off_by_another_host_and_goes_on_without_one_that_dies(tmp_path: Path) -> None:
    with nats_cluster(tmp_path / "nats") as servers:
        nats = ",".join(server.address for server in servers)
        accepting = [started(tmp_path / name, "accept", nats, smtp_addr="127.0.0.1:0") for name in ("one", "two")]
        working = started(tmp_path / "work", "work", nats)
        hosts = [*accepting, working]
        try:
            for host in hosts:
                host.ready()
            with haproxy(tmp_path, accepting) as port:

                def send(subject: str) -> bool:
                    try:
                        with smtplib.SMTP("127.0.0.1", port, timeout=TIMEOUT) as client:
                            client.sendmail("a@b.c", ["x@y.z"], f"Subject: {subject}\r\n\r\nx\r\n")
                    except (OSError, smtplib.SMTPException):
                        return False
                    return True

                def received(host: Host) -> int:
                    return len(host.named("email received"))

                eventually(lambda: send("both") and all(map(received, accepting)), "mail at both hosts")
                line = accepting[0].named("email received")[0]
                assert str(line["remote_addr"]).startswith("127.0.0.1:")
                accepting[0].process.kill()
                accepting[0].process.wait()
                before = received(accepting[1])
                eventually(lambda: send("one") and received(accepting[1]) > before, "mail at the host that is left")
            stat = working.rrpy("rpc", "--address", f"unix://{tmp_path}/work/rpc.sock", "jobs.Stat")
            assert '"pipeline": "mail"' in stat.stdout, stat.stderr
            assert working.stop() == 0
            assert accepting[1].stop() == 0
        finally:
            for host in hosts:
                host.close()
