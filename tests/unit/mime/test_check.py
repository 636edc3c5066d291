"""A check: each rule finds what breaks it and nothing else, in time and room that no mail can exceed."""

from __future__ import annotations

import time
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inbox import showcase
from support.linear import repeated, superlinear
from support.mime.checked import MAILS, bulk, checked, raw
from support.mime.mails import corpus

from rrpy.mime.check.check import check
from rrpy.mime.check.findings import MAX_PLACE, MAX_PLACES, Finding, has_errors
from rrpy.mime.check.links import host_of, is_private
from rrpy.mime.check.rules import RULES, SEVERITIES
from rrpy.mime.check.source import site

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "check.md"


def broken(mail: bytes) -> dict[str, Finding]:
    return {each.rule: each for each in check(mail)}


def test_every_rule_has_mails() -> None:
    assert set(MAILS) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_breaks_it_and_nothing_else(rule: str) -> None:
    wrong, right = MAILS[rule]
    assert [mail for mail in wrong if rule not in broken(mail)] == []
    assert [(mail, broken(mail)[rule]) for mail in right if rule in broken(mail)] == []


def test_a_mail_without_a_fault_has_no_finding() -> None:
    assert check(checked()) == []
    assert check(bulk(Auto_Submitted="auto-generated")) == []
    assert check(checked(html="")) == []


@pytest.mark.parametrize("mail", [mail for mail, _ in showcase.mails()], ids=lambda mail: mail["Subject"])
def test_the_mails_of_a_shop_are_well_made_but_for_the_lottery(mail: EmailMessage) -> None:
    wrong = {"merge-field", "link-http", "link-shortener"} if "lottery" in mail["From"] else set()
    assert set(broken(mail.as_bytes())) == {"dkim-missing", *wrong}


def test_the_corpus_of_clean_mails_gives_no_false_alarm() -> None:
    odd = {
        "clean-empty-body": {"body-empty"},
        "clean-case": {"date-missing", "mime-version-missing", "to-missing"},
        "clean-no-mime": {"message-id-missing"},
        "clean-html": {"text-missing"},
        "clean-lf-only": {"image-alt", "image-size"},
        "clean-nested": {"image-alt", "image-size"},
        "clean-related": {"image-alt", "image-size", "text-missing"},
        "clean-related-no-disposition": {"image-alt", "image-size", "text-missing"},
    }
    clean = {mail.name: set(broken(mail.raw)) - {"dkim-missing"} for mail in corpus() if mail.name.startswith("clean-")}
    assert {name: found for name, found in clean.items() if found} == odd


def test_a_finding_says_where_how_often_and_what_helps() -> None:
    found = check(checked(Date=None, html="<p>a</p>\n<div>\n<img src=a.png><b title='\u202e\x07'><i>"))
    assert [each.severity for each in found] == sorted((each.severity for each in found), key=SEVERITIES.index)
    assert has_errors(found)
    assert not has_errors(check(checked(Subject=None)))
    by_rule = {each.rule: each for each in found}
    assert by_rule["date-missing"].places == []
    assert by_rule["image-alt"].places == ["HTML line 3: <img src=a.png>"]
    assert by_rule["tag-unclosed"].count == 3
    assert by_rule["tag-unclosed"].places[0] == "HTML line 2: <div> without its end"
    assert by_rule["date-missing"].source == "RFC 5322 section 3.6.1"
    assert by_rule["date-missing"].remedy.startswith("Add the header Date")


@pytest.mark.parametrize(("name", "rule"), RULES.items())
def test_a_rule_has_sentences_and_a_row_in_the_reference(name: str, rule: object) -> None:
    assert rule.text.endswith(".") and rule.remedy.endswith(".")  # type: ignore[attr-defined]
    assert f"| `{name}` | {rule.severity} |" in PAGE.read_text()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("host", "private"),
    [("localhost", True), ("a.b", False), ("[::1]", True), ("[2606:4700::1111]", False), ("169.254.1.1", True),
     ("", True), ("1.1.1.1", False), ("a.TEST".lower(), True)],
)  # fmt: skip
def test_hosts_that_readers_cannot_reach(host: str, private: bool) -> None:
    assert is_private(host) is private
    assert host_of(f"https://a:b@{host}:80/x?@y") == host


def test_the_domain_of_an_organisation() -> None:
    assert [site(each) for each in ("a.b.example.com", "x.co.uk", "a.x.co.uk.", "example.com", "localhost")] == [
        "example.com", "x.co.uk", "x.co.uk", "example.com", "localhost",
    ]  # fmt: skip


@given(st.binary(max_size=300))
def test_any_bytes_are_checked(mail: bytes) -> None:
    msgspec.json.encode(check(mail))


@given(st.text(max_size=300), st.sampled_from(["", "<a href=", "<img ", "<style>", "{{", "%A"]))
def test_any_html_is_checked(text: str, head: str) -> None:
    found = check(raw("MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n", f"{head}{text}".encode()))
    assert all(place.isprintable() and len(place) <= MAX_PLACE for each in found for place in each.places)


HEADS = ("Subject: ", "From: ", "DKIM-Signature: v=1; h=", "List-Unsubscribe: ", "Message-ID: ")
HTMLS = ("", "<a href=https://", "<a href=https://a.example>", "<img src=x style='")


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("head", [*HEADS, "\n", *(f"Content-Type: text/html\n\n{each}" for each in HTMLS)])
def test_a_mail_is_checked_in_time_in_proportion_to_it(head: str) -> None:
    assert (
        superlinear(lambda text: check(f"{head}{text}".encode("utf-8", "replace")), repeated(), longest=16 * 1024) == []
    )


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(
    "piece",
    [
        "<img src=https://a.example/b.png>",
        "<b><i></b></i>",
        "<a href=/a>www.b.example",
        "x" * 999 + "\r\n",
    ],
)
def test_a_hostile_mail_of_25_mb_has_few_findings_soon(piece: str) -> None:
    mail = "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + piece * (25_000_000 // len(piece))
    began = time.process_time()
    found = check(mail.encode("latin-1"))
    assert time.process_time() - began < 30  # it takes two seconds at most
    assert len(msgspec.json.encode(found)) < len(RULES) * (MAX_PLACES + 3) * MAX_PLACE
    assert all(len(each.places) <= MAX_PLACES for each in found)


def test_a_hundred_thousand_images_are_counted() -> None:
    mail = raw("MIME-Version: 1.0\r\nContent-Type: text/html\r\n", b"<img src=cid:a>" * 69_000)
    assert broken(mail)["image-alt"].count == 69_000
