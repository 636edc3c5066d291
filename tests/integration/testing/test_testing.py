"""The pytest plugin, as other people use it: in a pytest of its own, and side by side."""

from __future__ import annotations

import re
import smtplib
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.docs.pages import page, write_files

from rrpy.testing import Catcher


def send(smtp: Catcher, to: str = "x@y.z", subject: str = "Hello", **login: str) -> None:
    with smtplib.SMTP(smtp.host, smtp.port) as client:
        if login:
            client.login(login["username"], login["password"])
        client.sendmail("a@b.c", [to], f"Subject: {subject}\n\nHi there\n")


@pytest.mark.parametrize("options", [[], ["-n", "2"]])
def test_the_page_s_tests_pass_alone_and_side_by_side(tmp_path: Path, options: list[str]) -> None:
    write_files(page("docs/how-to/testing.md"), tmp_path)
    (tmp_path / "test_order.py").unlink()  # it needs `rrpy catch`, beside which the page's other test runs it
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r"^[4-9] passed", run.stdout, re.MULTILINE), run.stdout + run.stderr
    assert run.returncode == 0


def test_the_plugin_costs_a_pytest_that_does_not_use_it_no_import_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n\ndef test_nothing():\n    assert not [name for name in sys.modules if 'smtp' in name]\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in run.stdout, run.stdout


def test_each_mail_is_expected_once_and_in_order(rr_smtp: Catcher) -> None:
    for subject in ("one", "two", "one"):
        send(rr_smtp, subject=subject)
    assert rr_smtp.expect(subject="one") is rr_smtp.mails[0]
    assert rr_smtp.expect(subject="one") is rr_smtp.mails[2]
    assert rr_smtp.expect() is rr_smtp.mails[1]
    with pytest.raises(AssertionError):
        rr_smtp.expect(timeout=0.01)
    rr_smtp.clear()
    assert rr_smtp.mails == []


def test_a_mail_that_comes_later_is_waited_for(rr_smtp: Catcher) -> None:
    later = threading.Timer(0.1, send, [rr_smtp])
    later.start()
    mail = rr_smtp.expect(to="x@y.z", sender="a@b.c", subject=re.compile("^Hel"), timeout=20)
    later.join()
    assert (mail.text, mail.html, mail.header("SUBJECT"), mail.header("nothing")) == ("Hi there\n", "", "Hello", None)
    assert mail.raw == b"Subject: Hello\r\n\r\nHi there\r\n"


def test_a_mail_has_the_parsed_fields_of_an_event(rr_smtp: Catcher) -> None:
    head = "From: =?utf-8?q?M=C3=BCller=2C_Eva?= <eva@b.c>\nTo: G: x@y.z;\nContent-Type: text/html\n"
    with smtplib.SMTP(rr_smtp.host, rr_smtp.port) as client:
        client.sendmail("a@b.c", ["x@y.z"], f"{head}\n<p>Hi <b>Ann", ["RET=HDRS"], ["NOTIFY=NEVER"])
    mail = rr_smtp.expect()
    assert [(each.name, each.address) for each in mail.from_] == [("Müller, Eva", "eva@b.c")]
    assert [each.address for each in mail.to] == ["x@y.z"]
    assert (mail.text, mail.text_from_html) == ("", "Hi Ann")
    assert mail.parameters["RET"] == "HDRS"
    assert mail.recipient_parameters == ({"NOTIFY": "NEVER"},)


def test_addresses_and_subjects_fit_as_in_the_api_of_the_inbox(rr_smtp: Catcher) -> None:
    """They fitted in the case of the mail only."""
    for _ in range(3):
        send(rr_smtp, subject="Welcome, Ann")
    rr_smtp.expect(to="X@Y.z", sender="A@b.C", subject="welcome, ann", timeout=0)
    rr_smtp.expect(to="*@y.z", sender="a@*", subject="Welcome", timeout=0)
    for wanted in ({"to": "=x"}, {"to": "xx@y.z"}, {"sender": "=a"}, {"subject": re.compile("welcome")}):
        with pytest.raises(AssertionError):
            rr_smtp.expect(**wanted, timeout=0)


def test_what_did_not_come_is_told_with_what_came(rr_smtp: Catcher) -> None:
    with pytest.raises(AssertionError, match=r"no mail within 0\.01 s; received:\n  nothing$"):
        rr_smtp.expect(timeout=0.01)
    send(rr_smtp)
    rr_smtp.expect()
    with pytest.raises(AssertionError) as caught:
        rr_smtp.expect(to="ann@x.y", subject=re.compile("Wel"), timeout=0.01)
    assert str(caught.value).splitlines() == [
        "no mail with to='ann@x.y', subject='~Wel' within 0.01 s; received:",
        "  <a@b.c> -> x@y.z | Hello",
        "      to: 'x@y.z' does not fit 'ann@x.y'",
        "      subject: 'Hello' does not fit '~Wel'",
    ]


def test_what_was_refused_is_told_and_fits_nothing(rr_smtp: Catcher) -> None:
    with smtplib.SMTP(rr_smtp.host, rr_smtp.port) as client:
        client.ehlo()
        client.docmd("MAIL FROM:<a b@c.d>")
    with pytest.raises(AssertionError) as caught:
        rr_smtp.expect(timeout=0)
    assert str(caught.value).splitlines()[1:] == [
        "  nothing",
        "refused:",
        "  MAIL FROM:<a b@c.d> | 501 5.1.7 Bad sender address syntax",
    ]
    rr_smtp.clear()
    with pytest.raises(AssertionError, match=r"nothing$"):
        rr_smtp.expect(timeout=0)


def test_what_a_client_says_of_itself_is_caught(rr_smtp: Catcher) -> None:
    send(rr_smtp, username="ann", password="secret")
    mail = rr_smtp.expect()
    assert (mail.username, mail.password) == ("ann", "secret")
    assert mail.helo


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_both_addresses_of_localhost_have_the_port(rr_smtp: Catcher, host: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with smtplib.SMTP(host, rr_smtp.port) as client:
        client.sendmail("a@b.c", ["x@y.z"], "Subject: here\r\n\r\nx")
    assert rr_smtp.expect().subject == "here"


def test_a_server_that_cannot_come_up_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catcher, "listen", "203.0.113.1")
    with pytest.raises(Exception, match="cannot listen on"), Catcher():
        pytest.fail("it came up")


def test_no_number_of_recipients_is_too_many(rr_smtp: Catcher) -> None:
    recipients = [f"{number}@y.z" for number in range(150)]
    with smtplib.SMTP(rr_smtp.host, rr_smtp.port) as client:
        assert client.sendmail("a@b.c", recipients, "x") == {}
    assert rr_smtp.expect().recipients == tuple(recipients)


def test_the_server_fails_by_rule_while_a_block_runs() -> None:
    with Catcher(rules=[{"at": "rcpt", "to": "*@full.example", "reply": "452 4.2.2 Mailbox full"}]) as smtp:
        with smtp.mailbox() as box, box.rule("spamtrap", subject="*win*", sender="a@*") as rule:
            for subject, code in (("You win", 554), ("Hello", 0)):
                if code:
                    with pytest.raises(smtplib.SMTPDataError, match="554"):
                        send(smtp, subject=subject)
                else:
                    send(smtp, subject=subject)
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                send(smtp, to="x@full.example")
        send(smtp, subject="You win")
        assert (rule.hits, rule.seen) == (1, 1)
        assert [each.subject for each in smtp.mails] == ["Hello", "You win"]
        with pytest.raises(ValueError, match="the stages are connect"), smtp.rule(reply="452 4.2.2 Full"):
            pass
