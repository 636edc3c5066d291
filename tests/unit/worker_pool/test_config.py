from __future__ import annotations

import msgspec
import pytest

from rrpy.container.config import Config
from rrpy.container.config.fields import Duration
from rrpy.container.errors import ConfigError
from rrpy.smtp_plugin.config import SMTPConfig
from rrpy.worker_pool.config import (
    AllocatorConfig,
    PoolConfig,
    ServerConfig,
    SupervisorConfig,
    relay_addresses,
    split_command,
)
from rrpy.worker_pool.spawn import own_interpreter


def test_the_defaults_are_those_of_the_wire_page():
    pool = PoolConfig()
    timeouts = (pool.allocate_timeout, pool.reset_timeout, pool.stream_timeout, pool.destroy_timeout)
    assert timeouts == (60, 60, 60, 60)
    assert (pool.num_workers, pool.max_jobs, pool.max_queue_size, pool.debug, pool.supervisor) == (0, 0, 0, False, None)
    assert SupervisorConfig().watch_tick == 5
    assert AllocatorConfig() == AllocatorConfig(max_workers=10, spawn_rate=5, idle_timeout=Duration(60))
    assert ServerConfig() == ServerConfig(command="python -m rrpy.worker", relay="pipes", env={}, user="")


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ("{A: b, E: ''}", {"A": "b", "E": ""}),
        ("{N: 1, F: 1.5, V: 1.10, Y: true, X: false}", {"N": "1", "F": "1.5", "V": "1.10", "Y": "true", "X": "false"}),
        ("[A: b, {C: 1, D: x}]", {"A": "b", "C": "1", "D": "x"}),
        ("[A=b, 'U=a=b', 'E=', \"Q='\"]", {"A": "b", "U": "a=b", "E": "", "Q": "'"}),
        ("[A=1, A: 2, A=3]", {"A": "3"}),
        ("['A=${HERE}', B: $HERE]", {"A": "there", "B": "there"}),
        ("[]", {}),
        ("{}", {}),
    ],
)
def test_the_environment_is_a_mapping_or_the_list_that_roadrunner_takes(tmp_path, written, variables):
    path = tmp_path / "rr.yaml"
    path.write_text(f"version: '3'\nserver: {{env: {written}}}\n")
    section = Config.load(path, environ={"HERE": "there"}).section("server", ServerConfig)
    assert section.variables == variables


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("[A=b, HOME]", "server.env.1 is not a variable in {path}; it is written NAME=value"),
        (
            "[{A: }]",
            "server.env.0.A: expected true or false or a whole number or a number or a text, got nothing in {path}",
        ),
        (
            "[{A: [b]}]",
            "server.env.0.A: expected true or false or a whole number or a number or a text, got a list in {path}",
        ),
        ("['=b']", "server.env: '' cannot be an environment variable in {path}"),
        ("A=b", "server.env: expected a mapping or a list, got 'A=b' in {path}"),
    ],
)
def test_an_environment_of_another_form_is_refused(tmp_path, written, text):
    path = tmp_path / "rr.yaml"
    path.write_text(f"version: '3'\nserver: {{env: {written}}}\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(path).section("server", ServerConfig)
    assert str(caught.value) == text.format(path=path)


@pytest.mark.parametrize(("value", "text"), [("1", "1"), ("true", "true"), ("1.10", "1.10"), ("a b", "a b")])
def test_a_variable_of_the_command_line_needs_no_quotes(tmp_path, value, text):
    path = tmp_path / "rr.yaml"
    path.write_text("version: '3'\nserver:\n")
    config = Config.load(path, overrides=[f"server.env.FOO={value}"])
    assert config.section("server", ServerConfig).variables == {"FOO": text}


@pytest.mark.parametrize(
    "bad",
    [
        {"num_workers": 501},
        {"num_workers": -1},
        {"max_jobs": -1},
        {"workers": 3},
        {"dynamic_allocator": {"max_workers": 101}},
        {"dynamic_allocator": {"max_workers": 0}},
        {"dynamic_allocator": {"spawn_rate": 0}},
    ],
)
def test_a_number_out_of_range_and_an_unknown_key_are_refused(bad):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, PoolConfig)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"allocate_timeout": 0}, "allocate_timeout: must be at least 1ms"),
        ({"supervisor": {"watch_tick": 0}}, "watch_tick: must be at least 1ms"),
        ({"supervisor": {"watch_tick": "100us"}}, "watch_tick: must be at least 1ms"),
        ({"dynamic_allocator": {"idle_timeout": 0}}, "idle_timeout: must be at least 1ms"),
        ({"dynamic_allocator": {}, "debug": True}, "dynamic_allocator: does not go with debug"),
    ],
)
def test_no_time_at_all_and_keys_that_do_not_go_together_are_refused_by_name(given, text):
    with pytest.raises(ConfigError, match=rf"smtp\.pool.*{text}"):
        Config.from_dict({"smtp": {"pool": given}}).section("smtp", SMTPConfig)


def test_every_limit_at_once_is_fine():
    limits = {"watch_tick": 1, "ttl": 1, "idle_ttl": 1, "exec_ttl": 1, "max_worker_memory": 128}
    more = {"max_workers": 100, "spawn_rate": 100, "idle_timeout": 1}
    Config.from_dict({"smtp": {"pool": {"supervisor": limits, "dynamic_allocator": more}}}).section("smtp", SMTPConfig)


def test_a_relay_is_pipes_or_an_address_of_this_machine(tmp_path):
    assert relay_addresses("pipes") is None
    assert str(relay_addresses("tcp://localhost:7000")) == "tcp://127.0.0.1:7000, tcp://[::1]:7000"
    assert str(relay_addresses(f"unix://{tmp_path}/relay.sock")) == f"unix://{tmp_path}/relay.sock"


@pytest.mark.parametrize(
    ("relay", "text"),
    [
        (
            "pipe",
            r"server\.relay is 'pipe'; it is not pipes, and an address is written tcp://host:port or unix:///path",
        ),
        ("tcp://127.0.0.1", "got 'tcp://127.0.0.1'"),
        ("tcp://no-such-host-here.invalid:1", "cannot be resolved"),
        ("tcp://0.0.0.0:7000", "is not a loopback address; workers run on this machine"),
        ("tcp://192.0.2.1:7000", "is not a loopback address"),
    ],
)
def test_a_relay_that_is_none_or_not_this_machine_s_is_refused(relay, text):
    with pytest.raises(ConfigError, match=text):
        relay_addresses(relay)


def test_a_command_is_split_as_a_shell_would_and_a_list_is_taken_as_it_is():
    assert split_command("php 'my worker.php' -x") == ["php", "my worker.php", "-x"]
    assert split_command(["a b"]) == ["a b"]


@pytest.mark.parametrize("command", ["", "   ", [], [""], "php 'worker", "php \0"])
def test_a_command_that_cannot_be_one_is_refused_by_its_key(command):
    with pytest.raises(ConfigError, match=r"^command(:| is) "):
        split_command(command)


def test_the_sdk_runs_under_the_interpreter_of_the_host_and_nothing_else_does():
    import sys

    assert own_interpreter(["python", "-m", "rrpy.worker", "a:b"]) == [sys.executable, "-P", "-m", "rrpy.worker", "a:b"]
    assert own_interpreter(["python", "worker.py"]) == ["python", "worker.py"]
