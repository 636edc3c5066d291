"""Mail becomes an event, a worker decides: through the real command, with real workers and clients."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import struct
import sys
import threading
from base64 import b64decode
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from pathlib import Path

import pytest
from support.container.host import hosting
from support.smtp_plugin.client import BlockingClient
from support.waiting import eventually
from support.worker.delivery import delivering, seen


def transaction(client: BlockingClient, to: str, text: str = "Subject: x\r\n\r\nhello") -> str:
    """Send a message and return the last reply."""
    assert client.say("MAIL FROM:<a@b.c>").startswith("250")
    assert client.say(f"RCPT TO:<{to}>").startswith("250")
    assert client.say("DATA").startswith("354")
    return client.say(f"{text}\r\n.")


def ready(host) -> BlockingClient:
    client = BlockingClient(host.smtp)
    client.line()
    client.say("EHLO client.example")
    return client


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <ann@example.com>", "Bob <bob@example.com>", "Grüße"
    message["Message-ID"] = "<1@example.com>"
    message.set_content("Hällo\n")
    message.add_alternative("<b>Hällo</b>\n", subtype="html")
    message.add_attachment(b"\x00\x01" * 500, maintype="application", subtype="pdf", filename="../../sneaky.pdf")
    return message


def test_a_worker_gets_the_whole_event_before_the_client_gets_its_250(tmp_path):
    content = mail().as_bytes(policy=SMTP)
    with delivering(tmp_path, headers="all") as host, smtplib.SMTP(*host.smtp) as client:
        client.ehlo("client.example")
        client.login("user", "pass")
        client.sendmail(
            "sender@example.com",
            ["bob@example.com", "eve@example.com"],
            content,
            ["BODY=8BITMIME", "RET=HDRS"],
            ["NOTIFY=NEVER"],
        )
        (record,) = seen(tmp_path)  # it exists at once, because 250 follows the worker's answer
        event = record["event"]
        assert list(event) == [
            "event", "id", "uuid", "remote_addr", "received_at", "envelope", "authentication", "message",
            "attachments", "defects",
        ]  # fmt: skip
        (connection,) = json.loads(host.rrpy("rpc", "smtp.ListConnections").stdout)
        assert (event["event"], event["uuid"]) == ("EMAIL_RECEIVED", connection["uuid"])
        assert event["remote_addr"] == connection["remote_addr"]
        assert event["envelope"] == {
            "from": "sender@example.com",
            "to": ["bob@example.com", "eve@example.com"],
            "helo": "client.example",
            "parameters": {"SIZE": str(len(content)), "BODY": "8BITMIME", "RET": "HDRS"},
            "recipients": [
                {"address": "bob@example.com", "parameters": {"NOTIFY": "NEVER"}},
                {"address": "eve@example.com", "parameters": {"NOTIFY": "NEVER"}},
            ],
        }
        authentication = {"attempted": True, "mechanism": "PLAIN", "username": "user", "password": "pass"}
        assert event["authentication"] in (authentication, authentication | {"mechanism": "LOGIN"})
        message = event["message"]
        assert (message["subject"], message["body"], message["html_body"]) == (
            "Grüße",
            "Hällo\r\n",
            "<b>Hällo</b>\r\n",
        )
        assert message["headers"]["To"] == ["Bob <bob@example.com>"]
        assert "1@example.com" in message["id"]
        assert message["from"] == [{"name": "Ann", "address": "ann@example.com"}]
        assert (message["to"], message["cc"]) == ([{"name": "Bob", "address": "bob@example.com"}], [])
        assert message["date"] is None
        assert message["headers_list"][:2] == [["From", "Ann <ann@example.com>"], ["To", "Bob <bob@example.com>"]]
        assert ["Subject", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="] in message["headers_list"]
        assert "text_from_html" not in message
        (attachment,) = event["attachments"]
        assert b64decode(attachment.pop("content")) == b"\x00\x01" * 500
        assert attachment == {
            "filename": "sneaky.pdf",
            "content_type": "application/pdf",
            "size": 1000,
            "content_id": "",
            "inline": False,
            "disposition": "attachment",
            "description": "",
            "parameters": {},
            "related": False,
            "sha256": sha256(b"\x00\x01" * 500).hexdigest(),
        }
        assert (event["defects"], record["raw"]) == (["filename-cleaned"], "")
    assert not host.named("email received", password="pass")


@pytest.mark.parametrize(
    ("to", "reply"),
    [
        ("accept@x.y", "250 OK: message accepted"),
        ("text@x.y", "451 4.3.0 Temporary failure"),
        ("code+250@x.y", "250 as the worker says"),
        ("code+550@x.y", "550 5.0.0 as the worker says"),
        ("code+451@x.y", "451 4.0.0 as the worker says"),
        ("code+354@x.y", "451 4.3.0 Temporary failure"),
        ("code+999@x.y", "451 4.3.0 Temporary failure"),
        ("soft@x.y", "451 4.3.0 Temporary failure"),
        ("die@x.y", "451 4.3.0 Temporary failure"),
    ],
)
def test_the_worker_s_answer_is_the_client_s_reply_and_the_session_goes_on(tmp_path, to, reply):
    with delivering(tmp_path, workers=2) as host, ready(host) as client:
        assert transaction(client, to) == reply
        assert transaction(client, "accept@x.y") == "250 OK: message accepted"
        assert client.say("NOOP") == "250 OK"
        reasons = {"soft@x.y": "not this one", "die@x.y": "died with status 3"}
        if to in reasons:
            (line,) = host.wait_for("email not accepted")
            assert reasons[to] in line["reason"]
            assert line["id"] == seen(tmp_path)[0]["event"]["id"]
        elif to in ("text@x.y", "code+354@x.y", "code+999@x.y"):
            (line,) = host.wait_for("answer without a verdict")
            assert line["level"] == "error"
            assert ("whatever" if to == "text@x.y" else to[5:8]) in line["reason"]


@pytest.mark.parametrize(("to", "last"), [("close@x.y", "421 4.3.0 Closing connection\r\n"), ("code+421@x.y", "")])
def test_a_worker_may_end_the_session(tmp_path, to, last):
    with delivering(tmp_path) as host, ready(host) as client:
        first = "250 OK: message accepted" if last else "421 4.0.0 as the worker says"
        assert transaction(client, to) == first
        assert client.rest() == last


def test_over_lmtp_the_answer_holds_for_every_recipient(tmp_path):
    with delivering(tmp_path, lmtp=True) as host, BlockingClient(host.smtp) as client:
        client.line()
        client.say("LHLO x")
        client.say("MAIL FROM:<a@b.c>")
        for to in ("code+550@x.y", "accept@x.y"):
            assert client.say(f"RCPT TO:<{to}>") == "250 OK"
        client.say("DATA")
        client.send("hello\r\n.")
        assert [client.line() for _ in range(2)] == ["550 5.0.0 as the worker says"] * 2


def test_over_lmtp_a_worker_may_answer_each_recipient(tmp_path):
    with delivering(tmp_path, lmtp=True) as host, BlockingClient(host.smtp) as client:
        client.line()
        client.say("LHLO x")
        client.say("MAIL FROM:<a@b.c>")
        for to in ("each+250@x.y", "each+550@x.y", "each+451@x.y"):
            assert client.say(f"RCPT TO:<{to}>") == "250 OK"
        client.say("DATA")
        client.send("hello\r\n.")
        said = [client.line() for _ in range(3)]
        assert said == ["250 it says 250", "550 5.0.0 it says 550", "451 4.0.0 it says 451"]
        assert client.say("NOOP") == "250 OK"
    (record,) = host.named("email received")
    assert record["replies"] == ["250 it says 250", "550 it says 550", "451 it says 451"]


def test_with_include_raw_the_worker_has_the_message_byte_for_byte(tmp_path):
    with delivering(tmp_path, include_raw=True) as host, ready(host) as client:
        client.say("MAIL FROM:<a@b.c> BODY=8BITMIME")
        client.say("RCPT TO:<accept@x.y>")
        client.say("DATA")
        client.socket.sendall(b"Subject: x\r\n\r\n..dot\r\n\xff\x00 bare\nnewline\r\n.\r\n")
        assert client.line() == "250 OK: message accepted"
        (record,) = seen(tmp_path)
        assert b64decode(record["raw"]) == b"Subject: x\r\n\r\n.dot\r\n\xff\x00 bare\nnewline\r\n"
        assert record["event"]["message"]["size"] == len(b64decode(record["raw"]))


def test_attachments_may_be_files_whose_names_are_ours_and_which_go_with_the_host(tmp_path):
    place = {"mode": "tempfile", "temp_dir": str(tmp_path / "files")}
    with delivering(tmp_path, attachment_storage=place) as host, smtplib.SMTP(*host.smtp) as client:
        client.send_message(mail(), "sender@example.com", ["accept@x.y"])
        (record,) = seen(tmp_path)
        (attachment,) = record["event"]["attachments"]
        path = Path(attachment["path"])
        assert b64decode(attachment["read"]) == b"\x00\x01" * 500
        assert (attachment["mode"], attachment["filename"]) == (0o600, "sneaky.pdf")
        assert path.name == f"{record['event']['id']}-1"
        assert path.is_relative_to(tmp_path / "files")
        assert "content" not in attachment
        assert path.exists()
        with pytest.raises(smtplib.SMTPDataError):
            client.send_message(mail(), "sender@example.com", ["soft@x.y"])
        refused = Path(seen(tmp_path)[1]["event"]["attachments"][0]["path"])
        assert not refused.exists()
    assert not path.exists()
    assert list((tmp_path / "files").iterdir()) == []


def test_a_folder_for_attachments_that_cannot_be_used_ends_the_start_with_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    place = {"mode": "tempfile", "temp_dir": str(tmp_path / "file")}
    with pytest.raises(AssertionError), delivering(tmp_path, attachment_storage=place) as host:
        pytest.fail(f"it came up: {host}")


def test_while_the_queue_is_full_mail_is_refused_for_now_before_it_is_sent(tmp_path):
    with delivering(tmp_path, pool={"max_queue_size": 1}) as host, ready(host) as first, ready(host) as second:
        for command in ("MAIL FROM:<a@b.c>", "RCPT TO:<wait@x.y>", "DATA"):
            first.say(command)
        first.send("x\r\n.")
        eventually((tmp_path / "seen" / "waiting").exists, "the worker waits")
        assert second.say("MAIL FROM:<a@b.c>") == "452 4.3.1 Insufficient system storage, try again later"
        (tmp_path / "seen" / "gate").touch()
        assert first.line() == "250 OK: message accepted"
        assert second.say("MAIL FROM:<a@b.c>") == "250 OK"


def test_a_stop_lets_a_delivery_under_way_finish(tmp_path):
    with delivering(tmp_path) as host, ready(host) as client:
        for command in ("MAIL FROM:<a@b.c>", "RCPT TO:<wait@x.y>", "DATA"):
            client.say(command)
        client.send("x\r\n.")
        eventually((tmp_path / "seen" / "waiting").exists, "the worker waits")
        host.process.send_signal(signal.SIGTERM)
        host.wait_for("host is stopping")
        (tmp_path / "seen" / "gate").touch()
        assert client.rest() == "250 OK: message accepted\r\n421 4.3.2 Service is shutting down\r\n"
        assert host.wait() == 0


@pytest.mark.parametrize("large", [False, True])
def test_at_the_end_of_the_grace_a_client_that_waits_is_told_to_come_again(tmp_path, large):
    with delivering(tmp_path, pool={"destroy_timeout": "100ms"}, endure={"grace_period": "200ms"}) as host:
        with ready(host) as client:
            for command in ("MAIL FROM:<a@b.c>", "RCPT TO:<wait@x.y>", "DATA"):
                client.say(command)
            client.send("x\r\n" * (100_000 if large else 1) + ".")
            eventually((tmp_path / "seen" / "waiting").exists, "the worker waits")
            host.process.send_signal(signal.SIGTERM)
            assert client.rest() == "421 4.3.2 Service is shutting down\r\n"
        host.wait()
        (line,) = host.wait_for("email received")
        assert (line["code"], line["reply"]) == (421, "Service is shutting down")


def test_a_client_that_is_gone_changes_nothing_for_the_worker(tmp_path):
    with delivering(tmp_path) as host:
        with ready(host) as client:
            for command in ("MAIL FROM:<a@b.c>", "RCPT TO:<wait@x.y>", "DATA"):
                client.say(command)
            client.send("x\r\n.")
            eventually((tmp_path / "seen" / "waiting").exists, "the worker waits")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        host.wait_for("connection closed")
        (tmp_path / "seen" / "gate").touch()
        (line,) = host.wait_for("email received")
        assert (line["code"], line["reply"]) == (250, "OK: message accepted")


def test_without_any_worker_mail_is_refused_for_now_at_once(tmp_path):
    command = ["sh", "-c", f"test ! -e broken || exit 3; exec {sys.executable} -m rrpy.worker mail_handlers:decide"]
    with delivering(tmp_path, pool={"command": command}) as host, ready(host) as client:
        (tmp_path / "broken").touch()
        assert transaction(client, "die@x.y") == "451 4.3.0 Temporary failure"
        host.wait_for("workers keep dying, next start after a pause", count=3)
        assert transaction(client, "accept@x.y") == "451 4.3.0 Temporary failure"
        assert "no worker is alive" in host.wait_for("email not accepted", count=2)[-1]["reason"]
        assert client.say("NOOP") == "250 OK"


def test_large_mail_is_delivered_and_others_are_served_meanwhile(tmp_path):
    message = mail()
    content = os.urandom(6 * 1024 * 1024)
    message.add_attachment(content, maintype="application", subtype="zip", filename="big.zip")
    replies = []
    with delivering(tmp_path, workers=2, max_message_size=2**25) as host, ready(host) as other:

        def send() -> None:
            with smtplib.SMTP(*host.smtp) as client:
                replies.append(client.send_message(message, "sender@example.com", ["accept@x.y"]))

        sender = threading.Thread(target=send)
        sender.start()
        while sender.is_alive():
            assert other.say("NOOP") == "250 OK"
            sender.join(0.05)  # thousands of commands without a message would end the session
        sender.join()
        assert replies == [{}]
        event = seen(tmp_path)[0]["event"]
        assert b64decode(event["attachments"][1]["content"]) == content


def test_wait_tells_of_mail_as_it_comes_with_the_worker_s_verdict(tmp_path):
    with delivering(tmp_path) as host, ready(host) as client:
        transaction(client, "accept@x.y", "Subject: one\r\n\r\n1")
        transaction(client, "code+550@x.y", "Subject: two\r\n\r\n2")
        transaction(client, "soft@x.y", "Subject: three\r\n\r\n3")
        result = json.loads(host.rrpy("rpc", "smtp.Wait", '{"cursor": 0}').stdout)
        listed = [(each["subject"], each["code"], each["reply"], each["reason"]) for each in result["messages"]]
        assert listed == [
            ("one", 250, "OK: message accepted", ""),
            ("two", 550, "5.0.0 as the worker says", ""),
            ("three", 451, "4.3.0 Temporary failure", "not this one"),
        ]
        assert [each["id"] for each in result["messages"]] == [each["event"]["id"] for each in seen(tmp_path)]
        assert result["messages"][0]["from"] == "a@b.c"
        waiting = threading.Thread(
            target=lambda: result.update(json.loads(host.rrpy("rpc", "smtp.Wait", '{"cursor": 3}').stdout))
        )
        waiting.start()
        transaction(client, "accept@x.y", "Subject: four\r\n\r\n4")
        waiting.join()
        assert [each["subject"] for each in result["messages"]] == ["four"]
        waiting = threading.Thread(target=lambda: result.update(json.loads(host.rrpy("rpc", "smtp.Wait").stdout)))
        waiting.start()
        while waiting.is_alive():
            transaction(client, "accept@x.y", "Subject: five\r\n\r\n5")
        waiting.join()
        assert {each["subject"] for each in result["messages"]} == {"five"}


def test_wait_refuses_nonsense_in_one_sentence(tmp_path):
    with hosting(tmp_path) as host:
        for argument in ('{"cursor": -1}', '{"timeout": 1e9}', '{"curser": 1}', "5", "[]"):
            run = host.rrpy("rpc", "smtp.Wait", argument)
            assert (run.returncode, run.stderr.count("\n")) == (1, 1), run.stderr
