"""The host as people run it: workers that die, hosts that die, plugins of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.container.host import RRPY, Host, gone, hosting, run, write
from support.smtp_plugin.client import BlockingClient
from support.waiting import TIMEOUT, eventually

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        (before,) = host.workers()
        os.kill(before, signal.SIGKILL)
        eventually(lambda: host.workers() not in ([], [before]), "another worker")
        assert host.named("worker died", pid=before, signal=9)


BLOCKING = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_host_whose_parent_blocked_every_signal_sees_its_workers_end_and_ends_itself(tmp_path: Path) -> None:
    write(tmp_path)
    host = Host(tmp_path, [], command=[sys.executable, "-c", BLOCKING, *RRPY, "serve"]).ready()
    try:
        (before,) = host.workers()
        os.kill(before, signal.SIGKILL)
        eventually(lambda: host.workers() not in ([], [before]), "another worker")
        assert host.stop(signal.SIGTERM) == 0
    finally:
        host.close()


def test_a_killed_host_leaves_no_process_behind(tmp_path: Path) -> None:
    write(tmp_path, smtp={"pool": {"num_workers": 3}})
    host = Host(tmp_path, [])
    try:
        workers = host.ready().workers()
        assert len(workers) == 3
        host.process.kill()
        assert gone(workers)
    finally:
        host.close()


def test_a_stale_socket_of_a_killed_host_is_replaced(tmp_path: Path) -> None:
    write(tmp_path)
    host = Host(tmp_path, [])
    host.ready()
    host.process.kill()
    host.close()
    assert (tmp_path / "rpc.sock").exists()
    with hosting(tmp_path) as host:
        assert host.rrpy("rpc", "rpc.Version").returncode == 0
    assert not (tmp_path / "rpc.sock").exists()


def test_a_second_signal_forces_the_end(tmp_path: Path) -> None:
    with hosting(tmp_path) as host, BlockingClient(host.smtp) as client:
        client.begin()
        host.process.send_signal(signal.SIGINT)
        host.wait_for("host is stopping")
        assert host.stop(signal.SIGINT) == 1


def test_a_plugin_of_somebody_else_gets_its_dependencies_serves_and_stops_in_order(tmp_path: Path) -> None:
    (tmp_path / "scratch.py").write_text(
        '''
import anyio
from rrpy import Configurer, Logger, PoolConfig, PoolFactory, Payload

class Methods:
    def __init__(self, plugin):
        self.plugin = plugin
    async def ask(self, text: str) -> str:
        """Ask a worker."""
        answer = await self.plugin.pool.exec(Payload(context=text.encode()))
        return answer.context.decode()

class Scratch:
    name = "scratch"
    def init(self, config: Configurer, log: Logger, server: PoolFactory) -> None:
        self.log, self.server = log, server
        self.done = anyio.Event()
        log.info("scratch init", has=config.has("scratch"))
    def rpc(self):
        return Methods(self)
    async def serve(self, *, task_status):
        async with self.server.new_pool(PoolConfig(num_workers=1), {"RR_MODE": "scratch"}, name=self.name) as self.pool:
            task_status.started()
            await self.done.wait()
        self.log.info("scratch ended")
    async def stop(self):
        self.done.set()
'''
    )
    with hosting(tmp_path, plugins=["scratch:Scratch"]) as host:
        asked = host.rrpy("rpc", "scratch.Ask", "hello")
        assert (asked.stdout, asked.stderr) == ('"CONTINUE"\n', "")
        refused = host.rrpy("rpc", "scratch.Ask", "[1]")
        assert refused.returncode == 1
        assert "str" in refused.stderr
        assert host.rrpy("rpc", "scratch.Nope").stderr == "rrpy: rpc: can't find method scratch.Nope\n"
        assert host.stop() == 0
        stopped = [line["plugin"] for line in host.named("plugin stopped")]
        assert stopped.index("scratch") < stopped.index("server") < stopped.index("rpc")
        assert host.named("scratch ended")


def test_a_plugin_whose_dependency_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "scratch.py").write_text(
        "from rrpy import PoolFactory\n"
        "class Scratch:\n"
        "    name = 'scratch'\n"
        "    def init(self, server: PoolFactory) -> None: ...\n"
        "    async def serve(self, *, task_status): ...\n"
        "    async def stop(self): ...\n"
    )
    write(tmp_path, plugins=["scratch:Scratch"], server=None, smtp=None)
    ended = run("serve", cwd=tmp_path)
    assert "plugin scratch needs PoolFactory of plugin server, which is disabled" in ended.stderr
    assert ended.returncode == 2


def test_the_example_plugin_runs(tmp_path: Path) -> None:
    for name in ("greeter.py",):
        shutil.copy(EXAMPLES / "greeter" / name, tmp_path)
    with hosting(
        tmp_path, plugins=["greeter:Greeter"], greeter={"greeting": "Good day"}, smtp=None, server=None
    ) as host:
        assert host.rrpy("rpc", "greeter.Greet", "Ann").stdout == '"Good day, Ann!"\n'
        assert host.rrpy("rpc", "greeter.History").stdout == '["Good day, Ann!"]\n'
        assert host.named("greeted", name="Ann")


def test_a_host_is_stopped_by_its_pid_file(tmp_path: Path) -> None:
    nobody = run("stop", cwd=tmp_path)
    assert "no host to stop" in nobody.stderr
    assert nobody.returncode == 2
    with hosting(tmp_path, "-p") as host:
        assert int((tmp_path / ".pid").read_text()) == host.process.pid
        second = run("serve", "-p", "-o", "smtp.addr=127.0.0.1:0", cwd=tmp_path)
        assert "a host runs in this folder already" in second.stderr
        assert second.returncode == 2
        stopped = run("stop", cwd=tmp_path)
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert host.wait() == 0
    assert not (tmp_path / ".pid").exists()


def test_options_of_serve(tmp_path: Path) -> None:
    (tmp_path / "some.env").write_text("NAME=from-dotenv.test\n")
    folder = tmp_path / "work"
    folder.mkdir()
    write(folder, smtp={"hostname": "${NAME}"}, logs={"level": "error"})
    host = Host(tmp_path, ["-w", "work", "--dotenv", "../some.env", "-d", "-o", "smtp.enhanced_status_codes=true"])
    try:
        with BlockingClient(host.ready().smtp) as client:
            assert client.line() == "220 from-dotenv.test ESMTP"
            client.say("EHLO x")
            assert client.say("NOOP") == "250 2.0.0 OK"
        host.wait_for("command", line="NOOP")
        assert host.stop() == 0
    finally:
        host.close()


def test_silent_logs_errors_only(tmp_path: Path) -> None:
    write(tmp_path)
    host = Host(tmp_path, ["-s"])
    try:
        eventually(lambda: run("rpc", "rpc.Version", cwd=tmp_path).returncode == 0, "the host answers")
        assert host.stop() == 0
        assert [line for line in host.lines if "end" not in line] == []
    finally:
        host.close()


def test_nobody_answers(tmp_path: Path) -> None:
    write(tmp_path)
    for arguments in (["rpc", "rpc.Version"], ["workers"]):
        ended = run(*arguments, cwd=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.startswith("rrpy: no rrpy host answers on unix://")
        assert ended.stderr.count("\n") == 1


def test_rpc_needs_an_address(tmp_path: Path) -> None:
    write(tmp_path, rpc=None)
    ended = run("rpc", "rpc.Version", cwd=tmp_path)
    assert "rr.yaml has no section rpc" in ended.stderr
    assert ended.returncode == 2
    ended = run("rpc", "rpc.Version", "--address", "nonsense", cwd=tmp_path)
    assert "tcp://host:port or unix:///path" in ended.stderr
    assert ended.returncode == 2


def test_rpc_does_not_ask_for_what_only_the_host_knows(tmp_path: Path) -> None:
    with hosting(tmp_path, environ={"ONLY_HERE": "mx.test"}, smtp={"hostname": "${ONLY_HERE}"}) as host:
        assert host.rrpy("rpc", "rpc.Version").returncode == 0


def test_the_configuration_is_shown_without_secrets(tmp_path: Path) -> None:
    environ = {"DB_PASSWORD": "hunter2", "URL": "redis://u:hunter2@h/0"}
    with hosting(tmp_path, server={"env": environ}) as host:
        import base64

        shown = base64.b64decode(json.loads(host.rrpy("rpc", "rpc.Config").stdout)).decode()
        assert "hunter2" not in shown
        assert json.loads(shown)["server"]["env"] == {"DB_PASSWORD": "***", "URL": "redis://u:***@h/0"}


def test_a_secret_is_masked_by_its_name_by_its_form_and_by_the_list_of_names(tmp_path: Path) -> None:
    """APP_KEY, a key of Stripe, JWT and the options of a command were shown."""
    environ = {"APP_KEY": "base64:hunter2", "STRIPE_SK": "hunter2", "JWT": "hunter2", "DB_HASH": "hunter2", "X": "y"}
    (tmp_path / "own.py").write_text("def handle(request):\n    return None\n")
    command = f"sh -c 'exec {sys.executable} -m rrpy.worker own:handle' --token=hunter2 --db-hash hunter2"
    with hosting(tmp_path, secrets=["DB_HASH"], server={"env": environ, "command": command}) as host:
        import base64

        assert "hunter2" not in host.rrpy("workers", "--json").stdout
        assert "--db-hash ***" in host.rrpy("workers", "--json").stdout
        shown = base64.b64decode(json.loads(host.rrpy("rpc", "rpc.Config").stdout)).decode()
        assert json.loads(shown)["server"]["env"] == {**dict.fromkeys(environ, "***"), "X": "y"}
        assert json.loads(shown)["secrets"] == ["DB_HASH"]
        assert "hunter2" not in shown
        assert not [line for line in host.lines if "hunter2" in str(line)]


def test_the_table_of_workers(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        table = host.rrpy("workers").stdout
        for column in ("PID", "STATUS", "EXECS", "MEMORY", "CPU%", "CREATED"):
            assert column in table
        assert str(host.workers()[0]) in table
        assert "ready" in table
        unknown = host.rrpy("workers", "nope")
        assert unknown.stderr == "rrpy: no plugin nope owns workers; those that do: smtp\n"
        assert unknown.returncode == 1


def test_a_host_without_sections_serves_nothing_and_stops(tmp_path: Path) -> None:
    with hosting(tmp_path, rpc=None, server=None, smtp=None) as host:
        assert host.wait_for("host is ready")[0]["plugins"] == ["informer", "resetter"]
        assert psutil.Process(host.process.pid).children() == []


def test_the_command_and_the_module_are_one(tmp_path: Path) -> None:
    import subprocess

    from rrpy import __version__

    for command in ([sys.executable, "-m", "rrpy"], [str(Path(sys.executable).with_name("rrpy"))]):
        said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert said.stdout == f"rrpy {__version__}\n"
    assert run("serve", "--nope", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_host_whose_standard_streams_are_closed_runs(tmp_path: Path, closed: str) -> None:
    write(tmp_path, logs={"output": "host.log"})
    command = f"exec {sys.executable} -m rrpy serve {closed}"
    process = subprocess.Popen(["sh", "-c", command], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: run("rpc", "rpc.Version", cwd=tmp_path).returncode == 0, "the host answers")
        assert json.loads(run("workers", "--json", cwd=tmp_path).stdout)["smtp"]
        process.terminate()
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()


def test_a_host_under_nohup_survives_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, logs={"output": "host.log"})
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "rrpy", "serve"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: run("rpc", "rpc.Version", cwd=tmp_path).returncode == 0, "the host answers")
        process.send_signal(signal.SIGHUP)
        assert run("rpc", "rpc.Version", cwd=tmp_path).returncode == 0
        process.terminate()
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()


def test_a_result_that_cannot_be_printed_is_one_sentence(tmp_path: Path) -> None:
    with hosting(tmp_path):
        for command in ("rpc rpc.Version", "workers", "workers --json"):
            ended = subprocess.run(
                f"{sys.executable} -m rrpy {command} > /dev/full",
                shell=True,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.stderr == "rrpy: cannot print the result: no space left on device\n"
            assert ended.returncode == 1


@pytest.mark.parametrize("argument", ["NaN", "1e999", "[" * 100_000])
def test_what_is_not_json_is_a_text(tmp_path: Path, argument: str) -> None:
    with hosting(tmp_path, smtp=None, server=None) as host:
        ended = host.rrpy("rpc", "informer.Workers", argument)
        assert (ended.stdout, ended.stderr) == ('{"workers": null}\n', "")


def test_a_pid_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path)
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    (tmp_path / ".pid").symlink_to(precious)
    ended = run("serve", "-p", cwd=tmp_path)
    assert "cannot write" in ended.stderr
    assert ended.returncode == 2
    assert precious.read_text() == "mine"
