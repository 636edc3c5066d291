from __future__ import annotations

import getpass
import os

import msgspec
import pytest

from rrpy.container.errors import ConfigError
from rrpy.container.fields import Duration
from rrpy.worker_pool.config import PoolConfig, ServerConfig, SupervisorConfig, refuse_unsupported, split_command
from rrpy.worker_pool.spawn import Account, find_account, own_interpreter


def test_the_defaults_are_those_of_the_wire_page():
    pool = PoolConfig()
    timeouts = (pool.allocate_timeout, pool.reset_timeout, pool.stream_timeout, pool.destroy_timeout)
    assert timeouts == (60, 60, 60, 60)
    assert (pool.num_workers, pool.max_jobs, pool.max_queue_size, pool.debug, pool.supervisor) == (0, 0, 0, False, None)
    assert SupervisorConfig().watch_tick == 5
    assert ServerConfig() == ServerConfig(command="python -m rrpy.worker", relay="pipes", env={}, user="")


@pytest.mark.parametrize("bad", [{"num_workers": 501}, {"num_workers": -1}, {"max_jobs": -1}, {"workers": 3}])
def test_a_number_out_of_range_and_an_unknown_key_are_refused(bad):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, PoolConfig)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (PoolConfig(debug=True), "debug"),
        (PoolConfig(stream_timeout=Duration(1)), "stream_timeout"),
        (PoolConfig(supervisor=SupervisorConfig(ttl=Duration(1))), "supervisor.ttl"),
        (PoolConfig(supervisor=SupervisorConfig(exec_ttl=Duration(1))), "supervisor.exec_ttl"),
        (PoolConfig(supervisor=SupervisorConfig(max_worker_memory=1)), "supervisor.max_worker_memory"),
    ],
)
def test_a_key_that_would_do_nothing_yet_is_refused_by_name(config, key):
    with pytest.raises(ConfigError, match=rf"^smtp\.pool\.{key} is not supported yet"):
        refuse_unsupported(config, "smtp.pool")


def test_no_time_to_come_up_is_refused_and_a_supervisor_without_limits_is_not():
    with pytest.raises(ConfigError, match=r"smtp\.pool\.allocate_timeout is 0"):
        refuse_unsupported(PoolConfig(allocate_timeout=Duration(0)), "smtp.pool")
    refuse_unsupported(PoolConfig(supervisor=SupervisorConfig(watch_tick=Duration(1))), "smtp.pool")


def test_a_command_is_split_as_a_shell_would_and_a_list_is_taken_as_it_is():
    assert split_command("php 'my worker.php' -x", "server.command") == ["php", "my worker.php", "-x"]
    assert split_command(["a b"], "server.command") == ["a b"]


@pytest.mark.parametrize("command", ["", "   ", [], [""], "php 'worker", "php \0"])
def test_a_command_that_cannot_be_one_is_refused_by_its_key(command):
    with pytest.raises(ConfigError, match=r"^server\.command "):
        split_command(command, "server.command")


def test_the_sdk_runs_under_the_interpreter_of_the_host_and_nothing_else_does():
    import sys

    assert own_interpreter(["python", "-m", "rrpy.worker", "a:b"]) == [sys.executable, "-m", "rrpy.worker", "a:b"]
    assert own_interpreter(["python", "worker.py"]) == ["python", "worker.py"]


def test_a_user_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"server\.user: there is no system user 'nobody-of-that-name'"):
        find_account("nobody-of-that-name")


def test_the_host_s_own_user_needs_no_change():
    assert find_account("") is None
    assert find_account(getpass.getuser()) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_may_choose_a_user():
    account = find_account("nobody")
    assert isinstance(account, Account)
    assert account.uid > 0


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a host that is not root")
def test_only_root_may_choose_a_user():
    with pytest.raises(ConfigError, match="only a host that runs as root"):
        find_account("root")
