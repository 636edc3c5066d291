"""The image without an engine: its steps in a fresh virtual environment, and the settings of orchestrators."""

from __future__ import annotations

import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from support.container.host import Host, run
from support.container.ports import free_ports
from support.docs.image import Built, Stage, sent, stages
from support.waiting import TIMEOUT, eventually

from rrpy.container.config import Config
from rrpy.container.container import EndureConfig

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build it, once: the wheel, and a fresh virtual environment that only the image's own lines have filled."""
    built = Built(tmp_path_factory.mktemp("image"), ROOT)
    built.root.chmod(0o755)  # as the root of a file system is
    for stage in stages((ROOT / "Dockerfile").read_text()):
        built.build(stage)
    return built


@pytest.fixture(scope="module")
def final() -> Stage:
    return stages((ROOT / "Dockerfile").read_text())[-1]


def overriding(*keys: str) -> list[str]:
    return [word for key in keys for word in ("-o", key)]


class Contained:
    """A host started by ENTRYPOINT and CMD, on free ports, with the image's environment and nothing else."""

    def __init__(self, image: Built, stage: Stage, home: Path, more: Sequence[str], inbox: bool) -> None:
        self.smtp, self.status, self.inbox, metrics, rpc = free_ports(5)
        self.env = {key: os.environ[key] for key in ("LANG", "LD_LIBRARY_PATH") if key in os.environ}
        # The PATH of the image's ENV line; `$PATH` in it is the base image's.
        self.env |= {key: image.mapped(value).replace("$PATH", "/usr/bin:/bin") for key, value in stage.env.items()}
        entry, *first = stage.argv("ENTRYPOINT")
        program = shutil.which(entry, path=self.env["PATH"])
        assert program is not None
        command = [*first, *(image.mapped(word) for word in stage.argv("CMD"))]
        keys = {"smtp.addr": self.smtp, "status.address": self.status, "metrics.address": metrics}
        keys |= {"inbox.address": self.inbox} if inbox else {}
        said = [f"{key}=127.0.0.1:{port}" for key, port in keys.items()]
        overrides = overriding(*said, f"rpc.listen=tcp://127.0.0.1:{rpc}", *more)
        self.host = Host(home, [*command, *overrides], command=["env", "-i", *self._pairs(), program])

    def _pairs(self) -> list[str]:
        return [f"{key}={value}" for key, value in self.env.items()]

    def subjects(self, name: str) -> list[str] | None:
        """Return the subjects in the inbox for a client that knows it by this name; None where it gets no answer."""
        url = f"http://127.0.0.1:{self.inbox}/api/v1/messages"
        answer = httpx.get(url, headers={"Host": name}, timeout=TIMEOUT, trust_env=False)
        return [each["subject"] for each in answer.json()["messages"]] if answer.status_code == 200 else None

    def healthy(self, words: Sequence[str]) -> int:
        """Run a health check as an engine does, in the container, and return its exit code."""
        mapped = [re.sub(r"\b2114\b", str(self.status), word) for word in words]
        program = shutil.which(mapped[0], path=self.env["PATH"])
        assert program is not None
        checked = subprocess.run(
            [program, *mapped[1:]], env=self.env, capture_output=True, timeout=TIMEOUT, check=False
        )
        return checked.returncode


@contextmanager
def contained(image: Built, stage: Stage, home: Path, *more: str, inbox: bool = True) -> Iterator[Contained]:
    found = Contained(image, stage, home, more, inbox)
    try:
        yield found
    finally:
        found.host.close()


def send(port: int, to: str = "b@example.com") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=TIMEOUT) as client:
        client.sendmail("a@example.com", [to], "Subject: hello\n\nhello\n")


def test_the_image_holds_the_package_alone_and_no_pip(image: Built) -> None:
    (wheel,) = (image.root / "wheel").glob("*.whl")
    assert wheel.name.startswith("rrpy-")
    assert (image.root / "opt/rrpy/bin/rrpy").exists()
    assert not list((image.root / "opt/rrpy").rglob("pip")), "the image cannot install packages"
    strays = {"tests", "docs", "benchmarks"} & {path.parts[0] for path in sent(ROOT)}
    assert not strays
    assert not image.skipped


def test_it_serves_mail_says_that_it_is_healthy_and_ends_at_sigterm(image: Built, final: Stage, tmp_path: Path) -> None:
    with contained(image, final, tmp_path) as found:
        host = found.host.ready()
        send(found.smtp)
        host.wait_for("email received")
        assert found.subjects(f"mail:{found.inbox}") == ["hello"], "a service of Compose or GitLab is named mail"
        assert found.subjects("rebound.example.com") is None
        assert found.healthy(final.health) == 0
        (smtp,) = host.wait_for("SMTP server listens")
        assert smtp["level"] == "info", "the log is JSON"
        assert host.stop(getattr(signal, final.last("STOPSIGNAL"))) == 0
        assert found.healthy(final.health) == 1
    assert list(tmp_path.iterdir()) == [], "it writes nothing into its folder"


def test_a_host_whose_workers_are_all_gone_is_not_healthy(image: Built, final: Stage, tmp_path: Path) -> None:
    dies = ["smtp.deliver=workers", "server.command=sh -c 'sleep 1000'", "smtp.pool.allocate_timeout=1h"]
    with contained(image, final, tmp_path, *dies) as found:
        found.host.wait_for("HTTP server listens")
        eventually(lambda: found.healthy(final.health) == 1, "not healthy")
        found.host.stop()


def test_it_needs_no_root_and_no_file_system_that_it_can_write_to(image: Built, final: Stage, tmp_path: Path) -> None:
    """The user's number is not root's; a namespace with everything read-only but /tmp stands for `--read-only`."""
    uid, gid = map(int, final.last("USER").split(":"))
    assert uid > 0
    assert gid > 0
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("needs root and the program unshare to make a read-only file system")
    port, rpc, status, metrics, inbox = free_ports(5)
    python = image.root / "opt/rrpy/bin/python"
    config = image.root / "etc/rrpy/rr.yaml"
    # A Python in root's own folder is put where it was, under a folder that others may enter.
    home = Path(sys.base_prefix)
    closed = next((folder for folder in reversed(home.parents) if not folder.stat().st_mode & 0o001), None)
    enterable = (
        ""
        if closed is None
        else f"""
        mkdir -p /tmp/.python && mount --bind {home} /tmp/.python
        mount -t tmpfs -o mode=755 tmpfs {closed}
        mkdir -p {home} && mount --bind /tmp/.python {home} && mount -o remount,ro,bind {home}
        umount /tmp/.python && mount -o remount,ro {closed}
    """
    )
    # Every mount becomes read-only, /tmp becomes a fresh one; the image is put back at its place, read-only too.
    script = f"""
        mount --make-rprivate /
        mkdir -p /run/rrpy-image && mount --bind {image.root} /run/rrpy-image
        mount -o remount,ro,bind /run/rrpy-image
        mount --bind / / && mount -o remount,ro,bind /
        mount -t tmpfs tmpfs /tmp && mkdir -p {image.root}
        mount --bind /run/rrpy-image {image.root}
        mount -o remount,ro,bind {image.root}
        {enterable}
        cd /tmp
        ! touch /etc/written 2>/dev/null || exit 99
        exec "$@"
    """
    drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
    serve = [str(python), "-m", "rrpy", *final.argv("CMD")[:1], "-c", str(config)]
    keys = {"smtp.addr": port, "status.address": status, "metrics.address": metrics, "inbox.address": inbox}
    serve += overriding(f"server.command={python} -m rrpy.worker", "smtp.pool.num_workers=1")
    serve += overriding(f"rpc.listen=tcp://127.0.0.1:{rpc}", *(f"{key}=127.0.0.1:{at}" for key, at in keys.items()))
    host = Host(tmp_path, serve, command=["unshare", "--mount", "sh", "-ec", script, "sh", *drop])
    try:
        (ready,) = host.ready().wait_for("host is ready")
        process = psutil.Process(ready["pid"])
        assert process.uids().real == process.uids().effective == uid
        assert [child.uids().real for child in process.children()] == [uid]
        send(port)
        host.wait_for("email received")
        assert host.stop() == 0
    finally:
        host.close()


def test_the_entry_point_is_no_shell_and_the_base_is_slim(final: Stage) -> None:
    assert final.argv("ENTRYPOINT") == ["rrpy"]
    assert final.argv("CMD")[0] == "serve"
    assert final.base == "python:3.13-slim"
    assert final.env["PYTHONUNBUFFERED"] == "1"
    config = Config.load(EXAMPLES / "docker" / "rr.yaml").masked()
    exposed = {int(port) for port in final.last("EXPOSE").split()}
    catching = {port_of(config["smtp"]["addr"]), port_of(config["inbox"]["address"])}
    assert catching == {1025, 8025}
    assert exposed == catching | {port_of(config["status"]["address"]), 2112}
    assert config["rpc"]["listen"].startswith("tcp://127.0.0.1:")


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def grace_of(config: Config) -> float:
    return float(config.section_or_default("endure", EndureConfig).grace_period)


@pytest.mark.parametrize("folder", ["docker", "compose"])
def test_the_configuration_of_an_image_is_right(folder: str, tmp_path: Path) -> None:
    checked = run("config", "check", "-c", str(EXAMPLES / folder / "rr.yaml"), cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_docker_stop_waits_longer_than_the_host_needs() -> None:
    assert grace_of(Config.load(EXAMPLES / "docker" / "rr.yaml")) < 10, "`docker stop` waits 10 s by default"


# Recipes with the image as it is.


def test_recipes_of_a_catcher_fit_the_image() -> None:
    compose, github, gitlab = (
        yaml.safe_load((EXAMPLES / "catch" / f"{name}.yaml").read_text()) for name in ("compose", "github", "gitlab")
    )
    config = Config.load(EXAMPLES / "docker" / "rr.yaml").masked()
    ports = [port_of(config["smtp"]["addr"]), port_of(config["inbox"]["address"])]
    ((name, service),) = compose["services"].items()
    assert name in config["inbox"]["allowed_hosts"]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}" for port in ports]
    assert (EXAMPLES / "catch" / service["build"]["context"] / "Dockerfile").is_file()
    job = github["jobs"]["test"]
    assert job["services"]["mail"]["ports"] == [f"{port}:{port}" for port in ports]
    assert gitlab["test"]["services"][0]["alias"] in config["inbox"]["allowed_hosts"]
    for host, variables in (("localhost", job["env"]), ("mail", gitlab["test"]["variables"])):
        assert variables == {"SMTP_HOST": host, "SMTP_PORT": ports[0], "RRPY_INBOX": f"http://{host}:{ports[1]}"}


# Docker Compose.


def test_compose_fits_the_image_and_the_configuration(final: Stage) -> None:
    service = yaml.safe_load((EXAMPLES / "compose" / "compose.yaml").read_text())["services"]["mail"]
    config = Config.load(EXAMPLES / "compose" / "rr.yaml")
    assert int(service["stop_grace_period"].removesuffix("s")) > grace_of(config)
    assert service["healthcheck"]["test"][1:] == final.health
    assert f":{port_of(config.masked()['status']['address'])}/health?plugin=smtp" in service["healthcheck"]["test"][-1]
    assert service["ports"] == [f"127.0.0.1:1025:{port_of(config.masked()['smtp']['addr'])}"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert any(mount.startswith("/tmp") for mount in service["tmpfs"])
    assert (ROOT / service["build"]["dockerfile"]).is_file()


@pytest.mark.program("php")
def test_the_image_with_php_decides_about_mail(image: Built, final: Stage, tmp_path: Path) -> None:
    built = Built(image.root, ROOT)
    (stage,) = stages((EXAMPLES / "compose" / "Dockerfile").read_text())
    kept = (image.root / "etc/rrpy/rr.yaml").read_text()
    try:
        built.build(stage)
        assert built.skipped and built.skipped[0].startswith("apt-get update")
        assert stage.last("USER") == final.last("USER")
        decides = [f"server.command=php {image.root}/app/worker.php", "server.env.USERS=b@example.com"]
        with contained(image, final, tmp_path, *decides, inbox=False) as found:
            found.host.ready()
            send(found.smtp)
            with pytest.raises(smtplib.SMTPDataError, match="no such user"):
                send(found.smtp, "nobody@example.com")
            assert found.host.stop() == 0
    finally:
        (image.root / "etc/rrpy/rr.yaml").write_text(kept)


# Kubernetes.


@pytest.fixture
def manifest() -> dict[str, dict[str, Any]]:
    found = list(yaml.safe_load_all((EXAMPLES / "kubernetes" / "rrpy.yaml").read_text()))
    return {each["kind"]: each for each in found}


def test_the_manifest_holds_a_configuration_that_is_right(manifest: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "rr.yaml").write_text(manifest["ConfigMap"]["data"]["rr.yaml"])
    checked = run("config", "check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    config = Config.load(tmp_path / "rr.yaml")
    pod = manifest["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    sleep = int(re.search(r"sleep\((\d+)\)", container["lifecycle"]["preStop"]["exec"]["command"][-1])[1])  # type: ignore[index]
    assert pod["terminationGracePeriodSeconds"] > grace_of(config) + sleep


def test_the_manifest_fits_together(manifest: dict[str, Any], tmp_path: Path, final: Stage) -> None:
    (tmp_path / "rr.yaml").write_text(manifest["ConfigMap"]["data"]["rr.yaml"])
    config = Config.load(tmp_path / "rr.yaml").masked()
    pod = manifest["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports["smtp"] == port_of(config["smtp"]["addr"])
    assert ports["status"] == port_of(config["status"]["address"])
    assert (
        ports["metrics"]
        == port_of(config["metrics"]["address"])
        == int(pod["metadata"]["annotations"]["prometheus.io/port"])
    )
    for probe, path in (("startup", "/ready"), ("readiness", "/ready"), ("liveness", "/health")):
        assert container[f"{probe}Probe"]["httpGet"] == {"path": f"{path}?plugin=smtp", "port": "status"}
    assert container["args"] == final.argv("CMD")
    assert f"{pod['spec']['securityContext']['runAsUser']}:" in final.last("USER")
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert manifest["Service"]["spec"]["ports"] == [{"name": "smtp", "port": 25, "targetPort": "smtp"}]
    labels = pod["metadata"]["labels"]
    assert (
        manifest["Service"]["spec"]["selector"] == labels == manifest["Deployment"]["spec"]["selector"]["matchLabels"]
    )
