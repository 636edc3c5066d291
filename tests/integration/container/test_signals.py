"""The signals of a host that do not end it, in a process of its own, also as PID 1."""

from __future__ import annotations

import os
import pty
import signal
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import trustme
from support.container.host import RRPY, Host, hosting, write
from support.container.plugins import script
from support.container.programs import needs
from support.waiting import TIMEOUT, eventually

pytestmark = pytest.mark.usefixtures("measured")

ROTATE = Path(__file__).parents[3] / "examples/logrotate/rrpy"


@pytest.mark.parametrize("way", ["rename", "logrotate"])
def test_after_a_rename_and_sighup_lines_go_to_a_new_file(tmp_path: Path, way: str) -> None:
    """They went on into the renamed file until the end."""
    path = tmp_path / "rrpy.log"
    with hosting(tmp_path, "-p", logs={"channels": {"smtp": {"output": str(path)}}}) as host:
        eventually(lambda: "SMTP server listens" in path.read_text())
        if way == "rename":
            path.rename(tmp_path / "rrpy.log.1")
            host.process.send_signal(signal.SIGHUP)
        else:
            needs("logrotate")
            text = ROTATE.read_text().replace("/var/log/rrpy", str(tmp_path)).replace("/run/rrpy", str(tmp_path))
            configuration = tmp_path / "logrotate.conf"
            configuration.write_text(text)
            configuration.chmod(0o644)
            tmp_path.chmod(0o755)
            state = tmp_path / "state"
            subprocess.run(["logrotate", "-f", "-s", state, configuration], check=True, timeout=TIMEOUT)
        host.wait_for("log files are opened anew, plugins reload", signal="SIGHUP")
        eventually(path.exists)
        host.process.send_signal(signal.SIGTERM)
        assert host.wait() == 0
        assert "SMTP server listens" in (tmp_path / "rrpy.log.1").read_text()


def test_a_log_whose_folder_is_gone_stays_in_its_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with hosting(tmp_path, logs={"channels": {"smtp": {"output": str(folder / "a.log")}}}) as host:
        folder.rename(tmp_path / "old")
        folder.write_text("in the way")
        host.process.send_signal(signal.SIGHUP)
        eventually(lambda: "its old file stays in use" in host.text())


def test_usr1_does_nothing_and_usr2_replaces_the_workers(tmp_path: Path) -> None:
    """Both killed the host."""
    with hosting(tmp_path) as host:
        before = host.workers()
        host.process.send_signal(signal.SIGUSR1)
        host.wait_for("signal without a meaning", signal="SIGUSR1")
        assert host.workers() == before
        host.process.send_signal(signal.SIGUSR2)
        host.wait_for("workers are replaced", plugin="smtp")
        assert set(host.workers()).isdisjoint(before)


def test_signals_of_the_start_wait_for_the_host(tmp_path: Path) -> None:
    """Each of them killed a host that read its configuration and loaded its plugins."""
    path = write(tmp_path)
    text = path.read_text()
    path.unlink()
    os.mkfifo(path)
    host = Host(tmp_path, [])
    try:
        with path.open("w") as pipe:  # opens when the host reads
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                host.process.send_signal(number)
            pipe.write(text)
        host.ready()
        for message in ("log files are opened anew, plugins reload", "signal without a meaning", "workers are reset"):
            host.wait_for(message)
        assert host.stop() == 0
    finally:
        host.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_that_ends_a_host_ends_its_start(tmp_path: Path, number: signal.Signals) -> None:
    """Each had its default action: SIGINT printed `Aborted!`, SIGQUIT wrote a core, and PID 1 lost SIGTERM."""
    path = write(tmp_path)
    path.unlink()
    os.mkfifo(path)
    host = Host(tmp_path, [])
    try:
        with path.open("w"):  # opens when the host reads
            host.process.send_signal(number)
            assert (host.wait(), host.text()) == (0, "")
    finally:
        host.close()


def test_a_start_for_a_command_that_never_ran_does_not_succeed() -> None:
    """`rrpy catch -- pytest` that a signal ends before the tests begin must not pass."""
    code = "from rrpy.container.signals import hold; hold(3); import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert subprocess.run([sys.executable, "-c", code], timeout=TIMEOUT).returncode == 3


def test_sighup_loads_the_certificate_anew_and_keeps_it_where_the_new_one_is_wrong(tmp_path: Path) -> None:
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def issue() -> None:
        issued = authority.issue_cert("127.0.0.1")
        cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())

    def serial(host: Host) -> str:
        with smtplib.SMTP(*host.smtp, timeout=TIMEOUT) as connection:
            connection.starttls(context=client)
            assert isinstance(connection.sock, ssl.SSLSocket)
            found = connection.sock.getpeercert()
            assert found is not None
            return str(found["serialNumber"])

    issue()
    with hosting(tmp_path, smtp={"tls": {"cert": str(cert), "key": str(key)}}) as host:
        first = serial(host)
        key.write_text("broken")
        host.process.send_signal(signal.SIGHUP)
        (line,) = host.wait_for("plugin goes on as before", plugin="smtp")
        assert "smtp.tls.key" in line["error"]
        assert serial(host) == first
        issue()
        host.process.send_signal(signal.SIGHUP)
        host.wait_for("certificate is loaded anew")
        assert serial(host) != first


def test_the_end_of_its_terminal_ends_a_host(tmp_path: Path) -> None:
    write(tmp_path, logs={"output": "host.log"})
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(RRPY[0], [*RRPY, "serve"])
    log = tmp_path / "host.log"
    try:
        eventually(lambda: log.exists() and "host is ready" in log.read_text(), "the host is ready")
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: "log files are opened anew" in log.read_text(), "the terminal is there")
    finally:
        os.close(terminal)
        assert ended(pid) == 0
    assert '"reason":"SIGHUP"' in log.read_text()


def ended(pid: int) -> int:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("it has not ended")


@pytest.fixture
def first_process(tmp_path: Path) -> Iterator[Host]:
    """A host that is PID 1 of a namespace."""
    needs("unshare")
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True, timeout=TIMEOUT, check=False).returncode:
        pytest.skip("this user may not make a PID namespace")
    write(tmp_path)
    host = Host(tmp_path, [], command=(*unshare, *RRPY, "serve"))
    try:
        yield host.ready()
    finally:
        host.close()


def test_as_pid_1_a_host_obeys_the_same_signals(first_process: Host) -> None:
    """SIGQUIT did nothing, and the container was killed after its timeout."""
    host = first_process
    assert host.named("host is ready")[0]["pid"] == 1
    (inside,) = psutil.Process(host.process.pid).children()
    for number, message in (
        (signal.SIGHUP, "log files are opened anew, plugins reload"),
        (signal.SIGUSR1, "signal without a meaning"),
        (signal.SIGUSR2, "workers are replaced"),
        (signal.SIGQUIT, "host stopped"),
    ):
        inside.send_signal(number)
        host.wait_for(message)
    assert host.process.wait(TIMEOUT) == 0


STOPS = """
import sys, threading
from pathlib import Path
import anyio
from rrpy import Config, Container
from rrpy.container.pidfile import PidFile

class Plugin:
    name = "slow"
    def init(self):
        self.end = anyio.Event()
    async def serve(self, *, task_status):
        task_status.started()
        print("ready", flush=True)
        await self.end.wait()
    async def stop(self):
        while not Path("go").exists():
            await anyio.sleep(0.01)
        self.end.set()

with PidFile(Path(".pid")) as file:
    sys.exit(Container([Plugin()], Config.from_dict({"logs": {"mode": "none"}})).run(status=file.say))
"""


def test_rrpy_stop_tells_what_it_waits_for(tmp_path: Path) -> None:
    with script(STOPS, tmp_path) as host:
        host.until("ready")
        with subprocess.Popen([*RRPY, "stop"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as stop:
            assert stop.stderr is not None
            said = stop.stderr.readline()
            (tmp_path / "go").touch()
            assert stop.wait(TIMEOUT) == 0
        assert said == f"rrpy: the host (pid {host.pid}) stops, it is waiting for slow\n"
        assert host.end()[0] == 0
