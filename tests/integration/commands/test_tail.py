"""`rrpy tail`, beside a real host."""

from __future__ import annotations

import json
import re
import signal
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.container.host import RRPY, hosting, run
from support.waiting import TIMEOUT

pytestmark = pytest.mark.usefixtures("measured")


@contextmanager
def tailing(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`rrpy tail` in a pipe."""
    command = [*RRPY, "tail", *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def send(address: tuple[str, int], subject: str) -> None:
    with smtplib.SMTP(*address) as client:
        client.sendmail("a@b.c", ["x@y.z", "v@w.x"], f"Subject: {subject}\n\nHi there\n")


def test_the_last_ones_are_shown_each_on_a_line(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        for number in range(3):
            send(host.smtp, f"number {number}")
        shown = host.rrpy("tail", "--once", "-n", "2").stdout.splitlines()
        pattern = r"\d\d:\d\d:\d\d <a@b.c> -> x@y.z, v@w.x \| number 1 \| 31 B \| 250 OK: message accepted"
        assert re.fullmatch(pattern, shown[0])
        assert [line.split(" | ")[1] for line in shown] == ["number 1", "number 2"]
        assert host.rrpy("tail", "--once", "-n", "0").stdout == ""
        (line, *_) = host.rrpy("tail", "--once", "--json").stdout.splitlines()
        mail = json.loads(line)
        assert (mail["number"], mail["subject"], mail["from"], mail["to"]) == (
            1,
            "number 0",
            "a@b.c",
            ["x@y.z", "v@w.x"],
        )


def test_mail_is_shown_as_it_comes_until_ctrl_c(tmp_path: Path) -> None:
    with hosting(tmp_path) as host, tailing(tmp_path, "--json") as tail:
        for number in range(3):
            send(host.smtp, f"number {number}")
            assert json.loads(tail.stdout.readline())["subject"] == f"number {number}"
        tail.send_signal(signal.SIGINT)
        assert tail.wait(TIMEOUT) == 0
        assert tail.stderr.read() == ""


def test_a_refusal_has_a_line_in_the_log_and_in_tail(tmp_path: Path) -> None:
    """A refused command left no trace: no line of any level had the reply."""
    logs = {"encoding": "json", "level": "info"}
    with hosting(tmp_path, smtp={"max_recipients": 1}, logs=logs) as host:
        with tailing(tmp_path, "--refused") as tail, smtplib.SMTP(*host.smtp) as client:
            client.ehlo("shop.example")
            client.docmd("MAIL FROM:<a b@c.d>")
            client.sendmail("a@b.c", ["x@y.z", "v@w.x"], "Subject: whole\n\nHi\n")
            shown = [tail.stdout.readline().rstrip("\n").split(" ", 3) for _ in range(2)]
        assert [what for _, what, _, _ in shown] == ["refused:", "refused:"]
        assert [words for _, _, _, words in shown] == [
            "shop.example | MAIL FROM:<a b@c.d> | 501 5.1.7 Bad sender address syntax",
            "shop.example | rcpt TO:<v@w.x> | 452 4.5.3 Too many recipients: the limit is 1 (smtp.max_recipients: 1)",
        ]
        entries = [json.loads(line) for line in host.rrpy("tail", "--once", "--json").stdout.splitlines()]
        assert [entry["kind"] for entry in entries] == ["refusal", "refusal", "mail"]
        assert (entries[1]["from"], entries[1]["to"], entries[1]["recipients"]) == ("a@b.c", ["x@y.z"], 1)
        lines = host.wait_for("refused", 2)
        assert [(line["level"], line["code"], line["reply"], line.get("setting")) for line in lines] == [
            ("info", 501, "5.1.7 Bad sender address syntax", None),
            ("info", 452, "4.5.3 Too many recipients: the limit is 1", "smtp.max_recipients: 1"),
        ]
        assert host.rrpy("tail", "--once", "--refused", "-n", "1").stdout.count("\n") == 1


def test_a_host_that_goes_away_is_waited_for_and_nothing_of_the_next_one_is_missed(tmp_path: Path) -> None:
    with tailing_between_hosts(tmp_path) as tail:
        assert tail.stderr.readline() == "rrpy: the host does not answer; trying again\n"
        with hosting(tmp_path) as host:
            for number in range(3):
                send(host.smtp, f"anew {number}")
            assert [json.loads(tail.stdout.readline())["subject"] for _ in range(3)] == ["anew 0", "anew 1", "anew 2"]
            tail.send_signal(signal.SIGINT)
            assert tail.wait(TIMEOUT) == 0


@contextmanager
def tailing_between_hosts(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`rrpy tail` that has seen one mail of a host, which has gone."""
    with hosting(folder) as host:
        tail = tailing(folder, "--json")
        process = tail.__enter__()
        send(host.smtp, "before")
        assert json.loads(process.stdout.readline())["subject"] == "before"
    try:
        yield process
    finally:
        tail.__exit__(None, None, None)


def test_a_reader_that_has_gone_ends_it(tmp_path: Path) -> None:
    with hosting(tmp_path) as host, tailing(tmp_path) as tail:
        send(host.smtp, "one")
        tail.stdout.readline()
        tail.stdout.close()
        send(host.smtp, "two")
        assert tail.wait(TIMEOUT) == 0


def test_a_subject_cannot_move_the_terminal_s_cursor(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        send(host.smtp, "=?utf-8?q?a=1B[2J=0Ab?=")
        (line,) = host.rrpy("tail", "--once").stdout.splitlines()
        assert line.isprintable()
        assert "\\x1b[2J" in line


def test_without_a_host_or_without_its_smtp_plugin_it_says_so(tmp_path: Path) -> None:
    ended = run("tail", "--address", f"unix://{tmp_path}/none.sock", cwd=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    with hosting(tmp_path, smtp=None) as host:
        ended = host.rrpy("tail", "--once")
        assert (ended.returncode, ended.stderr) == (
            1,
            "rrpy: this host has no smtp plugin, so it gets no mail; add the section smtp\n",
        )


def test_the_worker_s_verdict_and_the_reason_are_shown(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from rrpy.worker import Email, Reject, SoftError\n\n\n"
        "def handle(email: Email):\n"
        "    if email.subject == 'soft':\n"
        "        raise SoftError('not this one')\n"
        "    return Reject(550, 'no such user')\n"
    )
    server = {"command": "python -m rrpy.worker app:handle"}
    with hosting(tmp_path, server=server, smtp={"deliver": "workers", "pool": {"num_workers": 1}}) as host:
        for subject in ("hard", "soft"):
            with suppress(smtplib.SMTPDataError):
                send(host.smtp, subject)
        shown = host.rrpy("tail", "--once").stdout.splitlines()
        assert [line.split(" | ")[-1] for line in shown] == [
            "550 5.0.0 no such user",
            "451 4.3.0 Temporary failure (not this one)",
        ]


def test_of_more_than_one_answer_holds_the_last_ones_are_shown(tmp_path: Path) -> None:
    with hosting(tmp_path, smtp={"history": 2000}, logs={"encoding": "json", "level": "info"}) as host:
        with smtplib.SMTP(*host.smtp) as client:
            for number in range(1100):
                client.sendmail("a@b.c", ["x@y.z"], f"Subject: n{number}\n\nx\n")
        shown = host.rrpy("tail", "--once", "-n", "2").stdout.splitlines()
        assert [line.split(" | ")[1] for line in shown] == ["n1098", "n1099"]
