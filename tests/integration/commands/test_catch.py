"""`rrpy catch`: a host that only catches mail, alone and around a command."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import anyio
import httpx
import pytest
from support.container.host import RRPY
from support.log import Log
from support.waiting import TIMEOUT, until

from rrpy.commands.catch import CatchPlugin

pytestmark = pytest.mark.usefixtures("measured")

ANYWHERE = ("--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0")


@contextmanager
def catching(*options: str) -> Iterator[tuple[subprocess.Popen[str], str, int, str]]:
    """A catcher without a command: its process, the address for mail, and the page."""
    process = subprocess.Popen(
        [*RRPY, "catch", *ANYWHERE, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            mail, page, stop = (process.stdout.readline().split() for _ in range(3))
            assert stop == ["to", "stop", "Ctrl+C"]
            host, _, port = mail[2].rpartition(":")
            yield process, host, int(port), page[2]
        finally:
            process.kill()


def caught(page: str, path: str = "messages") -> httpx.Response:
    return httpx.get(f"{page}/api/v1/{path}", timeout=TIMEOUT, trust_env=False)


def test_it_says_where_mail_goes_and_shows_it_until_ctrl_c() -> None:
    with catching() as (process, host, port, page):
        with smtplib.SMTP(host, port) as client:
            client.sendmail("a@b.c", ["x@y.z"], "Subject: Hello\n\nHi")
        assert caught(page).json()["messages"][0]["subject"] == "Hello"
        assert httpx.get(page, timeout=TIMEOUT, trust_env=False).text.startswith("<!doctype html>")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT)
        assert (process.returncode, out, errors) == (0, "", "")


def test_mail_can_be_kept_in_a_file_and_bounded(tmp_path: Path) -> None:
    options = ("--path", str(tmp_path / "mail.db"), "--max-messages", "2")
    with catching(*options) as (process, host, port, page):
        with smtplib.SMTP(host, port) as client:
            for number in range(3):
                client.sendmail("a@b.c", ["x@y.z"], f"Subject: {number}\n\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    with catching(*options) as (_, _, _, page):
        assert [each["subject"] for each in caught(page).json()["messages"]] == ["2", "1"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RRPY, "catch", *ANYWHERE, *arguments], capture_output=True, text=True, timeout=TIMEOUT)


SEND = """
import os, smtplib, sys
print(os.environ["MAILER_DSN"], os.environ["EMAIL_HOST"], os.environ["MAIL_PORT"], os.environ["MAIL_MAILER"])
print(os.environ["RRPY_INBOX"], os.environ["URL"])
with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])) as client:
    client.sendmail("a@b.c", ["x@y.z"], "Subject: From the command\\n\\n")
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_gets_the_variables_and_decides_the_exit_code(code: int) -> None:
    done = run("--env", "URL={inbox}/api/{host}/{port}", "--", sys.executable, "-c", SEND, str(code))
    assert done.returncode == code, done.stderr
    first, second = done.stdout.splitlines()
    found = re.fullmatch(r"smtp://127\.0\.0\.1:(\d+) 127\.0\.0\.1 (\d+) smtp", first)
    assert found is not None
    assert found[1] == found[2]
    inbox, url = second.split()
    assert url == f"{inbox}/api/127.0.0.1/{found[1]}"
    listed = "  a@b.c -> x@y.z | From the command | 250" in done.stderr
    assert listed is (code != 0)
    assert ("caught 1 mail\n" in done.stderr) is (code != 0)


def test_a_signal_ends_the_command_and_both() -> None:
    command = [
        *RRPY,
        "catch",
        *ANYWHERE,
        "--",
        sys.executable,
        "-c",
        "print('up', flush=True); import time; time.sleep(99)",
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 128 + signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)


def test_a_command_that_is_cut_off_has_failed(tmp_path: Path) -> None:
    """It has ignored SIGTERM for the grace period; the exit code was 0."""
    addresses = SimpleNamespace(smtp_address="tcp://127.0.0.1:1", page_url="http://127.0.0.1:2")
    begun = tmp_path / "begun"
    command = ["sh", "-c", f"touch {begun}; exec sleep 1000"]
    plugin = CatchPlugin(command, {}, ("localhost", "localhost"), open_page=False)
    plugin.init(Log(), addresses, addresses)

    async def test() -> None:
        async with anyio.create_task_group() as group:
            await group.start(lambda *, task_status: plugin.serve(task_status=task_status))
            await until(begun.exists)
            group.cancel_scope.cancel()

    anyio.run(test)
    assert plugin.exit_code == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--", "/no/such/program"], 127, "cannot run /no/such/program: no such file or directory"),
        (["--", "/etc/passwd"], 126, "cannot run /etc/passwd: permission denied"),
        (["--env", "X={nothing}", "--", "true"], 2, "--env 'X={nothing}' is not NAME=TEMPLATE"),
        (["--env", "=x", "--", "true"], 2, "is not NAME=TEMPLATE"),
    ],
)
def test_what_is_wrong_is_a_sentence(arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_a_sentence_with_the_way_out() -> None:
    with catching() as (_, host, port, page):
        done = subprocess.run(
            [*RRPY, "catch", "--smtp", f"{host}:{port}", "--http", page.removeprefix("http://")],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    assert done.returncode == 1
    assert f"tcp://{host}:{port} (--smtp)" in done.stderr
    assert "address already in use; end the other program, or take free ports: --http :0 --smtp :0\n" in done.stderr


def test_a_port_alone_is_localhost_in_both_families() -> None:
    done = subprocess.run(
        [*RRPY, "catch", "--smtp", ":0", "--http", ":0", "--", sys.executable, "-c", BOTH],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stdout) == (0, "localhost\n"), done.stderr


BOTH = """
import os, socket
print(os.environ["SMTP_HOST"])
for host in {each[4][0] for each in socket.getaddrinfo("localhost", None)}:
    socket.create_connection((host, int(os.environ["SMTP_PORT"]))).close()
"""


def test_serve_names_it_where_there_is_no_file(tmp_path: Path) -> None:
    done = subprocess.run([*RRPY, "serve"], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 2
    assert "`rrpy catch` catches mail without one, `rrpy init` writes one" in done.stderr


def test_a_catcher_s_configuration_is_written(tmp_path: Path) -> None:
    subprocess.run([*RRPY, "init", "--catch"], cwd=tmp_path, check=True, capture_output=True, timeout=TIMEOUT)
    done = subprocess.run(
        [*RRPY, "config", "check"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.stdout == "rr.yaml is fine: plugins inbox, smtp\n"
