"""`rrpy init` writes an rr.yaml with every key, and a host runs with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support.container.host import Host, run
from support.container.measuring import unmeasured
from support.container.users import NOBODY, as_root, public_folder, try_as_nobody
from support.docs.example import uncommented
from support.docs.pages import page

from rrpy import Config, ConfigError, default_plugins
from rrpy.commands.check import models_of
from rrpy.commands.init import write_file
from rrpy.commands.template import template
from rrpy.container.config.model import section_of, settings
from rrpy.container.config.yamlfile import parse

FREE = ["-o", "rpc.listen=tcp://127.0.0.1:0", "-o", "smtp.addr=127.0.0.1:0", "-o", "inbox.address=127.0.0.1:0"]


TEXT = template(default_plugins())
MODELS = models_of(default_plugins())


def line_of(key: str) -> str:
    """Return the line that has this key."""
    (line, *_) = re.findall(rf"^ *(?:# *)?{key}:.*$", TEXT, re.MULTILINE)
    return str(line)


def test_the_repository_s_own_differs_in_its_host_name():
    assert page("rr.yaml") == template(default_plugins(), {"smtp.hostname": "buggregator.local"})
    changed = [pair for pair in zip(TEXT.splitlines(), page("rr.yaml").splitlines(), strict=True) if pair[0] != pair[1]]
    ((ours, theirs),) = changed
    assert ours.startswith("  hostname: localhost  ")
    assert theirs.startswith("  hostname: buggregator.local  ")
    assert theirs.endswith("; default: localhost")


def test_it_has_every_key_in_the_order_of_its_model():
    tree = parse(uncommented(TEXT), "rr.yaml")
    assert [*tree][:3] == ["version", "plugins", "secrets"]
    assert set(tree) == {*MODELS, "version", "plugins", "secrets"}
    for name, model in MODELS.items():
        has_every_key(tree[name], model)


def has_every_key(tree, model):
    assert [*tree] == [setting.key for setting in settings(model)]
    for setting in settings(model):
        if (below := section_of(setting.kind)) is not None:
            has_every_key(tree[setting.key], below)


@pytest.mark.parametrize(("name", "model"), MODELS.items())
def test_a_value_is_the_default_or_its_remark_tells_it(name, model):
    written = Config(parse(uncommented(TEXT), "rr.yaml"), "rr.yaml", {}).section(name, model)
    is_described(written, model)


def is_described(values, model):
    names = {field.encode_name: field.name for field in msgspec.structs.fields(model)}
    for setting in settings(model):
        value = getattr(values, names[setting.key])
        if isinstance(value, msgspec.Struct):
            is_described(value, type(value))
        elif setting.default is msgspec.NODEFAULT:
            assert "must be given" in line_of(setting.key)
        elif setting.default is None:  # of the log, where None stands for what is shown
            assert (
                value
                == {"mode": "development", "level": "debug", "encoding": "console", "output": "stderr"}[setting.key]
            )
        elif value != setting.default:
            assert f"default: {setting.default}" in line_of(setting.key)


@pytest.mark.parametrize("key", ["tls", "supervisor", "dynamic_allocator"])
def test_a_section_that_is_absent_by_default_says_so(key):
    assert line_of(key).endswith("; default: absent")


def test_as_it_is_it_switches_on_what_a_beginner_needs(tmp_path):
    tree = parse(TEXT, "rr.yaml")
    assert [*tree] == ["version", "rpc", "server", "smtp", "inbox"]
    assert tree["smtp"] == {"addr": "127.0.0.1:1025", "hostname": "localhost", "pool": {"num_workers": 1}}


def test_no_line_is_too_long_and_the_remarks_stand_in_one_column():
    lines = TEXT.splitlines()
    assert max(map(len, lines)) <= 120
    remarks = {line.rindex("  # ") for line in lines if re.search(r"\S  +# \w", line)}
    assert len(remarks) == 1


def test_what_is_written_is_fine_and_a_host_runs_with_it(tmp_path):
    done = run("init", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "rr.yaml is written; look through it, then run the host: rrpy serve\n"
    assert (tmp_path / "rr.yaml").read_text() == TEXT
    checked = run("config", "check", cwd=tmp_path)
    assert (checked.returncode, checked.stdout) == (0, "rr.yaml is fine: plugins rpc, server, inbox, smtp\n")
    host = Host(tmp_path, [*FREE, "-o", "logs.encoding=json"])
    try:
        host.wait_for("host is ready")
        assert host.stop() == 0
    finally:
        host.close()


def test_a_file_that_is_there_stays_without_force(tmp_path):
    (tmp_path / "my.yaml").write_text("mine\n")
    done = run("init", "my.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "rrpy: my.yaml is there already; write it anew with --force, or name another file\n"
    assert (tmp_path / "my.yaml").read_text() == "mine\n"
    done = run("init", "my.yaml", "--force", cwd=tmp_path)
    assert done.stdout == "my.yaml is written; look through it, then run the host: rrpy serve -c my.yaml\n"
    assert (tmp_path / "my.yaml").read_text() == TEXT


@as_root
def test_a_folder_s_owner_who_swaps_the_new_file_for_a_link_gets_no_file_of_root_s(monkeypatch):
    with public_folder() as folder:
        secret, path = folder / "secret", folder / "theirs" / "rr.yaml"
        secret.touch(0o600)
        path.parent.mkdir()
        path.write_text("mine\n")
        for each in (path, path.parent):
            os.chown(each, NOBODY, NOBODY)
        real = os.fsync

        def swap(descriptor: int) -> None:
            real(descriptor)
            new = next(str(each) for each in path.parent.iterdir() if each != path)
            assert try_as_nobody(f"os.unlink({new!r})", f"os.symlink({str(secret)!r}, {new!r})") == ["done"] * 2

        monkeypatch.setattr(os, "fsync", swap)
        write_file(path, TEXT, force=True)
        assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (os.geteuid(), 0o600)


def test_the_new_file_has_the_mode_of_the_one_in_its_place(tmp_path):
    path = tmp_path / "rr.yaml"
    path.touch(0o640)
    write_file(path, TEXT, force=True)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_that_leads_nowhere_is_a_file_that_is_there(tmp_path):
    (tmp_path / "rr.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is there already"):
        write_file(tmp_path / "rr.yaml", TEXT, force=False)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("force", [False, True])
def test_a_place_that_cannot_be_written_is_one_sentence(force):
    with pytest.raises(ConfigError, match=r"^cannot write nowhere/rr\.yaml: no such file or directory$"):
        write_file(Path("nowhere/rr.yaml"), TEXT, force=force)


@pytest.mark.parametrize("there", [True, False])
def test_a_disk_that_is_full_leaves_no_half_of_a_file(tmp_path, there):
    path = tmp_path / "rr.yaml"
    if there:
        path.write_text("mine\n")
    command = ["/bin/sh", "-c", f"ulimit -f 1; exec {sys.executable} -B -m rrpy init {'--force' if there else ''}"]
    env = unmeasured()  # coverage could not write its file either
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (2, "rrpy: cannot write rr.yaml: file too large\n")
    assert [each.name for each in tmp_path.iterdir()] == (["rr.yaml"] if there else [])
    assert not there or path.read_text() == "mine\n"


def test_a_file_that_is_written_anew_keeps_its_mode_and_the_link_to_it(tmp_path):
    real = tmp_path / "real.yaml"
    real.write_text("mine\n")
    real.chmod(0o600)
    (tmp_path / "rr.yaml").symlink_to("real.yaml")
    write_file(tmp_path / "rr.yaml", TEXT, force=True)
    assert (tmp_path / "rr.yaml").is_symlink()
    assert real.read_text() == TEXT
    assert real.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    done = run("init", "--force", "/dev/stdout", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(TEXT)


def test_the_command_that_is_told_can_be_pasted(tmp_path):
    done = run("init", "my file.yaml", cwd=tmp_path)
    assert done.stdout.endswith("run the host: rrpy serve -c 'my file.yaml'\n")
