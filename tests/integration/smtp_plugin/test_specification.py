"""The specification's verification points, each seen from the outside of a real host."""

from __future__ import annotations

import asyncio
import json
import smtplib
import subprocess
import uuid
from pathlib import Path

import aiosmtplib
import pytest
from support.container.host import hosting
from support.smtp_plugin.client import BlockingClient
from support.waiting import eventually

TRANSCRIPT = """\
S: 220 buggregator.local ESMTP
C: EHLO client.example.com
S: 250-buggregator.local
S: 250 AUTH PLAIN LOGIN
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: dGVzdHVzZXI=
S: 334 UGFzc3dvcmQ6
C: dGVzdHBhc3M=
S: 235 Authentication successful
C: MAIL FROM:<sender@example.com>
S: 250 OK
C: RCPT TO:<recipient@example.com>
S: 250 OK
C: DATA
S: 354 Start mail input
C: Subject: Test Email
C:
C: This is test email body.
C: .
S: 250 OK: message accepted
C: QUIT
S: 221 Bye
"""


def test_the_transcript_to_the_letter_and_its_log(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        with BlockingClient(host.smtp) as client:
            for step in TRANSCRIPT.splitlines():
                if step.startswith("C:"):
                    client.send(step[3:])
                    continue
                line = client.line()
                while line.startswith("250-") and not step.startswith("S: 250-"):
                    line = client.line()  # the extensions between the first line and the last
                assert line == step[3:]
            assert client.rest() == ""
        (opened,) = host.wait_for("connection opened")
        (closed,) = host.wait_for("connection closed")
        (mail,) = host.wait_for("email received")
        assert uuid.UUID(mail["uuid"]).version == 4
        assert opened["uuid"] == mail["uuid"] == closed["uuid"]
        assert (mail["level"], mail["logger"]) == ("info", "smtp")
        assert mail["from"] == "sender@example.com"
        assert mail["to"] == ["recipient@example.com"]
        assert mail["size"] == len("Subject: Test Email\r\n\r\nThis is test email body.\r\n")
        assert mail["remote_addr"].startswith("127.0.0.1:")
        commands = [line["line"] for line in host.named("command")]
        assert commands[:4] == ["EHLO client.example.com", "AUTH LOGIN", "***", "***"]
        assert "dGVzdHBhc3M" not in str(host.lines)


def test_connections_are_listed_and_closed_by_the_command_line(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        assert host.rrpy("rpc", "smtp.ListConnections").stdout == "[]\n"
        with BlockingClient(host.smtp) as client:
            client.line()
            client.say("EHLO x")
            client.say("AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=")
            client.say("MAIL FROM:<a@b.c>")
            client.say("RCPT TO:<x@y.z>")
            (shown,) = json.loads(host.rrpy("rpc", "smtp.ListConnections").stdout)
            assert shown == {
                "uuid": shown["uuid"],
                "remote_addr": "{}:{}".format(*client.socket.getsockname()),
                "from": "a@b.c",
                "to": ["x@y.z"],
                "authenticated": True,
                "username": "user",
            }
            closed = host.rrpy("rpc", "smtp.CloseConnection", shown["uuid"])
            assert (closed.stdout, closed.returncode) == ("true\n", 0)
            assert client.rest().startswith("421 ")
        again = host.rrpy("rpc", "smtp.CloseConnection", shown["uuid"])
        assert (again.stderr, again.returncode) == ("rrpy: connection not found\n", 1)
        assert host.rrpy("rpc", "smtp.ListConnections").stdout == "[]\n"


def test_real_clients_deliver(tmp_path: Path) -> None:
    message = "From: a@b.c\r\nTo: x@y.z\r\nSubject: hello\r\n\r\nbody\r\n"
    with hosting(tmp_path) as host:
        name, port = host.smtp
        with smtplib.SMTP(name, port, timeout=10) as client:
            client.login("user", "password")
            assert client.sendmail("a@b.c", ["x@y.z", "w@y.z"], message) == {}
        asyncio.run(aiosmtplib.send(message, sender="a@b.c", recipients=["x@y.z"], hostname=name, port=port))
        subprocess.run(
            [
                "curl",
                "-sS",
                f"smtp://{name}:{port}",
                "--mail-from",
                "a@b.c",
                "--mail-rcpt",
                "x@y.z",
                "--user",
                "u:p",
                "-T",
                "-",
            ],
            input=message.encode(),
            check=True,
            timeout=20,
        )
        mails = host.wait_for("email received", 3)
        assert [len(mail["to"]) for mail in mails] == [2, 1, 1]
        assert {mail["size"] for mail in mails} == {len(message)}


test_real_clients_deliver = pytest.mark.program("curl")(test_real_clients_deliver)


def test_two_hundred_sessions_of_three_messages_lose_none(tmp_path: Path) -> None:
    async def session(name: str, port: int, number: int) -> None:
        async with aiosmtplib.SMTP(hostname=name, port=port, timeout=30) as client:
            for each in range(3):
                await client.sendmail(f"{number}.{each}@b.c", ["x@y.z"], "Subject: hi\r\n\r\nhello\r\n")

    async def everybody(name: str, port: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(session(name, port, number))

    with hosting(tmp_path, logs={"level": "info"}) as host:
        asyncio.run(everybody(*host.smtp))
        mails = host.wait_for("email received", 600)
        assert len({mail["from"] for mail in mails}) == len(mails) == 600
        eventually(lambda: host.rrpy("rpc", "smtp.ListConnections").stdout == "[]\n", "no connection is left")


def test_a_graceful_stop_ends_idle_sessions_and_lets_a_message_finish(tmp_path: Path) -> None:
    with hosting(tmp_path) as host, BlockingClient(host.smtp) as idle, BlockingClient(host.smtp) as sending:
        workers = host.workers()
        idle.line()
        idle.say("EHLO x")
        sending.begin()
        host.process.terminate()
        host.wait_for("host is stopping", reason="SIGTERM")
        assert idle.rest() == "421 4.3.2 Service is shutting down\r\n"
        sending.send("the end\r\n.")
        assert sending.rest() == "250 OK: message accepted\r\n421 4.3.2 Service is shutting down\r\n"
        sending.__exit__()
        idle.__exit__()
        assert host.wait() == 0
        assert host.named("email received")
        assert not workers or host.named("host stopped")


def test_what_is_not_finished_at_the_end_of_the_grace_period_is_cut(tmp_path: Path) -> None:
    with hosting(tmp_path, endure={"grace_period": "300ms"}) as host, BlockingClient(host.smtp) as sending:
        sending.begin()
        assert host.stop() == 0
        assert host.named("plugin was cut off", plugin="smtp")
        assert sending.rest() == "421 4.3.2 Service is shutting down\r\n"


def test_the_pool_is_up_and_idle_and_knows_its_mode(tmp_path: Path) -> None:
    with hosting(tmp_path, smtp={"pool": {"num_workers": 2}}, server={"env": {"GREETING": "hello"}}) as host:
        workers = host.workers()
        assert len(set(workers)) == 2
        for pid in workers:
            environ = Path(f"/proc/{pid}/environ").read_text().split("\0")
            for expected in ("RR_MODE=smtp", "RR_RELAY=pipes", "GREETING=hello", f"RR_RPC=unix://{tmp_path}/rpc.sock"):
                assert expected in environ
        states = json.loads(host.rrpy("rpc", "informer.Workers", "smtp").stdout)["workers"]
        assert {state["statusStr"] for state in states} == {"ready"}
        assert {state["numExecs"] for state in states} == {0}


def test_smtp_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "smtp.sock"
    with hosting(tmp_path, smtp={"addr": f"unix://{path}"}) as host:
        assert path.stat().st_mode & 0o777 == 0o600
        with BlockingClient(str(path)) as client:
            client.begin()
            assert client.say("hi\r\n.") == "250 OK: message accepted"
        host.wait_for("email received", remote_addr="unix")
    assert not path.exists()


def test_lmtp_on_a_unix_socket_answers_for_every_recipient(tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    with hosting(tmp_path, smtp={"addr": f"unix://{path}", "lmtp": True}) as host:
        with smtplib.LMTP(str(path)) as client:
            client.ehlo()
            # One recipient: smtplib reads one reply, whatever RFC 2033 section 4.2 says.
            assert client.sendmail("a@b.c", ["x@y.z"], "Subject: hi\r\n\r\nhello\r\n") == {}
        with BlockingClient(str(path)) as person:
            assert person.line() == "220 buggregator.local LMTP"
            for command in ("LHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@y.z>", "RCPT TO:<w@y.z>"):
                assert person.say(command).startswith("250 ")
            person.say("DATA")
            assert person.say("hi\r\n.") == "250 OK: message accepted"
            assert person.line() == "250 OK: message accepted"
            assert person.say("NOOP") == "250 OK"
        assert len(host.wait_for("email received", 2)) == 2
