"""Plugins that see mail: the host calls each of them before it replies to the client, through the real command."""

from __future__ import annotations

import json
import smtplib
from pathlib import Path

import pytest
from support.container.host import Host, hosting
from support.smtp_plugin.client import BlockingClient

pytestmark = pytest.mark.usefixtures("measured")

KEEPER = '''
import json

import anyio


class Keeper:
    """Writes down every message; one whose subject is 'boom' is too much for it."""

    name = "keeper"

    def init(self) -> None:
        self.end = anyio.Event()

    async def serve(self, *, task_status) -> None:
        task_status.started()
        await self.end.wait()

    async def stop(self) -> None:
        self.end.set()

    async def mail_received(self, mail) -> None:
        if mail.message.subject == "boom":
            raise RuntimeError("boom")
        seen = {
            "id": mail.id, "uuid": mail.uuid, "remote_addr": mail.remote_addr, "helo": mail.helo, "from": mail.sender,
            "to": mail.to, "at": mail.at, "authentication": mail.authentication, "content": mail.content.decode(),
            "code": mail.code, "reply": mail.reply, "reason": mail.reason, "transcript": list(mail.transcript),
            "subject": mail.message.subject,
        }
        with open("kept", "a") as file:
            file.write(json.dumps(seen) + "\\n")
'''
MAIL = "Subject: {}\r\n\r\nhello\r\n"


def keeping(folder: Path, **smtp: object):
    (folder / "keeper.py").write_text(KEEPER)
    return hosting(folder, plugins=["keeper:Keeper"], smtp=smtp)


def kept(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "kept").read_text().splitlines()]


def send(host: Host, subject: str = "one") -> None:
    with smtplib.SMTP(*host.smtp) as client:
        client.ehlo("client.example")
        client.login("user", "secret")
        client.sendmail("a@b.c", ["x@y.z", "q@y.z"], MAIL.format(subject))


def test_an_observer_has_the_message_before_its_client_has_the_answer(tmp_path):
    with keeping(tmp_path) as host:
        send(host)
        (mail,) = kept(tmp_path)
        (line,) = host.wait_for("email received")
    assert (line["id"], line["uuid"], line["code"]) == (mail["id"], mail["uuid"], 250)
    assert (mail["from"], mail["to"], mail["helo"]) == ("a@b.c", ["x@y.z", "q@y.z"], "client.example")
    assert mail["content"] == MAIL.format("one")
    assert mail["subject"] == "one"
    assert mail["authentication"][1:] == ["user", "secret"]
    assert (mail["code"], mail["reply"], mail["reason"]) == (250, "OK: message accepted", "")
    assert mail["remote_addr"].startswith("127.0.0.1:")


def test_the_transcript_has_both_sides_of_the_session_and_no_secrets(tmp_path):
    with keeping(tmp_path) as host:
        send(host)
        (mail,) = kept(tmp_path)
    transcript = mail["transcript"]
    assert transcript[0].startswith("S: 220 buggregator.local")
    assert transcript[1] == "C: ehlo client.example"
    # smtplib writes its verbs in this case or that, as Python's version has it
    assert [line.lower() for line in transcript[-7:]] == [
        "s: 250 ok",
        "c: rcpt to:<q@y.z>",
        "s: 250 ok",
        "c: data",
        "s: 354 start mail input",
        f"c: ({len(MAIL.format('one'))} bytes of message)",
        "s: 250 ok: message accepted",
    ]
    assert any(line.startswith("C: AUTH") and line.endswith("***") for line in transcript), transcript
    assert "c2VjcmV0" not in str(transcript)  # secret, as AUTH LOGIN would say it


def test_each_message_of_a_session_has_its_own_lines(tmp_path):
    """The transcript of the 200th message on a kept connection had the lines of those before it, 25 KB of them."""
    with keeping(tmp_path) as host:
        with smtplib.SMTP(*host.smtp) as client:
            for name in ("one", "two", "three"):
                client.sendmail("a@b.c", "x@y.z", MAIL.format(name))
        transcripts = [mail["transcript"] for mail in kept(tmp_path)]
    assert transcripts[0][0].startswith("S: 220 ")
    for transcript, name in zip(transcripts[1:], ("two", "three"), strict=True):
        assert [line.lower().partition(" size=")[0] for line in transcript] == [
            "c: mail from:<a@b.c>",
            "s: 250 ok",
            "c: rcpt to:<x@y.z>",
            "s: 250 ok",
            "c: data",
            "s: 354 start mail input",
            f"c: ({len(MAIL.format(name))} bytes of message)",
            "s: 250 ok: message accepted",
        ]


def test_a_message_that_an_observer_does_not_take_is_refused_for_now_and_the_session_goes_on(tmp_path):
    with keeping(tmp_path) as host:
        with smtplib.SMTP(*host.smtp) as client:
            with pytest.raises(smtplib.SMTPDataError) as refusal:
                client.sendmail("a@b.c", "x@y.z", MAIL.format("boom"))
            assert refusal.value.smtp_code == 451
            client.sendmail("a@b.c", "x@y.z", MAIL.format("two"))
        (line,) = host.wait_for("observer failed")
        assert line["observer"] == "keeper"
        assert [mail["subject"] for mail in kept(tmp_path)] == ["two"]


def test_a_workers_verdict_is_told_and_stands_whatever_an_observer_makes_of_it(tmp_path):
    (tmp_path / "refuser.py").write_text(
        "from rrpy.worker import Accept, Reject\n\n\n"
        "def handle(email):\n    return Reject(550, 'no') if email.subject == 'bad' else Accept()\n"
    )
    (tmp_path / "keeper.py").write_text(KEEPER)
    server = {"command": "python -m rrpy.worker refuser:handle"}
    with hosting(tmp_path, plugins=["keeper:Keeper"], server=server, smtp={"deliver": "workers"}) as host:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            send(host, "bad")
        assert refusal.value.smtp_code == 550
        send(host, "boom")
        host.wait_for("observer failed")
    (mail,) = kept(tmp_path)
    assert (mail["subject"], mail["code"], mail["reply"]) == ("bad", 550, "5.0.0 no")


def test_an_observer_is_there_until_the_last_session_has_ended(tmp_path):
    with keeping(tmp_path) as host, BlockingClient(host.smtp) as client:
        client.begin()
        host.process.terminate()
        host.wait_for("host is stopping")
        assert client.say(MAIL.format("late") + ".").startswith("250")
        assert host.wait() == 0
    assert [mail["subject"] for mail in kept(tmp_path)] == ["late"]
