"""The `server` plugin, with real workers."""

from __future__ import annotations

import os
import pwd
import socket
import sys

import anyio
import pytest
from support.log import Log
from support.worker_pool.pools import ZOO, beast, sdk

from rrpy.container.config import Config
from rrpy.container.config.fields import Duration
from rrpy.container.errors import ConfigError, PluginDisabled
from rrpy.container.protocols import Plugin
from rrpy.container.version import VERSION
from rrpy.worker_pool import Payload, PoolConfig, PoolFactory, WorkerBootError
from rrpy.worker_pool.accounts import Account, find_account
from rrpy.worker_pool.info import describe
from rrpy.worker_pool.life import boot, stop_worker
from rrpy.worker_pool.limits import WorkerLimits
from rrpy.worker_pool.plugin import ServerPlugin
from rrpy.worker_pool.pool import WorkerPool
from rrpy.worker_pool.spawn import Launch

pytestmark = pytest.mark.anyio

SUPPORT = str(ZOO.parents[1] / "worker")
ONE = PoolConfig(num_workers=1)


class NoRequests:
    """A Dispatcher without requests."""

    served = 0

    def free(self, worker) -> None: ...

    def retired(self, worker) -> None: ...

    def dispatch(self, call) -> None: ...


class Endpoint:
    rpc_address = "tcp://127.0.0.1:6001"

    def __init__(self) -> None:
        self.admitted: list[int] = []

    def admit(self, uid: int) -> None:
        self.admitted.append(uid)


def server(section, rpc=None) -> ServerPlugin:
    plugin = ServerPlugin()
    plugin.init(Config.from_dict({"server": section}), Log(), rpc)
    return plugin


async def variable(plugin: ServerPlugin, name: str, **env: str) -> str:
    async with plugin.new_pool(ONE, env, name="smtp") as workers:
        return (await workers.exec(Payload(name.encode()))).body.decode()


def test_it_is_a_plugin_and_a_pool_factory():
    assert isinstance(ServerPlugin(), Plugin)
    assert isinstance(ServerPlugin(), PoolFactory)


def test_without_a_section_it_bows_out():
    with pytest.raises(PluginDisabled):
        ServerPlugin().init(Config.from_dict({}), Log(), None)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"relay": "pipe"}, r"server\.relay is 'pipe'; it is not pipes, and an address is written tcp://host:port"),
        ({"command": ""}, r"server\.command is empty"),
        ({"command": "php 'x"}, r"server\.command: cannot be split into words"),
        ({"env": {"A=B": "c"}}, r"server\.env: 'A=B' cannot be an environment variable"),
        ({"user": "nobody-of-that-name"}, r"server\.user is 'nobody-of-that-name'; there is no such system user"),
        ({"comand": "x"}, r"server\.comand"),
    ],
)
def test_a_wrong_section_is_refused_by_its_key(section, text):
    with pytest.raises(ConfigError, match=text):
        server(section)


async def test_a_pool_key_that_is_wrong_is_refused_by_its_path():
    words: list[str] = ["php"]
    config = PoolConfig(command=words)
    words[0] = ""  # done by a program, after the check of the model
    with pytest.raises(ConfigError, match=r"smtp\.pool\.command is empty"):
        server({}).new_pool(config, {}, name="smtp")
    with pytest.raises(ConfigError, match="the environment that smtp adds: 'A' cannot be an environment variable"):
        server({}).new_pool(ONE, {"A": "a\0b"}, name="smtp")


async def test_a_worker_s_environment_is_the_host_s_then_ours_and_the_later_wins(monkeypatch):
    monkeypatch.setenv("FROM_HOST", "host")
    env = {"PYTHONPATH": SUPPORT, "RR_VERSION": "not this one", "RR_MODE": "nor this", "MINE": "server.env"}
    plugin = server({"command": "python -m rrpy.worker pool_handlers:environment", "env": env}, Endpoint())
    assert await variable(plugin, "FROM_HOST") == "host"
    assert await variable(plugin, "RR_RELAY") == "pipes"
    assert await variable(plugin, "RR_RPC") == "tcp://127.0.0.1:6001"
    assert await variable(plugin, "MINE") == "server.env"
    assert await variable(plugin, "RR_VERSION") == VERSION
    assert await variable(plugin, "RR_MODE", RR_MODE="smtp") == "smtp"


@pytest.mark.parametrize("relay", ["tcp://127.0.0.1:0", "unix://{folder}/relay.sock"])
async def test_workers_dial_in_where_the_server_listens_and_its_socket_goes_with_it(relay, tmp_path):
    relay = relay.format(folder=tmp_path)
    plugin = server({"relay": relay, "command": sdk("environment"), "env": {"PYTHONPATH": SUPPORT}})
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            await group.start(plugin.serve)
            address = await variable(plugin, "RR_RELAY")
            assert address.startswith("tcp://127.0.0.1:") if "tcp" in relay else address == relay
            assert not address.endswith(":0")
            await plugin.stop()
    with pytest.raises(OSError), socket.socket(socket.AF_INET if "tcp" in relay else socket.AF_UNIX) as probe:
        probe.connect(
            ("127.0.0.1", int(address.rpartition(":")[2])) if "tcp" in relay else relay.removeprefix("unix://")
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
async def test_the_relay_s_socket_belongs_to_the_user_that_the_workers_run_as(tmp_path):
    path = tmp_path / "relay.sock"
    plugin = server({"relay": f"unix://{path}", "user": "nobody"})
    async with anyio.create_task_group() as group:
        await group.start(plugin.serve)
        found = path.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (find_account("nobody").uid, 0o600)
        await plugin.stop()
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_user_that_the_workers_run_as_may_call_the_host():
    """The host gave its workers the address of a socket that only root could open."""
    endpoint, without = Endpoint(), Endpoint()
    server({"user": "nobody"}, endpoint)
    server({}, without)
    assert (endpoint.admitted, without.admitted) == ([find_account("nobody").uid], [])


async def test_a_relay_that_is_taken_ends_the_start_with_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        plugin = server({"relay": f"tcp://127.0.0.1:{taken.getsockname()[1]}"})
        with pytest.raises(BaseExceptionGroup) as caught:
            async with anyio.create_task_group() as group:
                await group.start(plugin.serve)
    assert "(server.relay): address already in use" in str(caught.value.exceptions[0])


async def test_without_rpc_there_is_no_rr_rpc(monkeypatch):
    monkeypatch.delenv("RR_RPC", raising=False)
    plugin = server({"command": sdk("environment"), "env": {"PYTHONPATH": SUPPORT}})
    assert await variable(plugin, "RR_RPC") == "absent"


async def test_the_default_command_is_the_worker_that_ships_under_our_interpreter(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    async with server({}).new_pool(ONE, {"RR_MODE": "smtp"}, name="smtp") as workers:
        assert (await workers.exec(Payload(b"{}"))).context == b"CONTINUE"
        assert workers.workers()[0].command == "python -m rrpy.worker"


async def test_a_command_of_the_pool_is_used_in_place_of_the_server_s():
    plugin = server({"command": "no-such-program", "env": {"PYTHONPATH": SUPPORT}})
    config = PoolConfig(num_workers=1, command=sdk("identity"), allocate_timeout=Duration(20))
    async with plugin.new_pool(config, {}, name="smtp") as workers:
        answer = (await workers.exec(Payload())).context.decode()
    assert answer == f"{os.getuid()} {os.getgid()} True {sys.executable}"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
async def test_root_runs_workers_as_another_user():
    account = find_account("nobody")
    command = ["/bin/sh", "-c", "id -u >&2; id -g >&2; id -G >&2; exit 3"]
    with pytest.raises(WorkerBootError, match=rf"{account.uid} \| {account.gid} \| {account.gid}$"):
        async with WorkerPool(ONE, Launch(command, dict(os.environ), account), Log()):
            pytest.fail("the pool came up")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("user", ["nobody", "nobody:daemon", "54321:54322"])
async def test_a_worker_of_another_user_has_its_groups_home_and_names(user):
    """HOME, USER and LOGNAME were those of root."""
    command = ["/bin/sh", "-c", "id -u >&2; id -g >&2; id -G >&2; echo $$HOME $$USER $$LOGNAME $$MINE >&2; exit 3"]
    account = find_account(user)
    home = pwd.getpwnam("nobody").pw_dir if account.known else "/"
    said = f"{account.uid} | {account.gid} | {account.gid} | {home} {account.name} {account.name} mine"
    plugin = server({"command": command, "user": user, "env": {"MINE": "mine"}})
    with pytest.raises(WorkerBootError, match=f"{said}$"):
        async with plugin.new_pool(ONE, {}, name="smtp"):
            pytest.fail("the pool came up")


async def test_the_variables_of_the_configuration_come_after_those_of_the_user(monkeypatch):
    monkeypatch.setenv("HOME", "/host")
    env = {"PYTHONPATH": SUPPORT}
    assert await variable(server({"command": sdk("environment"), "env": env}), "HOME") == "/host"
    own = server({"command": sdk("environment"), "env": {**env, "HOME": "/mine"}})
    assert await variable(own, "HOME") == "/mine"


async def test_a_user_that_the_system_does_not_accept_is_one_sentence():
    launch = Launch(sdk("echo"), dict(os.environ), Account("ghost", 2**32 - 1, 2**32 - 1))
    with pytest.raises(WorkerBootError, match="cannot be run as the user 'ghost': the process could not be prepared"):
        async with WorkerPool(ONE, launch, Log()):
            pytest.fail("the pool came up")


async def test_it_serves_until_it_is_stopped():
    plugin = ServerPlugin()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            await group.start(plugin.serve)
            await plugin.stop()


async def test_a_worker_that_is_gone_has_zeros_for_memory_and_cpu():
    launch = Launch(beast("pids"), dict(os.environ))
    worker = await boot(NoRequests(), launch, Log(), 20, WorkerLimits())
    assert describe(worker, "command").memory_usage > 0
    await stop_worker(worker, 1)
    row = describe(worker, "command")
    assert (row.memory_usage, row.cpu_percent, row.status_str) == (0, 0.0, "stopped")
