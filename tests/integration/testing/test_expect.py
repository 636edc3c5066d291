"""What calls of the fixture get: one mail, several, none, from threads and event loops, with claims and mailboxes."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import django
import psutil
import pytest
import trustme
from django.conf import settings
from django.core import mail as django_mail
from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType
from flask import Flask
from flask_mail import Mail as FlaskMail
from support.waiting import eventually

from rrpy.testing import Catcher, Mailbox


@pytest.fixture
def quiet(rr_smtp_server: Catcher) -> Iterator[None]:
    """Wait for the server, which outlives the test, to close its ends of the test's connections."""
    process = psutil.Process()
    before = process.num_fds()
    yield
    eventually(lambda: process.num_fds() <= before, "the server has closed its connections")


def send(smtp: Catcher | Mailbox, to: str = "x@y.z", subject: str = "Hello", text: str = "Hi there") -> None:
    with smtplib.SMTP(smtp.host, smtp.port) as client:
        client.sendmail("a@b.c", [to], f"From: Ann <ann@b.c>\nX-Tag: {to}\nSubject: {subject}\n\n{text}\n")


def test_the_conditions_are_those_of_the_api(rr_smtp: Catcher) -> None:
    send(rr_smtp, "one@y.z", "First", "Your code is 471100. Reset: https://app.example/r")
    send(rr_smtp, "two@y.z", "Second")
    assert rr_smtp.expect(body="~code is \\d+", sender="ann@b.c", header="X-Tag: =one@y.z", claim="a").number == 1
    assert rr_smtp.expect(subject="~^s").number == 2
    mail = rr_smtp.expect(to="one@y.z")
    assert (mail.code(), mail.link(host="app.example").href, len(mail.links)) == ("471100", "https://app.example/r", 1)
    with pytest.raises(AssertionError, match="the mail has no code of 4 characters"):
        mail.code(length=4)
    with pytest.raises(AssertionError, match="no link with text='help'"):
        mail.link("help")
    assert rr_smtp.expect(order="newest", claim="b").number == 2
    assert rr_smtp.expect(to=re.compile("^two@"), sender=re.compile("Ann"), claim="e").number == 2
    assert rr_smtp.expect(after=1, claim="c").number == 2
    with pytest.raises(AssertionError, match="after: its number 2 is not above 2"):
        rr_smtp.expect(after="now", claim="d", timeout=0)
    for wrong in ({"after": "later"}, {"order": "random"}, {"subject": "~("}):
        with pytest.raises(ValueError, match=r"after is|order is|not a regular expression"):
            rr_smtp.expect(**wrong)  # type: ignore[arg-type]


def test_several_mails_come_together_or_none_is_taken(rr_smtp: Catcher) -> None:
    send(rr_smtp, subject="one")
    with pytest.raises(AssertionError, match="no 2 mails within 0 s; received:"):
        rr_smtp.expect_all(2, timeout=0)
    later = threading.Timer(0.05, send, [rr_smtp], {"subject": "two"})
    later.start()
    assert [mail.subject for mail in rr_smtp.expect_all(2, timeout=20)] == ["one", "two"]
    later.join()
    with pytest.raises(ValueError, match="count is 0"):
        rr_smtp.expect_all(0)
    with pytest.raises(ValueError, match="within is -1"):
        rr_smtp.expect_none(within=-1)


def test_a_mail_that_comes_ends_the_call_that_expects_none(rr_smtp: Catcher) -> None:
    send(rr_smtp, subject="seen")
    rr_smtp.expect()
    rr_smtp.expect_none(within=0.01)
    later = threading.Timer(0.05, send, [rr_smtp], {"subject": "late"})
    later.start()
    with pytest.raises(AssertionError) as caught:
        rr_smtp.expect_none(to="x@y.z", within=300)
    later.join()
    assert str(caught.value).splitlines() == [
        "a mail with to='x@y.z' came within 300 s; received:",
        "  <a@b.c> -> x@y.z | late",
    ]
    assert rr_smtp.expect(timeout=0).subject == "late"


def test_threads_that_wait_at_the_same_time_each_get_a_mail_of_their_own(rr_smtp: Catcher) -> None:
    with ThreadPoolExecutor(20) as threads:
        waiting = [threads.submit(rr_smtp.expect, timeout=20) for _ in range(20)]
        with smtplib.SMTP(rr_smtp.host, rr_smtp.port) as client:
            for number in range(20):
                client.sendmail("a@b.c", ["x@y.z"], f"Subject: {number}\n\nhi\n")
        assert sorted(int(each.result().subject) for each in waiting) == list(range(20))


def test_an_event_loop_is_not_blocked_and_a_cancelled_call_takes_nothing(rr_smtp: Catcher) -> None:
    async def test() -> None:
        waiting = asyncio.create_task(rr_smtp.aexpect(subject="two", timeout=20))
        cancelled = asyncio.create_task(rr_smtp.aexpect(subject="two", timeout=20))
        await asyncio.sleep(0)
        assert not waiting.done()
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        await asyncio.to_thread(send, rr_smtp, subject="two")
        assert (await waiting).subject == "two"
        with pytest.raises(AssertionError, match="no mail with subject='three' within 0 s"):
            await rr_smtp.aexpect(subject="three", timeout=0)

    asyncio.run(test())
    assert rr_smtp._waiting == []


@pytest.mark.usefixtures("quiet")
def test_each_test_has_a_mailbox_of_its_own_on_one_server(rr_smtp_server: Catcher) -> None:
    with rr_smtp_server.mailbox() as first:
        send(first, subject="one")
        assert first.expect().subject == "one"
    with rr_smtp_server.mailbox() as second:
        second.expect_none(within=0)
        send(second, subject="two")
        assert (second.expect().subject, len(first.mails)) == ("two", 1)


@pytest.mark.usefixtures("quiet")
def test_the_mailbox_of_this_test_is_empty(rr_smtp_session: Mailbox, rr_smtp_server: Catcher) -> None:
    assert rr_smtp_session.mails == []
    assert rr_smtp_session.port == rr_smtp_server.port
    send(rr_smtp_session)
    assert rr_smtp_session.expect().subject == "Hello"


def test_only_users_with_their_passwords_may_send() -> None:
    with Catcher(auth={"ann": "secret"}) as smtp, smtplib.SMTP(smtp.host, smtp.port) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
            client.sendmail("a@b.c", ["x@y.z"], "x")
        with pytest.raises(smtplib.SMTPAuthenticationError, match="credentials invalid"):
            client.login("ann", "wrong")
        client.login("ann", "secret")
        client.sendmail("a@b.c", ["x@y.z"], "Subject: x\n\nx")
        assert smtp.expect().username == "ann"


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_lets_clients_use_tls(tmp_path: Path, implicit: bool) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with Catcher(tls=(tmp_path / "cert.pem", tmp_path / "key.pem"), implicit_tls=implicit) as smtp:
        if implicit:
            client: smtplib.SMTP = smtplib.SMTP_SSL("localhost", smtp.port, context=context)
        else:
            client = smtplib.SMTP("localhost", smtp.port)
        with client:
            if not implicit:
                client.starttls(context=context)
            client.sendmail("a@b.c", ["x@y.z"], "Subject: x\n\nx")
        assert smtp.expect().subject == "x"
    with pytest.raises(ValueError, match="implicit_tls needs tls"):
        Catcher(implicit_tls=True)


def test_a_server_has_the_port_it_was_given_and_speaks_lmtp() -> None:
    with Catcher() as first:
        port = first.port
    with Catcher(port=port, lmtp=True) as smtp, smtplib.LMTP(smtp.host, port) as client:
        client.sendmail("a@b.c", ["x@y.z"], "Subject: x\n\nx")  # one: smtplib reads one reply
        assert smtp.expect().recipients == ("x@y.z",)


def test_django_sends_although_its_test_runner_replaces_the_backend(rr_smtp_django: Catcher) -> None:
    django_mail.send_mail("Welcome", "Hi", "shop@example.com", ["ann@example.com"])
    assert rr_smtp_django.expect(to="ann@example.com").subject == "Welcome"


if not settings.configured:  # as Django's test runner has it
    settings.configure(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend")
    django.setup()


def test_flask_mail_sends_although_it_is_tested(rr_smtp: Catcher, rr_smtp_flask_mail: Mapping[str, Any]) -> None:
    app = Flask(__name__)
    app.config.update(TESTING=True, **rr_smtp_flask_mail)
    sender = FlaskMail(app)
    with app.app_context():
        sender.send_message("Welcome", sender="shop@example.com", recipients=["ann@example.com"], body="Hi")
    assert rr_smtp.expect(to="ann@example.com").subject == "Welcome"


def test_fastapi_mail_sends(rr_smtp: Catcher, rr_smtp_fastapi_mail: Mapping[str, Any]) -> None:
    mailer = FastMail(ConnectionConfig(**rr_smtp_fastapi_mail, MAIL_FROM="shop@example.com"))
    message = MessageSchema(
        subject="Welcome",
        recipients=["ann@example.com"],
        body="Hi",
        subtype=MessageType.plain,  # type: ignore[list-item]
    )
    asyncio.run(mailer.send_message(message))
    assert rr_smtp.expect(to="ann@example.com").subject == "Welcome"
