from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
from pathlib import Path

import pytest
from support.container.descriptors import on_file
from support.container.plugins import script
from support.waiting import TIMEOUT, eventually

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
    threads = threading.active_count()
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
    eventually(lambda: threading.active_count() == threads, "the thread that waits for the lock ends")


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


# What the folder may hold under the file's name.


@pytest.fixture(params=["pipe", "link", "dangling link", "hard link", "folder", "socket"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A path that is not a plain file of one name, and another file, to which it may lead."""
    path, other = tmp_path / ".pid", tmp_path / "other"
    other.write_text(f"{os.getpid()}\n")
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "link":
        path.symlink_to(other)
    elif request.param == "dangling link":
        path.symlink_to(tmp_path / "none")
    elif request.param == "hard link":
        path.hardlink_to(other)
    elif request.param == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    return path, other


def test_a_host_writes_no_file_of_others(odd):
    path, other = odd
    with pytest.raises(ConfigError) as caught, PidFile(path):
        pass
    assert str(caught.value).startswith(f"cannot write {path}: ")
    assert "\n" not in str(caught.value)
    assert other.read_text() == f"{os.getpid()}\n"
    assert os.path.lexists(path)
    assert not (path.parent / "none").exists()


def test_no_process_gets_a_signal_from_what_is_not_a_pid_file(odd, monkeypatch):
    path, other = odd
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a process got a signal"))
    with other.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(HostError) as caught:
            stop_host(path, 0)
    assert str(caught.value).startswith((f"cannot read {path}: ", f"no host to stop: there is no {path}"))


def test_a_folder_in_its_place_is_called_one(tmp_path):
    """`rrpy stop` called it a hard link, because a folder has two names."""
    path = tmp_path / ".pid"
    path.mkdir()
    with pytest.raises(ConfigError, match=r"^cannot write .*/\.pid: it is a folder$"), PidFile(path):
        pass
    with pytest.raises(HostError, match=r"^cannot read .*/\.pid: it is a folder$"):
        stop_host(path, 0)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the kernel does not tell who holds a lock")
def test_a_foreign_lock_sends_no_signal_to_the_process_that_the_file_names(tmp_path, monkeypatch):
    path = tmp_path / ".pid"
    with script(OBEDIENT, tmp_path) as foreign:
        foreign.until("holds")
        path.write_text(f"{os.getpid()}\n")
        with monkeypatch.context() as patch, pytest.raises(HostError) as caught:
            patch.setattr(os, "kill", lambda *_: pytest.fail("a process got a signal"))
            stop_host(path, 0)
        assert str(caught.value).startswith(f"cannot stop the host that holds {path}: it is not process {os.getpid()}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_left_alone(tmp_path):
    path = tmp_path / ".pid"
    path.write_text("7\n")
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError) as caught, PidFile(path):
        pass
    assert str(caught.value) == f"cannot write {path}: it belongs to another user"
    assert path.read_text() == "7\n"


def test_a_file_that_replaced_the_hosts_own_is_left_alone_at_the_end(tmp_path):
    path = tmp_path / ".pid"
    with PidFile(path):
        path.unlink()
        path.write_text("of another host")
    assert path.read_text() == "of another host"


def test_a_file_that_its_host_removes_in_this_moment_is_made_anew(tmp_path, monkeypatch):
    path = tmp_path / ".pid"
    path.touch()
    to_remove = [path]
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if to_remove:
            to_remove.pop().unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with PidFile(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


@pytest.mark.parametrize("command", [PidFile, lambda path: stop_host(path, 0)])
def test_a_working_folder_that_is_removed_is_one_sentence(tmp_path, monkeypatch, command):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(HostError) as caught, command(Path(".pid")):
        pass
    assert ".pid" in str(caught.value)
