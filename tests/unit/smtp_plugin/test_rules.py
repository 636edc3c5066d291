"""What a listener offers, rendered once."""

from __future__ import annotations

import pytest

from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.rules import Rules


def offered(rules: Rules) -> list[str]:
    lines = rules.ehlo.decode().split("\r\n")
    assert lines.pop() == ""
    assert all(line.startswith("250-") for line in lines[:-1])
    assert lines[-1].startswith("250 ")
    return [line[4:] for line in lines]


def test_the_host_name_is_first_and_auth_is_last() -> None:
    lines = offered(Rules(hostname="mx.test"))
    assert lines[0] == "mx.test"
    assert lines[-1] == "AUTH PLAIN LOGIN"
    assert {"PIPELINING", "SIZE 26214400", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN"} <= set(lines)


@pytest.mark.parametrize(
    ("rules", "keyword"),
    [
        (Rules(enhanced=True), "ENHANCEDSTATUSCODES"),
        (Rules(tls_available=True), "STARTTLS"),
        (Rules(smtputf8=True), "SMTPUTF8"),
        (Rules(max_recipients=7), "LIMITS RCPTMAX=7"),
        (Rules(max_message_size=0), "SIZE 0"),
        (Rules(mechanisms=("PLAIN", "LOGIN", "XOAUTH2")), "AUTH PLAIN LOGIN XOAUTH2"),
    ],
)
def test_a_switch_shows_in_ehlo(rules: Rules, keyword: str) -> None:
    assert keyword in offered(rules)
    others = Rules(smtputf8=False, max_recipients=0)
    assert keyword not in offered(others)


def test_inside_tls_starttls_is_gone_and_the_rest_stays() -> None:
    budget = Budget(5)
    rules = Rules(tls_available=True, tls_required=True, enhanced=True, max_errors=3, budget=budget)
    inside = rules.inside_tls()
    assert set(offered(rules)) - set(offered(inside)) == {"STARTTLS"}
    assert not inside.tls_required
    assert inside.max_errors == 3
    assert inside.budget is budget


def test_the_greeting_names_the_host_and_the_protocol() -> None:
    assert Rules(hostname="mx.test").greeting == b"220 mx.test ESMTP\r\n"
    assert Rules(hostname="mx.test", lmtp=True).greeting == b"220 mx.test LMTP\r\n"
    assert Rules(hostname="mx.test", software="Python SMTP 1").greeting == b"220 mx.test Python SMTP 1\r\n"
    assert Rules(hostname="mx.test").helo == b"250 mx.test\r\n"


def test_no_line_end_gets_in_through_the_host_name() -> None:
    rules = Rules(hostname="mx\r\n250 evil", software="x\r\ny")
    for said in (rules.greeting, rules.helo):
        assert said.count(b"\r\n") == 1
    assert "250 evil" not in offered(rules)


def test_budgets_of_two_listeners_are_two() -> None:
    assert Rules().budget is not Rules().budget
