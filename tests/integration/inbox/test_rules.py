"""The rules by which the server fails on purpose: by the configuration, the inbox's API, RPC and the command line."""

from __future__ import annotations

import json
import smtplib
import subprocess
from pathlib import Path

import pytest
from support.container.host import RRPY
from support.inbox.host import inbox
from support.waiting import TIMEOUT

FULL = {"at": "rcpt", "to": "*@full.example", "reply": "452 4.2.2 Mailbox full", "times": 1}


def refusal(client: smtplib.SMTP, to: str) -> int:
    client.ehlo_or_helo_if_needed()
    client.mail("a@b.c")
    code, _ = client.rcpt(to)
    client.rset()
    return code


def test_rules_are_changed_while_the_host_runs(tmp_path: Path) -> None:
    with (
        inbox(tmp_path, smtp={"rules": [FULL, "greylist"]}, mailbox_by="recipient") as (host, client),
        smtplib.SMTP(*host.smtp) as smtp,
    ):
        assert [refusal(smtp, "ann@full.example") for _ in range(3)] == [452, 450, 250]
        listed = client.get("rules").json()["rules"]
        assert [(each["number"], each["hits"], each["seen"]) for each in listed] == [(1, 1, 3), (2, 1, 2)]
        assert listed[0]["rule"] == FULL
        assert client.delete("rules/2").status_code == 204
        assert client.delete("rules/2").json()["detail"] == "there is no rule 2"
        mine = client.post("rules?mailbox=Bob@b.c", json={"at": "rcpt", "reply": "550 5.1.1 Gone"}).json()["rule"]
        assert mine["rule"]["mailbox"] == "bob@b.c"
        assert [refusal(smtp, to) for to in ("bob@b.c", "eve@b.c")] == [550, 250]
        wrong = client.put("rules", json={"rules": ["slow", {"at": "mail", "mailbox": "x", "drop": True}]})
        assert wrong.status_code == 400
        assert "mailbox is not known at mail; by inbox.mailbox_by it is from rcpt on" in wrong.json()["detail"]
        assert client.post("rules", content=b"[").status_code == 400
        assert client.post("rules?mailbox=a*", json="full").status_code == 400
        assert client.post("rules?mailbox=a", json={"preset": "full", "mailbox": "b"}).status_code == 400
        assert client.delete("rules?mailbox=bob@b.c").json() == {"removed": 1}
        assert client.put("rules", json={"rules": ["full"]}).json()["rules"][0]["rule"] == {"preset": "full"}
        assert refusal(smtp, "bob@b.c") == 452
        assert client.delete("rules").json() == {"removed": 1}


def test_a_client_sees_a_dropped_connection(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        client.post("rules", json={"at": "message", "drop": True, "times": 1})
        with smtplib.SMTP(*host.smtp) as smtp, pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.sendmail("a@b.c", "x@y.z", "Subject: Hello\n\nx")
        with smtplib.SMTP(*host.smtp) as smtp:
            smtp.sendmail("a@b.c", "x@y.z", "Subject: Hello\n\nx")
        assert client.get("messages").json()["total"] == 1
        assert client.get("refusals").json()["refusals"][0]["setting"] == "smtp.rules: 1"


def test_the_command_for_one_mailbox_changes_no_rule_of_another(tmp_path: Path) -> None:
    def rules(*arguments: str) -> tuple[int, str]:
        command = [*RRPY, "rules", "--address", f"unix://{tmp_path}/rpc.sock", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        return done.returncode, done.stdout or done.stderr

    with inbox(tmp_path, mailbox_by="recipient"):
        code, added = rules("add", "full", "--mailbox", "a@b.c", "--json")
        assert (code, json.loads(added)[0]["rule"]) == (0, {"preset": "full", "mailbox": "a@b.c"})
        other = ("add", "full", "mailbox=a@b.c", "--mailbox", "x@y.z")
        assert rules(*other) == (2, "rrpy: mailbox is 'a@b.c'; the rule must be of 'x@y.z'\n")
        assert rules("remove", "1", "--mailbox", "x@y.z") == (1, "rrpy: the mailbox x@y.z has no rule 1\n")
        assert rules("remove", "1", "--mailbox", "a@b.c") == (0, "rule 1 is removed\n")
