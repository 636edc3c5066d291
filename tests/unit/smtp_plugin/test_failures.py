"""The rules by which the server fails on purpose, on the dialog: what they fit, what they count, what they do."""

from __future__ import annotations

from typing import get_args

import pytest
from support.smtp_plugin.dialog import BEGIN, HOST, Driver

from rrpy.mime import headers
from rrpy.mime.mailboxes import MailboxBy
from rrpy.smtp_plugin.failures.book import RuleBook
from rrpy.smtp_plugin.failures.conditions import VALUES
from rrpy.smtp_plugin.failures.config import CODES, StageName
from rrpy.smtp_plugin.failures.presets import PRESETS
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.failures import MAX_TRIPLETS, Facts, Stage
from rrpy.smtp_plugin.protocol.rules import Rules

EHLO = b"EHLO x\r\n"
MAIL = b"MAIL FROM:<a@b.c>\r\n"
RCPT = b"RCPT TO:<x@y.z>\r\n"


def driver(*rules: object, by: str = "none", **settings: object) -> tuple[Driver, RuleBook]:
    book = RuleBook(lambda: MailboxBy.parse(by))
    for rule in rules:
        book.add(rule)
    return Driver(Rules(hostname=HOST, failures=book.failures, **settings)), book  # type: ignore[arg-type]


def last(said: bytes) -> str:
    return said.splitlines()[-1].decode()


@pytest.mark.parametrize(
    ("stage", "sent"),
    [
        ("hello", b"EHLO x\r\n"),
        ("hello", b"HELO x\r\n"),
        ("starttls", b"EHLO x\r\nSTARTTLS\r\n"),
        ("auth", b"EHLO x\r\nAUTH PLAIN AHUAcA==\r\n"),
        ("auth", b"EHLO x\r\nAUTH LOGIN\r\ndQ==\r\ncA==\r\n"),
        ("mail", b"EHLO x\r\nMAIL FROM:<a@b.c>\r\n"),
        ("mail", b"EHLO x\r\nMAIL FROM:<a@b.c> SIZE=9\r\n"),
        ("rcpt", b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\n"),
        ("data", BEGIN),
        ("data", b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nBDAT 2\r\nab"),
        ("data", b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nBDAT 2 LAST\r\nab"),
        ("message", BEGIN + b"x\r\n.\r\n"),
        ("message", b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nBDAT 2 LAST\r\nab"),
    ],
)
def test_each_stage_can_be_refused_and_only_it(stage: str, sent: bytes) -> None:
    reply = f"45{min(CODES[Stage(stage)] & {450, 454}) % 10} 4.7.9 Not now"
    tried, book = driver({"at": stage, "reply": reply, "times": 1}, tls_available=True)
    said = tried.send(sent)
    assert said.decode().splitlines().count(reply) == 1
    assert last(said) == reply
    assert not tried.outcome.messages
    assert book.list()[0].hits == 1
    if stage != "starttls":  # which would then ask for a handshake
        assert reply.encode() not in tried.send(b"RSET\r\n" + sent)


def test_a_greeting_that_a_rule_refuses_ends_the_session() -> None:
    tried, _ = driver({"at": "connect", "reply": "554 5.7.1 Not here"})
    assert tried.outcome.replies == b"554 5.7.1 Not here\r\n"
    assert tried.outcome.closed


def test_421_ends_the_session_at_any_stage() -> None:
    tried, _ = driver({"at": "rcpt", "reply": "421 4.3.2 Going down"})
    assert last(tried.send(EHLO + MAIL + RCPT + RCPT)) == "421 4.3.2 Going down"
    assert tried.outcome.closed
    tried, _ = driver({"at": "message", "reply": "421 4.3.2 Going down"})
    assert last(tried.send(BEGIN + b"x\r\n.\r\nNOOP\r\n")) == "421 4.3.2 Going down"
    assert tried.outcome.closed


def test_a_refusal_by_rule_is_not_an_error_of_the_client() -> None:
    tried, _ = driver({"at": "rcpt", "reply": "550 5.1.1 No such user"}, max_errors=2)
    said = tried.send(EHLO + MAIL + RCPT * 5)
    assert said.count(b"550 5.1.1") == 5
    assert not tried.outcome.closed


def test_lmtp_has_a_refusal_for_each_recipient() -> None:
    tried, book = driver({"at": "message", "reply": "452 4.2.2 Mailbox full"}, lmtp=True)
    said = tried.send(b"LHLO x\r\n" + MAIL + RCPT * 3 + b"DATA\r\nx\r\n.\r\n")
    assert said.count(b"452 4.2.2 Mailbox full\r\n") == 3
    assert book.list()[0].hits == 1


def test_a_refused_chunk_is_read_and_never_run_as_commands() -> None:
    tried, _ = driver({"at": "data", "reply": "451 4.3.0 Not now", "times": 1})
    chunk = b"MAIL FROM:<evil@x>\r\n"
    said = tried.send(EHLO + MAIL + RCPT + b"BDAT %d\r\n" % len(chunk) + chunk + b"BDAT 1 LAST\r\nxNOOP\r\n")
    assert said.splitlines()[-3:] == [
        b"451 4.3.0 Not now",
        b"503 5.5.1 The message was refused, send RSET",
        b"250 OK",
    ]
    assert not tried.outcome.messages


def test_a_refused_message_gives_its_bytes_back_to_the_budget() -> None:
    budget = Budget(1000)
    tried, _ = driver({"at": "message", "reply": "452 4.2.2 Mailbox full"}, budget=budget)
    tried.send(BEGIN + b"x" * 500 + b"\r\n.\r\n")
    assert budget.used == 0


def test_the_first_rule_that_fits_decides() -> None:
    tried, book = driver(
        {"at": "rcpt", "to": "*@full.example", "reply": "452 4.2.2 Mailbox full", "times": 1},
        {"at": "rcpt", "to": "*.example", "reply": "550 5.1.1 No such user"},
    )
    tried.send(EHLO + MAIL)
    assert last(tried.send(b"RCPT TO:<ann@FULL.example>\r\n")) == "452 4.2.2 Mailbox full"
    assert last(tried.send(b"RCPT TO:<ann@full.example>\r\n")) == "550 5.1.1 No such user"
    assert last(tried.send(b"RCPT TO:<ann@example.org>\r\n")) == "250 OK"
    assert [(each.hits, each.seen) for each in book.list()] == [(1, 2), (1, 1)]


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"ip": "192.0.2.1"}, True),
        ({"ip": "192.0.2.0/24"}, True),
        ({"ip": "10.0.0.0/8"}, False),
        ({"ip": "2001:db8::/32"}, False),
        ({"helo": "CLIENT.*"}, True),
        ({"helo": "~^cli[a-z]+t"}, True),
        ({"user": "bob"}, True),
        ({"user": "bo"}, False),
        ({"from": "*@b.c"}, True),
        ({"from": ""}, True),
        ({"to": "y@y.z"}, True),
        ({"to": "w@y.z"}, False),
        ({"subject": "*invoice*"}, True),
        ({"subject": "invoice"}, False),
        ({"header": "X-Tag: 7"}, True),
        ({"header": "x-tag"}, True),
        ({"header": "X-Tag: 8"}, False),
        ({"header": "X-Other"}, False),
        ({"size": ">40"}, True),
        ({"size": "<40"}, False),
        ({"size": 51}, True),
    ],
)
def test_conditions_at_the_message(condition: dict[str, object], fits: bool) -> None:
    tried, _ = driver({"at": "message", "reply": "550 5.7.1 Refused", **condition})
    tried.send(b"EHLO client.example\r\nAUTH PLAIN AGJvYgBw\r\n" + MAIL + RCPT + b"RCPT TO:<y@y.z>\r\nDATA\r\n")
    content = b"Subject: =?utf-8?q?Your_Invoice?= 7\r\nX-Tag: 7\r\n\r\n"
    content += b"x" * (49 - len(content)) + b"\r\n" if len(content) < 49 else b""
    said = tried.send(content + b".\r\n")
    assert (last(said) == "550 5.7.1 Refused") is (fits if "size" not in condition else said.startswith(b"550"))


def test_size_is_the_declared_one_before_the_message() -> None:
    tried, _ = driver({"at": "mail", "size": ">1000", "reply": "552 5.3.4 Too big for us"})
    assert last(tried.send(EHLO + b"MAIL FROM:<a@b.c> SIZE=1001\r\n")) == "552 5.3.4 Too big for us"
    assert last(tried.send(b"MAIL FROM:<a@b.c>\r\n")) == "250 OK"


def test_times_counts_effects_of_all_sessions_and_after_the_steps_before() -> None:
    book = RuleBook()
    book.add({"at": "mail", "reply": "451 4.3.0 Later", "after": 2, "times": 2})
    said = []
    for _ in range(6):
        tried = Driver(Rules(hostname=HOST, failures=book.failures))
        said.append(last(tried.send(EHLO + MAIL))[:3])
    assert said == ["250", "250", "451", "451", "250", "250"]


def test_a_seed_decides_the_same_in_each_run() -> None:
    def run(seed: int) -> list[str]:
        tried, _ = driver({"at": "mail", "reply": "451 4.3.0 Later", "chance": 0.5, "seed": seed})
        tried.send(EHLO)
        return [last(tried.send(MAIL + b"RSET\r\n"))[:3] + last(tried.send(MAIL))[:3] for _ in range(20)]

    assert run(7) == run(7)
    assert run(7) != run(8)
    never, _ = driver({"at": "mail", "reply": "451 4.3.0 Later", "chance": 0})
    assert last(never.send(EHLO + MAIL)) == "250 OK"


def test_the_expressions_of_all_rules_have_a_bound() -> None:
    """Two hundred large ones took 200 s of the event loop for one message with a hundred subjects."""
    book = RuleBook()
    large = {"at": "message", "subject": "~(a?){200}a{200}z", "reply": "550 No"}
    book.add(large)
    with pytest.raises(ValueError, match="the regular expressions of all rules have more than 2000 instructions"):
        book.add(large)
    with pytest.raises(ValueError, match="the regular expressions of all rules"):
        book.replace([large, {**large, "subject": "", "header": "X-Tag: ~(a?){200}a{200}z"}])
    assert len(book.list()) == 1
    book.replace([large])
    book.clear()
    for _ in range(20):
        book.add({"at": "rcpt", "to": "~^(ann|bob)[0-9]+@.*\\.example$", "reply": "550 No"})


def test_all_rules_read_the_headers_once_and_some_values_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    read_block = headers.read_block
    monkeypatch.setattr(headers, "read_block", lambda *args: read.append(1) or read_block(*args))
    rules = [{"at": "message", name: "zzz", "reply": "550 No"} for name in ("subject", "subject")]
    tried, book = driver(*rules, {"at": "message", "header": f"X: {VALUES + 1}", "reply": "550 No"})
    values = b"".join(b"X: %d\r\n" % number for number in range(1, VALUES + 2))
    assert last(tried.send(BEGIN + b"Subject: a\r\n" + values + b"\r\nx\r\n.\r\n"))[:3] == "250"
    assert len(read) == 1
    book.replace([{"at": "message", "header": f"X: {VALUES}", "reply": "550 No"}])
    assert last(tried.send(MAIL + RCPT + b"DATA\r\n" + values + b"\r\nx\r\n.\r\n")) == "550 No"


def test_greylisting_refuses_each_triplet_once_and_knows_a_bounded_number() -> None:
    tried, book = driver("greylist")
    tried.send(EHLO + MAIL)
    other = b"RCPT TO:<w@y.z>\r\n"
    assert [last(tried.send(line))[:3] for line in (RCPT, RCPT, other, other)] == ["450", "250", "450", "250"]
    facts = Facts(Stage.RCPT, "192.0.2.1", "x", "", "a@b.c", ("x@y.z",), None, b"", {})
    (rule,) = book.failures.rules
    assert rule.effect_at(facts) is None
    for number in range(MAX_TRIPLETS):
        assert rule.effect_at(facts._replace(to=(f"u{number}@y.z",))) is not None
    assert rule.effect_at(facts) is not None
    assert len(rule._counts) == MAX_TRIPLETS


def test_a_delayed_reply_waits_alone_and_what_follows_it_waits_for_it() -> None:
    tried, _ = driver({"at": "rcpt", "delay": "20s", "times": 1})
    said = tried.send(EHLO + MAIL + RCPT + b"NOOP\r\n")
    assert said.endswith(b"250 OK\r\n" * 3)
    ((before, effect, reply),) = tried.effects
    assert effect.delay == 20
    assert before.endswith(b"250 OK\r\n")
    assert reply == b"250 OK\r\n"


@pytest.mark.parametrize("sent", [BEGIN + b"x\r\n.\r\n", EHLO + MAIL + RCPT + b"BDAT 1 LAST\r\nx"])
def test_a_message_without_its_reply_is_delivered_unless_the_drop_is_before(sent: bytes) -> None:
    accepted = b"250 OK: message accepted\r\n"
    for effect, end, delivered in [
        ({"partial": True}, accepted[: len(accepted) // 2], 1),
        ({"drop": "after"}, accepted, 1),
        ({"drop": "before"}, b"", 0),
    ]:
        tried, _ = driver({"at": "message", **effect})
        said = tried.send(sent + b"NOOP\r\n")
        assert said.endswith(b"\r\n" + end)
        assert tried.outcome.closed
        assert len(tried.outcome.messages) == delivered


def test_the_reply_to_a_chunk_can_be_cut_in_half() -> None:
    tried, _ = driver({"at": "data", "partial": True})
    said = tried.send(EHLO + MAIL + RCPT + b"BDAT 2\r\nab" + b"BDAT 1 LAST\r\nx")
    assert said.endswith(b"250 OK\r\n250 ")
    assert tried.outcome.closed


def test_a_delayed_starttls_asks_for_the_handshake_after_its_reply() -> None:
    from rrpy.smtp_plugin.protocol.phases import Event

    tried, _ = driver({"at": "starttls", "delay": 1}, tls_available=True)
    tried.send(EHLO)
    dialog = tried.dialog
    dialog.receive(b"STARTTLS\r\nNOOP\r\n")
    assert dialog.next_event() is Event.FAIL
    assert dialog.take_effect()[1].startswith(b"220 ")
    dialog.go_on()
    assert dialog.next_event() is Event.START_TLS
    assert dialog.waiting_bytes == 0


@pytest.mark.parametrize(
    ("by", "stage", "mine", "others"),
    [
        ("username", "mail", b"AUTH PLAIN AGJvYgBw\r\n" + MAIL, MAIL),
        ("recipient", "rcpt", MAIL + b"RCPT TO:<bob>\r\n", MAIL + RCPT),
        ("plus", "rcpt", MAIL + b"RCPT TO:<x+Bob@y.z>\r\n", MAIL + RCPT),
        ("domain", "rcpt", MAIL + b"RCPT TO:<x@bob>\r\n", MAIL + RCPT),
        (
            "header:X-Test",
            "message",
            MAIL + RCPT + b"DATA\r\nX-Test: bob\r\n\r\n.\r\n",
            MAIL + RCPT + b"DATA\r\nX-Test: eve\r\n\r\n.\r\n",
        ),
    ],
)
def test_a_rule_of_one_mailbox_never_touches_another(by: str, stage: str, mine: bytes, others: bytes) -> None:
    for sent, code in ((mine, "451"), (others, "250")):
        tried, _ = driver({"at": stage, "mailbox": "bob", "reply": "451 4.3.0 Later"}, by=by)
        assert last(tried.send(EHLO + sent))[:3] == code


def test_a_rule_of_one_mailbox_touches_no_name_that_a_text_without_case_is_the_same_as() -> None:
    for name, code in (("straße", "451"), ("STRAßE", "451"), ("strasse", "250")):
        tried, _ = driver({"at": "message", "mailbox": "straße", "reply": "451 4.3.0 Later"}, by="header:X-Test")
        mail = f"DATA\r\nX-Test: {name}\r\n\r\n.\r\n".encode()
        assert last(tried.send(EHLO + MAIL + RCPT + mail))[:3] == code, name


def test_a_mail_for_two_mailboxes_is_not_touched_by_the_rule_of_one() -> None:
    tried, _ = driver({"at": "message", "mailbox": "x@y.z", "reply": "550 5.7.1 Refused"}, by="recipient")
    assert last(tried.send(EHLO + MAIL + RCPT + b"RCPT TO:<w@y.z>\r\nDATA\r\n\r\n.\r\n"))[:3] == "250"
    assert last(tried.send(MAIL + RCPT + b"DATA\r\n\r\n.\r\n"))[:3] == "550"


def test_rules_change_while_a_session_runs() -> None:
    tried, book = driver()
    assert last(tried.send(EHLO + MAIL)) == "250 OK"
    number = book.add("full").number
    assert last(tried.send(RCPT)) == "452 4.2.2 Mailbox full"
    assert book.remove(number)
    assert not book.remove(number)
    assert last(tried.send(RCPT)) == "250 OK"


def test_a_wrong_rule_among_several_changes_nothing() -> None:
    _, book = driver("full", by="recipient")
    before = book.failures.rules
    for wrong in ({"at": "nowhere"}, {"at": "mail", "mailbox": "x", "drop": True}):
        with pytest.raises(ValueError, match=r"the rule is wrong|mailbox is not known"):
            book.replace(["slow", wrong])
        assert book.failures.rules == before
    book.replace(["slow"])
    assert [each.rule for each in book.list()] == [{"preset": "slow"}]


def test_a_rule_with_an_unknown_key_names_the_known_ones() -> None:
    _, book = driver()
    with pytest.raises(ValueError, match=r"unknown field `fro`; known are at, preset, ip, .*, from, "):
        book.add({"at": "mail", "fro": "x"})


def test_slow_is_slow_at_each_reply_from_hello_on() -> None:
    assert PRESETS["slow"]["at"] == [each for each in get_args(StageName) if each != "connect"]


def test_the_rules_of_one_mailbox_can_be_listed_and_cleared() -> None:
    _, book = driver("full", {"preset": "full", "mailbox": "Test-7"}, {"preset": "full", "mailbox": "test-8"})
    assert [each.number for each in book.list("test-7")] == [2]
    assert book.clear("test-7") == 1
    assert [each.number for each in book.list()] == [1, 3]
    assert book.clear() == 2


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({}, "at is absent"),
        ({"at": "rcpt"}, "no effect"),
        ({"at": "lunch", "drop": True}, "at: .*; known are connect, hello"),
        ({"at": ["rcpt", "lunch"], "drop": True}, "known are connect, hello"),
        ({"at": "rcpt", "drop": "later"}, "drop: .*known are true, false, before, after"),
        ({"at": "rcpt", "reply": "250 OK"}, "a rule refuses"),
        ({"at": "rcpt", "reply": "452"}, "one line"),
        ({"at": "rcpt", "reply": "452 4.2.2 \u00fc"}, "one line"),
        ({"at": "rcpt", "reply": "452 a\r\nb"}, "one line"),
        ({"at": "rcpt", "reply": "452 " + "x" * 600}, "one line"),
        ({"at": "rcpt", "reply": "452 5.2.2 Mailbox full"}, "the same digit"),
        ({"at": "message", "reply": "535 5.7.8 No"}, "does not fit message"),
        ({"at": ["rcpt", "connect"], "reply": "452 4.2.2 Full"}, "does not fit connect"),
        ({"at": "mail", "to": "x", "drop": True}, "not known at mail"),
        ({"at": "data", "subject": "x", "drop": True}, "not known at data"),
        ({"at": "connect", "helo": "x", "drop": True}, "not known at connect"),
        ({"at": "rcpt", "to": "x" * 1001, "drop": True}, "characters"),
        ({"at": "message", "size": "big", "drop": True}, "size"),
        ({"at": "message", "header": ": x", "drop": True}, "header"),
        ({"at": "connect", "ip": "1/2/3", "drop": True}, "network"),
        ({"at": "rcpt", "drop": True, "partial": True}, "no reply"),
        ({"at": "rcpt", "drop": True, "reply": "450 4.7.1 x"}, "no reply"),
        ({"at": "rcpt", "chance": 1.5, "drop": True}, "chance"),
        ({"at": "rcpt", "times": -1, "drop": True}, "times"),
        ({"at": "rcpt", "delay": "soon"}, "duration"),
        ({"at": "rcpt", "dorp": True}, "dorp"),
        ({"preset": "slwo"}, "preset"),
        ("slwo", "preset"),
        (7, "object"),
    ],
)
def test_a_wrong_rule_is_an_error_that_names_the_key(rule: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RuleBook().add(rule)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_rule_whose_keys_can_be_replaced(name: str) -> None:
    book = RuleBook()
    assert book.add(name).rule == {"preset": name}
    assert book.add({"preset": name, "ip": "192.0.2.9", "times": 3}).rule["times"] == 3


def test_a_rule_reads_back_what_was_given() -> None:
    given = {"at": "rcpt", "from": "a*", "delay": "1m30s", "drop": "after", "times": 2, "seed": 0}
    (info,) = [RuleBook().add(given)]
    assert info.rule == given
    assert RuleBook().add(info.rule).rule == given
