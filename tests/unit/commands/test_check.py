"""`rrpy config check` tells everything that is wrong at once, each with its key and its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import Struct
from support.container.host import hosting, run
from support.docs.pages import ROOT

from rrpy import Config, ConfigError, default_plugins
from rrpy.commands.check import check, check_file

MANY = """\
version: '3'
plugins: [gone:Away, 'nonsense']
smpt: {}
rpc:
  listen: nowhere
  max_frames: 1
server:
  env:
    A: $UNSET_A
    B: b
    C: $UNSET_C
smtp:
  addr: 127.0.0.1:0
  adr: x
  max_errors: -1
  pool:
    num_workers: 1000
    supervisor: {ttl: soon, watch_tick: 0}
  tls:
    cert: missing.pem
    mode: both
logs:
  level: loud
  channels: {smtp: {levl: info}}
endure:
  grace_period: long
"""


class Strict(Struct, forbid_unknown_fields=True):
    """Strict. `low`: and. `high`: both."""

    low: int = 0
    high: int = 1
    parts: list[dict[str, int]] = []
    either: int | list[int] = 0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ConfigError("must not be above high", key="low")


class Plain:
    """A plugin without a model."""

    name = "plain"

    def init(self, config) -> None: ...

    async def serve(self, *, task_status) -> None: ...

    async def stop(self) -> None: ...


def problems_of(folder: Path, text: str, *overrides: str) -> list[str]:
    path = folder / "rr.yaml"
    path.write_text(text)
    report = check_file(path, default_plugins(), overrides=overrides)
    return [problem.replace(str(path), "rr.yaml") for problem in report.problems]


def test_every_problem_is_told_with_its_line(tmp_path):
    found = problems_of(tmp_path, MANY)
    for beginning, line in (
        ("plugins.0 is 'gone:Away' in rr.yaml:2; gone cannot be imported", 2),
        ("plugins.1 is 'nonsense' in rr.yaml:2; it is written package.module:ClassName", 2),
        ("rpc.max_frames is not a known key", 6),
        ("server.env.A: the environment variable UNSET_A is not set", 9),
        ("server.env.C: the environment variable UNSET_C is not set", 11),
        ("smtp.adr is not a known key", 14),
        ("smtp.max_errors: expected a whole number >= 0", 15),
        ("smtp.pool.num_workers: expected a whole number <= 500", 17),
        ("smtp.pool.supervisor.ttl: expected a duration", 18),
        ("smtp.pool.supervisor.watch_tick: must be at least 1ms", 18),
        ("smtp.tls.mode: expected one of starttls, implicit", 21),
        ("smtp.tls: the key key is missing", 19),
        ("logs.level: expected one of", 23),
        ("logs.channels.smtp.levl is not a known key", 24),
        ("endure.grace_period: expected a duration", 26),
    ):
        (problem,) = [each for each in found if each.startswith(beginning)]
        assert f"rr.yaml:{line}" in problem
    assert len(found) == 15


def test_a_section_that_nobody_knows_is_told_when_every_plugin_is_there(tmp_path):
    known = "version: '3'\nsmpt: {}\nrcp: {}\n"
    assert [each.partition(" in ")[0] for each in problems_of(tmp_path, known)] == [
        "smpt is not a known key",
        "rcp is not a known key",
    ]


def test_what_the_types_cannot_say_is_told_by_the_plugins_and_by_the_models(tmp_path):
    text = "version: '3'\nrpc: {listen: tcp://8.8.8.8:1}\nserver: {}\nsmtp:\n  addr: nowhere\nendure: {}\n"
    listen, addr = problems_of(tmp_path, text)
    assert listen.startswith("rpc.listen is tcp://8.8.8.8:1 in rr.yaml:2; tcp://8.8.8.8:1 is not a loopback address")
    assert addr.startswith("smtp.addr is 'nowhere' in rr.yaml:5; it is written")
    text = "version: '3'\nserver:\nsmtp:\n  pool:\n    supervisor: {watch_tick: 0}\n"
    assert problems_of(tmp_path, text) == ["smtp.pool.supervisor.watch_tick: must be at least 1ms in rr.yaml:5"]


def test_a_plugin_whose_provider_is_wrong_is_not_blamed_for_it(tmp_path):
    (problem,) = problems_of(tmp_path, "version: '3'\nserver: {comand: x}\nsmtp:\n")
    assert problem.startswith("server.comand is not a known key")
    (problem,) = problems_of(tmp_path, "version: '3'\nserver: {command: ''}\nsmtp:\n")
    assert problem.startswith("server.command is empty in rr.yaml:2; say which command runs a worker, ")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('"\'"', ": cannot be split into words in rr.yaml:5; no closing quotation"),
        ("['']", " is empty in rr.yaml:5; say which command runs a worker, for example 'python -m rrpy.worker'"),
        ("' '", " is empty in rr.yaml:5; say which command runs a worker, for example 'python -m rrpy.worker'"),
        (r'"a\0b"', ": contains a NUL byte, which no command can carry in rr.yaml:5"),
    ],
)
def test_a_command_of_a_pool_that_is_none_is_told_by_its_key(tmp_path, command, said):
    text = f"version: '3'\nserver:\nsmtp:\n  pool:\n    command: {command}\n"
    assert problems_of(tmp_path, text) == [f"smtp.pool.command{said}"]


def test_a_plugin_whose_provider_is_absent_is_told_to_add_it(tmp_path):
    code = "from rrpy import PoolFactory\n\n\nclass Asking:\n    name = 'asking'\n"
    code += "    def init(self, pools: PoolFactory): ...\n"
    code += "    async def serve(self, *, task_status): ...\n    async def stop(self): ...\n"
    (tmp_path / "asking.py").write_text(code)
    (problem,) = problems_of(tmp_path, "version: '3'\nplugins: ['asking:Asking']\n")
    assert "add the section server" in problem


def test_mail_is_caught_without_workers_and_needs_them_where_they_decide(tmp_path):
    assert problems_of(tmp_path, "version: '3'\nsmtp:\n") == []
    (problem,) = problems_of(tmp_path, "version: '3'\nsmtp:\n  deliver: workers\n")
    assert "smtp.deliver is workers, which needs the section server in" in problem


def test_what_an_option_gave_has_its_name_and_no_line(tmp_path):
    found = problems_of(tmp_path, "version: '3'\nserver:\nsmtp:\n  max_errors: 1\n", "smtp.max_errors=-1", "smtp.adr=x")
    assert found == [
        "smtp.max_errors: expected a whole number >= 0, got -1 in -o smtp.max_errors",
        next(each for each in found if each.startswith("smtp.adr is not a known key in -o smtp.adr; did you mean")),
    ]


@pytest.mark.parametrize("plugins", ["plugins: 1", "plugins: [1]"])
def test_plugins_that_are_no_list_of_texts_are_one_problem(tmp_path, plugins):
    (problem,) = problems_of(tmp_path, f"version: '3'\n{plugins}\nsomebody: {{}}\n")
    assert problem.startswith("plugins")


def test_a_section_is_looked_at_part_by_part():
    def errors(value):
        return [str(error) for error in Config({"own": value}, "x.yaml", {}).problems("own", Strict)]

    assert errors(None) == []
    assert errors({"low": 2}) == ["own.low: must not be above high"]
    assert errors({"low": "a", "high": "b"}) == [
        "own.low: expected a whole number, got 'a'",
        "own.high: expected a whole number, got 'b'",
    ]
    assert errors({"parts": [{"a": "b"}, {"c": 1}, {"d": "e"}]}) == [
        "own.parts.0.a: expected a whole number, got 'b'",
        "own.parts.2.d: expected a whole number, got 'e'",
    ]
    assert errors({"either": [1, "x"]}) == ["own.either.1: expected a whole number, got 'x'"]
    assert errors({"parts": {"a": ["b"]}}) == ["own.parts: expected a list, got a mapping"]
    assert errors("text") == ["own: expected a mapping, got 'text'"]
    assert errors({"low": {"deep": "$UNSET"}})[0].startswith("own.low.deep: the environment variable UNSET is not set")


def test_plugins_that_do_not_fit_together_are_a_problem(tmp_path):
    report = check(Config.from_dict({}), tmp_path, [Plain(), Plain()])
    assert report.problems == ["two plugins are called plain; a plugin's name is its section, so it must be its own"]
    (problem,) = check(Config.from_dict({}), tmp_path, [Plain()]).problems
    assert "init has no type" in problem


def test_a_plugin_that_fails_when_another_collects_it_is_a_problem(tmp_path):
    (tmp_path / "mute.py").write_text(
        "class Mute:\n"
        "    name = 'mute'\n"
        "    def init(self) -> None: ...\n"
        "    def rpc(self): raise RuntimeError('no methods')\n"
        "    async def serve(self, *, task_status): ...\n"
        "    async def stop(self): ...\n"
    )
    text = "version: '3'\nplugins: [mute:Mute]\nrpc:\nsmtp:\n  max_errors: -1\n"
    wrong, failed = problems_of(tmp_path, text)
    assert wrong.startswith("smtp.max_errors: expected")
    assert failed == "plugin rpc failed to collect: RuntimeError: no methods"


def test_a_file_that_is_no_configuration_is_the_error_of_serve(tmp_path):
    (tmp_path / "rr.yaml").write_text("version: '3'\na: [\n")
    with pytest.raises(ConfigError, match=r"rr\.yaml:3:1: while parsing"):
        check_file(tmp_path / "rr.yaml", default_plugins())


def test_a_plugin_that_would_end_the_process_is_a_problem_and_no_host(tmp_path):
    class Leaving(Plain):
        def init(self) -> None:
            raise SystemExit(0)

    class Asking(Plain):
        def init(self) -> None: ...

        def collects(self):
            raise SystemExit(3)

    def errors(plugin):
        return check(Config.from_dict({}), tmp_path, [plugin]).problems

    assert errors(Leaving()) == ["plugin plain failed to init: SystemExit: 0"]
    assert errors(Asking()) == ["plugin plain failed to collect: SystemExit: 3"]
    (tmp_path / "leaving.py").write_text(
        "class Leaving:\n"
        "    name = 'leaving'\n"
        "    def init(self) -> None: raise SystemExit('no licence')\n"
        "    async def serve(self, *, task_status): ...\n"
        "    async def stop(self): ...\n"
    )
    (tmp_path / "rr.yaml").write_text("version: '3'\nplugins: [leaving:Leaving]\n")
    said = "rrpy: plugin leaving failed to init: SystemExit: no licence"
    for command, code in ((["config", "check"], 2), (["serve"], 1)):
        done = run(*command, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.splitlines()[-1] == said
        assert "Group" not in done.stderr


# The command.


def test_a_right_file_is_fine_also_beside_its_running_host(tmp_path):
    with hosting(tmp_path) as host:
        done = host.rrpy("config", "check")
        assert (done.returncode, done.stdout, done.stderr) == (0, "rr.yaml is fine: plugins rpc, server, smtp\n", "")


def test_a_file_without_plugins_is_fine(tmp_path):
    (tmp_path / "my.yaml").write_text("version: '3'\n")
    done = run("config", "check", "-c", "my.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "my.yaml is fine: no plugins\n")


def test_the_command_tells_each_problem_in_a_sentence_of_its_own_and_ends_with_2(tmp_path):
    (tmp_path / "rr.yaml").write_text(MANY)
    done = run("config", "check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 15
    assert all(line.startswith("rrpy: ") for line in lines)
    assert "Traceback" not in done.stderr


def test_plugins_variables_and_options_are_those_of_serve(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/greeter.py").write_text((ROOT / "examples/greeter/greeter.py").read_text())
    (tmp_path / "conf/rr.yaml").write_text(
        "version: '3'\nplugins: [greeter:Greeter]\nrpc:\ngreeter: {greeting: $GREETING}\n"
    )
    (tmp_path / "some.env").write_text("GREETING=Hello\n")
    fine = run("config", "check", "-c", "conf/rr.yaml", "--dotenv", "some.env", cwd=tmp_path)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout == "conf/rr.yaml is fine: plugins rpc, greeter\n"
    wrong = run("config", "check", "-w", "conf", "--dotenv", "../some.env", "-o", "greeter.greetings=x", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "in -o greeter.greetings" in wrong.stderr
    schema = run("config", "schema", "-c", "conf/rr.yaml", cwd=tmp_path)
    assert '"greeter": {' in schema.stdout
    assert '"greeter": {' not in run("config", "schema", cwd=tmp_path).stdout
    lost = run("config", "schema", "-c", "nowhere.yaml", cwd=tmp_path)
    assert (lost.returncode, lost.stderr) == (
        2,
        "rrpy: cannot read the configuration nowhere.yaml: no such file or directory\n",
    )


def test_the_file_to_check_is_named_with_c_or_without_and_not_twice(tmp_path):
    (tmp_path / "some.yaml").write_text("version: '3'\nrpc:\n")
    for named in (["some.yaml"], ["-c", "some.yaml"]):
        assert run("config", "check", *named, cwd=tmp_path).stdout == "some.yaml is fine: plugins rpc\n"
    both = run("config", "check", "some.yaml", "-c", "rr.yaml", cwd=tmp_path)
    said = "rrpy: the file is named twice, as some.yaml and by -c rr.yaml; say one of them\n"
    assert (both.returncode, both.stdout, both.stderr) == (2, "", said)


@pytest.mark.parametrize("command", ["serve", "workers", "reset", "tail", "rpc rpc.Version", "config check"])
def test_who_has_roadrunners_file_is_told_how_to_name_it(tmp_path, command):
    (tmp_path / ".rr.yaml").write_text("version: '3'\n")
    ended = run(*command.split(), cwd=tmp_path)
    said = "rrpy: cannot read the configuration rr.yaml: no such file or directory; there is a .rr.yaml: -c .rr.yaml\n"
    assert (ended.returncode, ended.stderr) == (2, said)
    ended = run(*command.split(), "-c", "other.yaml", cwd=tmp_path)
    assert ended.stderr == "rrpy: cannot read the configuration other.yaml: no such file or directory\n"


@pytest.mark.parametrize("command", ["serve", "reset", "rpc rpc.Version", "config check", "config schema"])
def test_a_file_without_a_name_is_one_sentence(tmp_path, command):
    ended = run(*command.split(), "-c", "", cwd=tmp_path)
    said = "rrpy: no configuration file is named: its name is empty\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)


def test_a_file_that_can_be_read_only_once_is_told_with_its_lines(tmp_path):
    (tmp_path / "rr.yaml").write_text("version: '3'\nrpc:\n  max_frames: 1\n")
    shell = f"cat rr.yaml | {sys.executable} -m rrpy config check /dev/stdin"
    done = subprocess.run(
        ["/bin/sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 2
    assert done.stderr.startswith("rrpy: rpc.max_frames is not a known key in /dev/stdin:3; ")


def test_a_check_opens_nothing(tmp_path):
    """Neither a port, nor a file of the log, nor a process."""
    (tmp_path / "rr.yaml").write_text(
        "version: '3'\nrpc:\nserver: {command: 'touch started'}\nsmtp:\nlogs: {output: x.log}\n"
    )
    program = (
        "import sys, rrpy.cli\n"
        "opening = {'socket.bind', 'subprocess.Popen', 'os.posix_spawn'}\n"
        "sys.addaudithook(lambda name, _: name in opening and sys.exit(name))\n"
        "rrpy.cli.main(['config', 'check'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["rr.yaml"]
