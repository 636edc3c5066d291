"""The file of an inbox: what survives, what is refused."""

from __future__ import annotations

import platform
import resource
import signal
import smtplib
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.container.host import Host, hosting, run, write
from support.inbox.host import api, inbox, mail, send
from support.waiting import TIMEOUT, eventually


def test_a_message_is_there_after_the_host_was_killed_behind_its_250(tmp_path: Path) -> None:
    keys = {"address": "127.0.0.1:0", "path": "inbox.db"}
    subjects: list[str] = []
    for round_ in range(3):
        write(tmp_path, inbox=keys)
        host = Host(tmp_path, ())
        try:
            host.ready()
            with api(host) as client:
                found = [each["subject"] for each in client.get("messages").json()["messages"]]
            assert found == subjects[::-1]
            with smtplib.SMTP(*host.smtp) as smtp:
                for number in range(5):
                    smtp.sendmail("a@b.c", "x@y.z", f"Subject: {round_}.{number}\n\n{'x' * 1000}\n")
                    subjects.append(f"{round_}.{number}")
                host.process.send_signal(signal.SIGKILL)
                host.process.wait(TIMEOUT)
                smtp.close()
        finally:
            host.close()
    with inbox(tmp_path, path="inbox.db") as (_, client):
        assert client.get("messages").json()["total"] == 15
        assert client.get("messages/latest/raw").content.startswith(b"Subject: 2.4\r\n")


def test_a_message_that_is_older_than_max_age_leaves(tmp_path: Path) -> None:
    with inbox(tmp_path, max_age="1s") as (host, client):
        send(host, mail("soon old"))
        eventually(lambda: client.get("messages").json()["total"] == 0, "it leaves")
        assert client.get("info").json()["max_age"] == 1.0
        assert client.get("messages/latest").status_code == 404


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs malloc_trim of glibc")
def test_a_cleared_inbox_gives_its_memory_back(tmp_path: Path) -> None:
    with inbox(tmp_path, max_messages=0) as (host, client):
        process = psutil.Process(host.process.pid)
        before = process.memory_info().rss
        for _ in range(8):
            send(host, "Subject: large\n\n" + "word " * 800_000)
        full = process.memory_info().rss
        assert full - before > 32_000_000
        assert client.delete("messages").json() == {"deleted": 8}
        eventually(lambda: process.memory_info().rss - before < (full - before) / 4, "its memory is free")


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with inbox(tmp_path, path="inbox.db") as (host, _):
        send(host, mail())
        for file in tmp_path.glob("inbox.db*"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert [file.name for file in tmp_path.glob("inbox.db*")] == ["inbox.db"], "it is whole when the host has ended"


def test_a_message_that_cannot_be_kept_is_refused_for_a_while(tmp_path: Path) -> None:
    with inbox(tmp_path, path="inbox.db") as (host, client):
        # No room: a limit on the size of files is the nearest to a full disk.
        size = (tmp_path / "inbox.db-wal").stat().st_size
        resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (size + 4096, resource.RLIM_INFINITY))
        with smtplib.SMTP(*host.smtp) as smtp:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                smtp.sendmail("a@b.c", "x@y.z", f"Subject: lost?\n\n{'x' * 2_000_000}\n")
            assert refused.value.smtp_code == 451
            assert client.get("messages").json()["total"] == 0
            assert client.delete("messages").json() == {"deleted": 0}
            resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            smtp.sendmail("a@b.c", "x@y.z", f"Subject: kept\n\n{'x' * 2_000_000}\n")
        assert client.get("messages/latest").json()["summary"]["subject"] == "kept"


def refusal(folder: Path, **keys: Any) -> str:
    """Start a host that must not come up; return what it says on stderr."""
    write(folder, inbox={"address": "127.0.0.1:0", **keys}, logs={"level": "error", "encoding": "console"})
    result = run("serve", cwd=folder)
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_a_file_that_is_no_inbox_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is a text, and long enough to be one. " * 50)
    assert refusal(tmp_path, path="text.db").endswith("inbox.path text.db is not a SQLite database; name another file")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = (tmp_path / "other.db").read_bytes()
    assert refusal(tmp_path, path="other.db").endswith(
        "inbox.path other.db is a database of something else; name another file"
    )
    assert (tmp_path / "other.db").read_bytes() == before
    assert "cannot open inbox.path no/where.db: no such file or directory" in refusal(tmp_path, path="no/where.db")
    assert "cannot open inbox.path .: is a directory" in refusal(tmp_path, path=".")
    assert "inbox.address is 'x' in rr.yaml; it is written host:port" in refusal(tmp_path, address="x")
    assert "inbox.allowed_hosts: 'http://x' is not a host name in rr.yaml" in refusal(
        tmp_path, allowed_hosts=["http://x"]
    )


def test_a_file_that_is_removed_while_the_host_runs_takes_no_mail(tmp_path: Path) -> None:
    """The client got 250, and the message was gone with the host."""
    with inbox(tmp_path, path="inbox.db") as (host, client):
        send(host, mail("before"))
        for file in tmp_path.glob("inbox.db*"):
            file.unlink()
        with smtplib.SMTP(*host.smtp) as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.send_message(mail("lost?"))
        assert refused.value.smtp_code == 451
        (line,) = host.wait_for("observer failed")
        assert line["level"] == "error"
        sentence = "inbox.path inbox.db was removed or replaced while the host runs; restart the host"
        assert sentence in str(line)
        answer = client.delete("messages")
        assert (answer.status_code, answer.json()["detail"]) == (503, sentence)
        assert client.get("messages/latest").json()["summary"]["subject"] == "before"
        assert host.stop() == 0
    with inbox(tmp_path, path="inbox.db") as (host, client):
        send(host, mail("after"))
        assert client.get("messages").json()["total"] == 1


def test_a_file_without_a_table_is_one_sentence(tmp_path: Path) -> None:
    with inbox(tmp_path, path="inbox.db"):
        pass
    damaged = sqlite3.connect(tmp_path / "inbox.db")
    damaged.execute("DROP TABLE details")
    damaged.close()
    said = refusal(tmp_path, path="inbox.db")
    assert said.endswith("inbox.path inbox.db is damaged (no such table: details); name another file")


def test_a_file_of_a_newer_host_is_left_alone(tmp_path: Path) -> None:
    with inbox(tmp_path, path="inbox.db"):
        pass
    newer = sqlite3.connect(tmp_path / "inbox.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    assert "inbox.path inbox.db was written by a newer rrpy (version 99" in refusal(tmp_path, path="inbox.db")


def test_a_file_belongs_to_one_host(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    path = str(tmp_path / "inbox.db")
    with inbox(first, path=path) as (host, client):
        said = refusal(second, path=path)
        assert said.endswith(f"inbox.path {path} is in use by another process; stop it, or name another file")
        send(host, mail())
        assert client.get("messages").json()["total"] == 1


def test_a_host_without_the_section_loads_nothing_of_it(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        assert "inbox" not in host.wait_for("host is ready")[0]["plugins"]
    program = """import sys
from rrpy import Config, Container, default_plugins
Container([], Config.from_dict({"rpc": {}}), optional=default_plugins()).try_init()
print(sorted({"starlette", "uvicorn", "rrpy.inbox.web.api", "rrpy.inbox.store.store"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
