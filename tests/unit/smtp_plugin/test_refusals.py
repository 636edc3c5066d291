"""Refusals: what the dialog reports of them, and how many of them are logged."""

from __future__ import annotations

from typing import Any

import pytest
from support.log import Log
from support.smtp_plugin.dialog import HOST
from support.smtp_plugin.talk import talking

from rrpy.smtp_plugin.delivery.refusals import (
    MAX_CLIENTS,
    MOST,
    MOST_OF_CLIENT,
    WINDOW,
    RefusalReport,
    Refusals,
)
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.dialog import Dialog
from rrpy.smtp_plugin.protocol.refusal import Refusal
from rrpy.smtp_plugin.protocol.replies import Reply
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.deadlines import Timeouts
from rrpy.smtp_plugin.session import Session

MAIL = b"MAIL FROM:<a@b.c>\r\n"
TO_DATA = b"EHLO x\r\n" + MAIL + b"RCPT TO:<x@y.z>\r\nDATA\r\n"
LINE_FEEDS = TO_DATA.replace(b"\r", b"") + b"a\n."


def reports_of(sent: bytes, **rules: Any) -> list[Refusal]:
    """Return what a dialog reports about bytes, whole and byte by byte: both must be the same."""
    found: list[list[Refusal]] = []
    for size in (len(sent), 1):
        reports: list[Refusal] = []
        session = Session(None, ("192.0.2.1", 1))
        dialog = Dialog(Rules(hostname=HOST, **rules), session, None, reports.append)
        for at in range(0, len(sent), size):
            dialog.receive(sent[at : at + size])
            while dialog.next_event() is not None:
                dialog.answer(replies.ACCEPTED)
        found.append(reports)
    assert found[0] == found[1]
    return found[0]


def test_an_accepted_message_is_not_reported() -> None:
    assert reports_of(TO_DATA + b"hello\r\n.\r\nQUIT\r\n") == []


@pytest.mark.parametrize(
    ("sent", "rules", "command", "reply", "setting"),
    [
        (b"EHLO x\r\nMAIL FROM:<a b@c.d>\r\n", {}, "MAIL FROM:<a b@c.d>", "501 5.1.7 Bad sender address syntax", ""),
        (b"MAIL FROM:<a@b.c>\r\n", {}, "MAIL FROM:<a@b.c>", "503 5.5.1 Send HELO or EHLO first", ""),
        (
            b"EHLO x\r\nMAIL FROM:<a@b.c> SIZE=99\r\n",
            {"max_message_size": 16},
            "MAIL FROM:<a@b.c> SIZE=99",
            "552 5.3.4 Message too big: the limit is 16 bytes",
            "smtp.max_message_size: 16",
        ),
        (
            TO_DATA + b"x" * 20 + b"\r\n.\r\n",
            {"max_message_size": 16},
            "DATA",
            "552 5.3.4 Message too big: the limit is 16 bytes",
            "smtp.max_message_size: 16",
        ),
        (
            b"EHLO x\r\n" + MAIL + b"RCPT TO:<x@y.z>\r\nBDAT 20 LAST\r\n" + b"x" * 20,
            {"max_message_size": 16},
            "BDAT 20 LAST",
            "552 5.3.4 Message too big: the limit is 16 bytes",
            "smtp.max_message_size: 16",
        ),
        (
            b"EHLO x\r\n" + MAIL + b"RCPT TO:<x@y.z>\r\nRCPT TO:<u@v.w>\r\n",
            {"max_recipients": 1},
            "RCPT TO:<u@v.w>",
            "452 4.5.3 Too many recipients: the limit is 1",
            "smtp.max_recipients: 1",
        ),
        (
            TO_DATA + b"bare\nlf\r\n.\r\n",
            {"strict": True},
            "DATA",
            "550 5.6.11 Bare CR or LF in the message",
            "smtp.line_endings: strict",
        ),
        (
            b"EHLO x\r\n" + MAIL,
            {"tls_available": True, "tls_required": True},
            "MAIL FROM:<a@b.c>",
            "530 5.7.0 Must issue a STARTTLS command first",
            "smtp.tls.required: true",
        ),
        (
            b"EHLO x\r\n" + MAIL,
            {"refusal": lambda: replies.queue_full(7)},
            "MAIL FROM:<a@b.c>",
            "452 4.3.1 Insufficient system storage, try again later",
            "smtp.pool.max_queue_size: 7",
        ),
        (
            b"EHLO x\r\nMAIL FROM:<a@b.c> FOO=1\r\n",
            {},
            "MAIL FROM:<a@b.c> FOO=1",
            "555 5.5.4 Unknown parameter: FOO",
            "",
        ),
        (
            b"EHLO x\r\nAUTH NTLM\r\n",
            {},
            "AUTH ***",
            "504 5.5.4 Unrecognized authentication type: use PLAIN or LOGIN",
            "",
        ),
        (b"EHLO x\r\n", {"lmtp": True}, "EHLO x", "500 5.5.1 Command not recognized", "smtp.lmtp: true"),
        (b"EHLO x\r\nSTARTTLS\r\n", {}, "STARTTLS", "502 5.5.1 Command not implemented", "smtp.tls: absent"),
        (b"LHLO x\r\n", {}, "LHLO x", "500 5.5.1 Command not recognized", "smtp.lmtp: false"),
    ],
)
def test_a_refusal_names_command_reply_and_setting(
    sent: bytes, rules: dict[str, Any], command: str, reply: str, setting: str
) -> None:
    (refusal,) = reports_of(sent, **rules)
    assert (refusal.command, f"{refusal.code} {refusal.reply}", refusal.setting) == (command, reply, setting)
    assert not refusal.last


def test_a_full_budget_names_its_setting() -> None:
    budget = Budget(10)
    budget.used = 10
    (refusal,) = reports_of(b"EHLO x\r\n" + MAIL, budget=budget)
    assert refusal.setting == "smtp.max_inflight_bytes: 10"


@pytest.mark.parametrize(
    ("sent", "rules", "reply", "setting"),
    [
        (b"\x16\x03\x01\x02\x00", {}, replies.TLS_ON_PLAIN_PORT, ""),
        (b"GET / HTTP/1.1\r\n", {}, replies.NOT_SMTP, ""),
        (TO_DATA + b"a\n.\r\n", {}, replies.SMUGGLING, ""),
        (LINE_FEEDS + b"\n", {}, replies.SMUGGLING, "smtp.line_endings: guard"),
        (LINE_FEEDS + b"\n", {"strict": True}, replies.SMUGGLING, "smtp.line_endings: strict"),
        (LINE_FEEDS + b"\r\n", {"normalize": True}, replies.SMUGGLING, ""),
        (TO_DATA + b"x" * 65, {"max_message_size": 16}, replies.flood(16), "smtp.max_message_size: 16"),
        (b"EHLO x\r\n" + MAIL + b"RCPT TO:<x@y.z>\r\nBDAT x\r\n", {}, replies.BDAT_SYNTAX, ""),
    ],
)
def test_the_end_of_a_session_is_one_report(sent: bytes, rules: dict[str, Any], reply: Reply, setting: str) -> None:
    (refusal,) = reports_of(sent, **rules)
    assert (refusal.code, refusal.reply, refusal.setting, refusal.last) == (
        reply.code,
        reply.wire_text,
        setting,
        True,
    )


def test_too_many_errors_are_reported_after_the_last_of_them() -> None:
    first, second, last = reports_of(b"FOO\r\nBAR\r\n", max_errors=2)
    assert (first.command, second.command, first.last, second.last) == ("FOO", "BAR", False, False)
    assert (last.reply, last.setting, last.last) == (
        "4.7.0 Too many errors: the limit is 2",
        "smtp.max_errors: 2",
        True,
    )


def test_a_refused_message_has_its_transaction_also_between_chunks_and_in_lmtp() -> None:
    to = b"RCPT TO:<x@y.z>\r\nRCPT TO:<u@v.w>\r\n"
    for sent, rules in (
        (b"EHLO x\r\n" + MAIL + to + b"BDAT 20\r\n" + b"x" * 20, {}),
        (b"LHLO x\r\n" + MAIL + to + b"DATA\r\n" + b"x" * 20 + b"\r\n.\r\n", {"lmtp": True}),
    ):
        (refusal,) = reports_of(sent, max_message_size=16, **rules)
        assert (refusal.sender, refusal.recipients, refusal.recipient_count) == ("a@b.c", ["x@y.z", "u@v.w"], 2)


@pytest.mark.parametrize(
    "sent",
    [
        b"AUTH PLAIN secret\r\n",  # not base64
        b"AUTH LOGIN\r\nsecret!\r\n",
        b"AUTH PLAIN\r\n" + b"secret" * 3000 + b"\r\n",
        b"AUTH FOO secret\r\nsecret\r\n",
        b"AUTH FOO\r\n" + b"secret" * 3000 + b"\r\n",
        b"AUTHsecret\r\n",
    ],
)
def test_no_report_has_a_secret(sent: bytes) -> None:
    reports = reports_of(b"EHLO x\r\n" + sent)
    assert reports
    assert "secret" not in repr(reports)


# How many are logged.


class Bench:
    """Refusals with a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log = Log()
        self.kept: list[RefusalReport] = []
        self.refusals = Refusals(self.log, self.kept.append, clock=lambda: self.now)
        self.session = Session(None, ("192.0.2.1", 40000))

    def refuse(self, times: int = 1, *, last: bool = False) -> None:
        for _ in range(times):
            refusal = Refusal(command="RCPT TO:<\x1b>", code=452, reply="4.5.3 Too many", setting="a.b: 1", last=last)
            self.refusals.report(self.session, refusal)


def test_a_line_has_what_is_known_and_no_control_characters() -> None:
    bench = Bench()
    bench.refuse()
    assert bench.log.lines == [
        (
            "info",
            "refused",
            {
                "uuid": bench.session.uuid,
                "remote_addr": "192.0.2.1:40000",
                "command": "RCPT TO:<\\x1b>",
                "code": 452,
                "reply": "4.5.3 Too many",
                "setting": "a.b: 1",
            },
        )
    ]


def test_a_connection_fills_neither_the_log_nor_the_readers_and_the_rest_is_counted() -> None:
    bench = Bench()
    bench.refuse(MOST + 5)
    assert len(bench.log.lines) == len(bench.kept) == MOST
    bench.now = WINDOW
    bench.refuse(MOST + 3)
    assert bench.log.lines[MOST][2]["left_out"] == bench.kept[MOST].left_out == 5
    bench.refuse(last=True)
    assert bench.log.lines[-1][1] == "session ended"
    assert bench.kept[-1].left_out == 3
    bench.refuse(2)
    bench.refusals.end(bench.session)
    assert bench.log.lines[-1][1:] == (
        "more refusals",
        {"uuid": bench.session.uuid, "remote_addr": "192.0.2.1:40000", "left_out": 2},
    )
    bench.refusals.end(bench.session)
    assert len(bench.log.keys("more refusals")) == 1


def test_a_client_that_connects_again_and_again_does_not_fill_the_log() -> None:
    """Each connection had lines of its own: its end, and the count of those that were left out."""
    bench = Bench()
    for port in range(MOST_OF_CLIENT + 7):
        bench.session = Session(None, ("192.0.2.1", port))
        bench.refuse(last=True)
    assert len(bench.kept) == len(bench.log.keys("session ended")) == MOST_OF_CLIENT
    too_many = "a client has too many refusals: they are left out"
    assert bench.log.keys(too_many) == [{"remote_addr": "192.0.2.1"}]
    bench.session.left_out = 3
    bench.refusals.end(bench.session)
    assert bench.log.keys("more refusals") == []
    bench.session = Session(None, ("2001:db8::1", 1))
    bench.refuse()
    assert len(bench.kept) == MOST_OF_CLIENT + 1
    bench.now = WINDOW
    bench.refuse()
    assert bench.log.keys("more refusals") == [{"remote_addr": "192.0.2.1", "left_out": 10}]
    bench.session = Session(None, ("192.0.2.1", 1))
    bench.refuse()
    assert len(bench.kept) == MOST_OF_CLIENT + 3
    assert len(bench.log.keys(too_many)) == 1


def test_clients_without_number_share_one_count() -> None:
    bench = Bench()
    for number in range(MAX_CLIENTS + MOST_OF_CLIENT + 5):
        bench.session = Session(None, (f"2001:db8::{number:x}", 1))
        bench.refuse()
    assert len(bench.kept) == MAX_CLIENTS + MOST_OF_CLIENT
    bench.session = Session(None, ("2001:db8::0", 1))
    bench.refuse()
    assert len(bench.kept) == MAX_CLIENTS + MOST_OF_CLIENT + 1


@pytest.mark.anyio
async def test_a_timeout_and_a_client_that_reads_nothing_end_in_a_line() -> None:
    with talking(timeouts=Timeouts(read=30, write=5)) as client:
        client.say(b"EHLO x\r\n")
        assert client.turn(31.0).startswith(b"421 4.4.2 ")
        (line,) = client.backend.log.keys("session ended")
        assert (line["code"], line["command"], line["helo"]) == (421, "EHLO x", "x")
        assert (line["reply"], line["setting"]) == (
            "4.4.2 Timeout, closing connection: the limit is 30 s",
            "smtp.read_timeout: 30s",
        )
    with talking(timeouts=Timeouts(write=5)) as client:
        client.wire.unsent = 100
        client.turn(1.0)
        client.turn(5.0)
        line = client.backend.log.keys("session ended")[0]
        assert line["setting"] == "smtp.write_timeout: 5s"
        assert client.wire.aborted
