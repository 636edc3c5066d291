"""`rrpy init` writes the rr.yaml that ships with rrpy, and a host runs with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.container.host import Host, run
from support.container.measuring import unmeasured
from support.docs.pages import page

from rrpy import ConfigError
from rrpy.commands.template import template, write_template

FREE = ["-o", "rpc.listen=tcp://127.0.0.1:0", "-o", "smtp.addr=127.0.0.1:0", "-o", "inbox.address=127.0.0.1:0"]


def test_the_text_is_the_one_of_the_repository():
    assert template() == page("rr.yaml")


def test_what_is_written_is_fine_and_a_host_runs_with_it(tmp_path):
    done = run("init", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "rr.yaml is written; look through it, then run the host: rrpy serve\n"
    assert (tmp_path / "rr.yaml").read_text() == template()
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
    assert (tmp_path / "my.yaml").read_text() == template()


def test_a_link_that_leads_nowhere_is_a_file_that_is_there(tmp_path):
    (tmp_path / "rr.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is there already"):
        write_template(tmp_path / "rr.yaml", force=False)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("force", [False, True])
def test_a_place_that_cannot_be_written_is_one_sentence(force):
    with pytest.raises(ConfigError, match=r"^cannot write nowhere/rr\.yaml: no such file or directory$"):
        write_template(Path("nowhere/rr.yaml"), force=force)


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
    write_template(tmp_path / "rr.yaml", force=True)
    assert (tmp_path / "rr.yaml").is_symlink()
    assert real.read_text() == template()
    assert real.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    done = run("init", "--force", "/dev/stdout", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(template())


def test_the_command_that_is_told_can_be_pasted(tmp_path):
    done = run("init", "my file.yaml", cwd=tmp_path)
    assert done.stdout.endswith("run the host: rrpy serve -c 'my file.yaml'\n")
