"""The host under systemd, as far as that goes without one: a real socket to notify, real descriptors passed on."""

from __future__ import annotations

import configparser
import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from support.container.host import RRPY, Host, hosting, run, write
from support.waiting import TIMEOUT, eventually

from rrpy.container.config import Config
from rrpy.container.container import EndureConfig

UNITS = Path(__file__).parents[3] / "examples" / "systemd"
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")

PASS_ON = """
import fcntl, os, sys
names, pid, *passed = sys.argv[1].split(";")
kept = [fcntl.fcntl(int(each), fcntl.F_DUPFD_CLOEXEC, 100) for each in passed]  # out of the way
for number, each in enumerate(kept, 3):
    os.dup2(each, number, inheritable=True)
os.environ.update(LISTEN_FDS=str(len(kept)), LISTEN_FDNAMES=names, LISTEN_PID=pid or str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""What systemd does between fork and exec: descriptors from 3 on, LISTEN_PID the process's own."""


class Systemd:
    """The other side of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(TIMEOUT)

    def hear(self, beginning: str) -> dict[str, str]:
        """Wait for a message that begins with this, and return it."""
        while True:
            text = self.socket.recv(4096).decode()
            if text.startswith(beginning):
                return dict(line.split("=", 1) for line in text.splitlines())

    def drain(self) -> None:
        """Forget the messages that have come."""
        self.socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.socket.recv(4096)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    found = Systemd(tmp_path / "notify")
    yield found
    found.socket.close()


@contextmanager
def passing(
    folder: Path, *passed: tuple[str, socket.socket], pid: str = "", prefix: Sequence[str] = ()
) -> Iterator[Host]:
    """Start a host that is passed these sockets, and end it if the test has not. `prefix`: a command before it."""
    numbers = [each.fileno() for _, each in passed]
    said = ";".join([":".join(name for name, _ in passed), pid, *map(str, numbers)])
    command = [*prefix, sys.executable, "-c", PASS_ON, said, *RRPY, "serve"]
    host = Host(folder, [], command=command, pass_fds=numbers)
    try:
        yield host
        if host.process.poll() is None:
            assert host.stop() == 0, host.lines[-20:]
    finally:
        host.close()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def environment_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(pair.decode(errors="replace").split("=", 1) for pair in pairs if b"=" in pair)


def send(address: tuple[str, int]) -> None:
    with smtplib.SMTP(*address, timeout=TIMEOUT) as client:
        client.sendmail("a@example.com", ["b@example.com"], "Subject: hello\n\nhello\n")


# sd_notify.


def test_systemd_hears_of_the_start_and_the_stop_and_that_the_loop_is_alive(tmp_path, systemd):
    environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "200000"}
    with hosting(tmp_path, environ=environ) as host:
        assert systemd.hear("READY=1")["STATUS"].startswith("serving: ")
        for _ in range(3):
            systemd.hear("WATCHDOG=1")
        host.process.send_signal(signal.SIGTERM)
        assert systemd.hear("STOPPING=1") == {"STOPPING": "1", "STATUS": "stopping: SIGTERM"}
        assert host.wait() == 0


STUCK = """
import asyncio
import os
import signal

from rrpy import Logger


class Stuck:
    name = "stuck"

    def init(self, log: Logger) -> None:
        self.log = log
        self.ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.block)

    def block(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        self.log.warning("blocked")
        signal.sigwait([signal.SIGUSR2])

    async def serve(self, *, task_status) -> None:
        task_status.started()
        await self.ended.wait()

    async def stop(self) -> None:
        self.ended.set()
"""


def test_a_loop_that_is_blocked_is_silent_to_the_watchdog_for_as_long(tmp_path, systemd):
    (tmp_path / "stuck.py").write_text(STUCK)
    environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "40000"}
    with hosting(tmp_path, environ=environ, plugins=["stuck:Stuck"], smtp=None) as host:
        systemd.hear("WATCHDOG=1")
        host.process.send_signal(signal.SIGUSR1)
        host.wait_for("blocked")
        systemd.drain()
        systemd.socket.settimeout(0.4)  # 20 times the interval
        with pytest.raises(TimeoutError):
            systemd.hear("WATCHDOG=1")
        systemd.socket.settimeout(TIMEOUT)
        host.process.send_signal(signal.SIGUSR2)
        systemd.hear("WATCHDOG=1")


def test_workers_inherit_nothing_of_systemd(tmp_path, systemd, listening):
    """Their environment has none of its variables, and their descriptors none of its sockets."""
    write(tmp_path, smtp={"addr": "systemd:smtp"})
    os.environ.update(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="10000000")
    try:
        with passing(tmp_path, ("smtp", listening)) as host:
            (pid,) = host.ready().workers()
            assert not set(VARIABLES) & set(environment_of(pid))
            assert len(psutil.Process(pid).net_connections()) == 0
    finally:
        del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]


def test_a_socket_that_is_gone_is_a_warning_and_no_more(tmp_path):
    with hosting(tmp_path, environ={"NOTIFY_SOCKET": str(tmp_path / "gone")}) as host:
        assert host.wait_for("systemd cannot be reached")[0]["level"] == "warn"


# Socket activation.


def test_mail_that_comes_before_the_host_waits_in_the_socket(tmp_path, listening):
    write(tmp_path, smtp={"addr": "systemd:smtp"})
    with socket.create_connection(listening.getsockname(), TIMEOUT) as early:
        with passing(tmp_path, ("smtp", listening)) as host:
            assert early.makefile("rb").readline().startswith(b"220 ")
            early.sendall(b"QUIT\r\n")
            assert host.smtp == listening.getsockname()
            send(listening.getsockname())
        with socket.create_connection(listening.getsockname(), TIMEOUT):
            pass  # the port was never closed: the next host gets this one


def test_every_plugin_that_listens_takes_a_socket_of_systemd(tmp_path, listening):
    path = tmp_path / "passed.sock"
    with socket.socket(socket.AF_UNIX) as rpc:
        rpc.bind(str(path))
        rpc.listen()
        write(tmp_path, smtp={"addr": "systemd:smtp"}, rpc={"listen": "systemd:rpc"})
        with passing(tmp_path, ("smtp", listening), ("rpc", rpc), ("other", listening)) as host:
            (line,) = host.wait_for("a socket of systemd's is not used")
            assert (line["name"], line["address"]) == ("other", "systemd:other")
            called = host.ready().rrpy("rpc", "rpc.Version", "--address", f"unix://{path}")
            assert called.returncode == 0, called.stderr
            (pid,) = json.loads(host.rrpy("workers", "--json", "--address", f"unix://{path}").stdout)["smtp"]
            assert environment_of(pid["pid"])["RR_RPC"] == f"unix://{path}"
            refused = host.rrpy("rpc", "rpc.Version")
        assert path.exists()
    assert refused.returncode == 2
    assert refused.stderr.startswith("rrpy: rpc.listen is systemd:rpc in rr.yaml; this does not say where that is;")


def test_rpc_that_the_whole_world_reaches_is_refused_on_a_socket_of_systemd_too(tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as made:
        write(tmp_path, inbox={"address": "systemd:inbox"})
        with passing(tmp_path, ("inbox", made)) as host:
            assert host.wait() == 1
            assert "inbox.address is systemd:inbox in rr.yaml; tcp://0.0.0.0:" in host.text()
        write(tmp_path, rpc={"listen": "systemd:rpc"})
        with passing(tmp_path, ("rpc", made)) as host:
            assert host.wait() == 1
            assert (
                f"rpc.listen is systemd:rpc in rr.yaml; tcp://0.0.0.0:{made.getsockname()[1]} is not a loop"
                in host.text()
            )
        write(tmp_path, rpc={"listen": "systemd:rpc", "allow_remote": True})
        with passing(tmp_path, ("rpc", made)) as host:
            host.ready()


@pytest.mark.parametrize(
    ("name", "pid", "said"),
    [
        ("web", "", "cannot listen on systemd:smtp (smtp.addr): systemd passes no socket called smtp, only web;"),
        (
            "smtp",
            "1",
            "cannot listen on systemd:smtp (smtp.addr): there is no such socket: LISTEN_PID is 1 and this process is",
        ),
    ],
)
def test_a_socket_that_is_not_there_is_one_sentence(tmp_path, listening, name, pid, said):
    write(tmp_path, smtp={"addr": "systemd:smtp"})
    with passing(tmp_path, (name, listening), pid=pid) as host:
        assert host.wait() == 1
        assert said in host.text()
        assert "Traceback" not in host.text()


def test_a_host_without_systemd_says_so(tmp_path):
    write(tmp_path, smtp={"addr": "systemd:smtp"})
    ended = run("serve", cwd=tmp_path)
    assert ended.returncode == 1
    assert "there is no such socket: this process was passed none; start it by its socket unit" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can bind a low port and give the right away")
@pytest.mark.program("setpriv")
def test_a_port_below_1024_needs_no_privilege_of_the_host(tmp_path):
    without = ("setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service")
    for port in range(700, 1024):
        try:
            low = socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
        break
    with low:
        write(tmp_path, smtp={"addr": "systemd:smtp"})
        with passing(tmp_path, ("smtp", low), prefix=without) as host:
            assert host.ready().smtp == low.getsockname()
            send(low.getsockname())
    if port < int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()):
        write(tmp_path, smtp={"addr": f"127.0.0.1:{port}"})
        with passing(tmp_path, prefix=without) as host:
            assert host.wait() == 1
            assert "permission denied" in host.text()


@pytest.mark.program("systemd-socket-activate")
def test_systemds_own_tool_starts_the_host_at_the_first_connection(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    write(tmp_path, smtp={"addr": "systemd:smtp"})
    tool = ["systemd-socket-activate", "-l", f"127.0.0.1:{address[1]}", "--fdname=smtp"]
    # It hands over its own environment, but not what a coverage run needs, so each variable is named.
    tool += [f"--setenv={name}" for name in os.environ if name.startswith(("COVERAGE", "PYTHON", "PATH", "HOME"))]
    host = Host(tmp_path, [], command=[*tool, *RRPY, "serve"])
    try:
        eventually(lambda: any("Listening on" in line.get("text", "") for line in host.lines), "it listens")
        assert not host.named("host is ready")
        send(address)
        assert host.smtp == address
        assert host.stop() == 0
    finally:
        host.close()


# The units in examples/systemd.


def unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    found.optionxform = str  # type: ignore[method-assign, assignment]
    found.read(UNITS / name)
    return found


@pytest.mark.program("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    program = tmp_path / "rrpy"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ("rrpy.service", "rrpy.socket", "rrpy@.service"):
        (tmp_path / name).write_text((UNITS / name).read_text().replace("/opt/rrpy/bin/rrpy", str(program)))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "rrpy.service", "rrpy.socket", "rrpy@1.service"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_units_and_their_configuration_fit_together():
    service, activated = unit("rrpy.service")["Service"], unit("rrpy.socket")["Socket"]
    config = Config.load(UNITS / "rr.yaml")
    grace = config.section_or_default("endure", EndureConfig).grace_period
    assert int(service["TimeoutStopSec"]) > grace
    assert service["Type"] == "notify"
    assert service["KillMode"] == "mixed"
    assert config.masked()["smtp"]["addr"] == f"systemd:{activated['FileDescriptorName']}"
    assert config.masked()["rpc"]["listen"].startswith(f"unix:///run/{service['RuntimeDirectory']}/")


def test_the_template_is_the_unit_for_several_hosts():
    alone, shared = unit("rrpy.service")["Service"], unit("rrpy@.service")["Service"]
    differ = {key for key in {*alone, *shared} if alone.get(key) != shared.get(key)}
    assert differ == {
        "AmbientCapabilities", "CapabilityBoundingSet", "Environment", "ExecStart", "ExecStartPre", "RuntimeDirectory",
        "StateDirectory", "User", "WorkingDirectory",
    }  # fmt: skip


def test_the_options_of_the_template_fit_the_configuration(tmp_path):
    (options,) = re.findall('"RRPY_OPTIONS=(.*)"', (UNITS / "rrpy@.service").read_text())
    (tmp_path / "rr.yaml").write_text((UNITS / "rr.yaml").read_text())
    checked = run("config", "check", "-c", "rr.yaml", *options.replace("%i", "1").split(), cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_the_configuration_of_the_units_serves_mail_on_a_passed_socket(tmp_path, listening):
    text = (UNITS / "rr.yaml").read_text().replace("/run/rrpy", str(tmp_path))
    (tmp_path / "rr.yaml").write_text(text)
    checked = run("config", "check", "-c", "rr.yaml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    with passing(tmp_path, ("smtp", listening)) as host:
        host.ready()
        send(listening.getsockname())
