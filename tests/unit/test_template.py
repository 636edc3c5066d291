"""`rrpy init` writes the rr.yaml that ships with rrpy, and a host runs with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.host import Host, run
from support.pages import page

from rrpy import ConfigError
from rrpy.container.template import template, write_template

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
