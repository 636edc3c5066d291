from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.container.descriptors import on_file
from support.container.plugins import script
from support.waiting import TIMEOUT

from rrpy.container.errors import ConfigError, HostError
from rrpy.container.pidfile import PidFile, stop_host

HOST = """
import signal
from pathlib import Path
from rrpy.container.pidfile import PidFile
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
with PidFile(Path(".pid")):
    print("holds", flush=True)
    signal.sigwait([WAITED])
    print("signalled", flush=True)
"""
OBEDIENT = HOST.replace("WAITED", "signal.SIGTERM")
DEAF = HOST.replace("WAITED", "signal.SIGUSR1")


def test_the_file_has_the_hosts_number_and_is_gone_at_its_end(tmp_path):
    path = tmp_path / ".pid"
    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_the_file_is_gone_when_the_host_fails(tmp_path):
    with pytest.raises(RuntimeError), PidFile(tmp_path / ".pid"):
        raise RuntimeError
    assert not (tmp_path / ".pid").exists()


def test_a_file_that_somebody_removed_is_no_error_at_the_end(tmp_path):
    with PidFile(tmp_path / ".pid"):
        (tmp_path / ".pid").unlink()


def test_a_second_host_in_a_folder_is_an_error_and_does_not_touch_the_firsts_file(tmp_path):
    path = tmp_path / ".pid"
    with script(OBEDIENT, tmp_path) as host:
        host.until("holds")
        with pytest.raises(ConfigError) as caught, PidFile(path):
            pass
        assert str(caught.value) == f"a host runs in this folder already: it holds {path}"
        assert path.read_text() == f"{host.pid}\n"


def test_the_file_of_a_host_that_was_killed_is_taken_over(tmp_path):
    path = tmp_path / ".pid"
    with script(OBEDIENT, tmp_path) as host:
        host.until("holds")
        host.send(signal.SIGKILL)
        host.end()
    assert path.exists()
    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_longer_number_of_a_dead_host_leaves_no_digits(tmp_path):
    path = tmp_path / ".pid"
    path.write_text("9999999999999\n")
    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("place", ["missing/.pid", "."])
def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path, place):
    path = tmp_path / place
    with pytest.raises(ConfigError) as caught, PidFile(path):
        pass
    assert str(caught.value).startswith(f"cannot write {path.absolute()}: ")


def test_a_worker_does_not_inherit_the_hosts_hold(tmp_path):
    with PidFile(tmp_path / ".pid"):
        assert [os.get_inheritable(descriptor) for descriptor in on_file(tmp_path / ".pid")] == [False]


def test_stopping_tells_the_host_and_returns_when_it_has_ended(tmp_path):
    with script(OBEDIENT, tmp_path) as host:
        host.until("holds")
        stop_host(tmp_path / ".pid", TIMEOUT)
        assert not (tmp_path / ".pid").exists()
        assert host.end() == (0, ["holds", "signalled"], "")


def test_a_host_that_does_not_end_in_time_is_an_error_that_names_it(tmp_path):
    with script(DEAF, tmp_path) as host:
        host.until("holds")
        with pytest.raises(HostError) as caught:
            stop_host(tmp_path / ".pid", 0.05)
        assert str(caught.value) == f"the host (pid {host.pid}) has not ended within 0.05 s; it got SIGTERM"
        assert caught.value.exit_code == 1
        with pytest.raises(HostError, match="has not ended within 0 s"):
            stop_host(tmp_path / ".pid", 0)
        host.send(signal.SIGUSR1)
        assert host.end()[0] == 0


def test_stopping_where_no_host_is_says_how_one_is_run(tmp_path):
    path = tmp_path / ".pid"
    with pytest.raises(HostError) as caught:
        stop_host(path, 1)
    assert str(caught.value) == f"no host to stop: there is no {path}; run the host with `rrpy serve -p`"
    assert caught.value.exit_code == 2


def test_the_file_of_a_dead_host_gets_nobody_a_signal(tmp_path):
    path = tmp_path / ".pid"
    path.write_text(f"{os.getpid()}\n")
    with pytest.raises(HostError) as caught:
        stop_host(path, 1)
    assert str(caught.value) == f"no host to stop: {path} was left by a host that is gone"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", ["", "text", "0\n", "-1\n", "-5\n", "99999999999999999999\n", "4194305\n"])
def test_a_held_file_without_a_hosts_number_gets_nobody_a_signal(tmp_path, content, monkeypatch):
    real = os.kill

    def kill(pid: int, number: int) -> None:
        assert pid > 0, "that would be a whole group of processes"
        real(pid, number)

    monkeypatch.setattr(os, "kill", kill)
    path = tmp_path / ".pid"
    with PidFile(path):
        path.write_text(content)
        with pytest.raises(HostError, match=r"^cannot stop the host that holds "):
            stop_host(path, 0)


def test_a_path_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with PidFile(Path("my.pid")):
        assert (tmp_path / "my.pid").exists()
