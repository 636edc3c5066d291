from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from support.docs.pages import page, section, table

from rrpy.worker import Attachment, Email, Request, log
from rrpy.worker.testing import email_event

PARSED = {
    "from": [{"name": "Müller, Eva", "address": "eva@b.c"}],
    "sender": [],
    "reply_to": [{"name": "", "address": "r@b.c"}],
    "to": [{"name": "", "address": "x@y.z"}, {"name": "Group", "address": ""}],
    "cc": [],
    "bcc": [],
    "date": "2026-11-23T02:10:44+01:00",
    "in_reply_to": ["0@b.c"],
    "references": ["0@b.c", "00@b.c"],
}
"""The parsed fields of a message, which older hosts did not send."""
EVENT = {
    "event": "EMAIL_RECEIVED",
    "id": "0e9cd2d6-8b4c-4d0c-8f6d-1f3e2f0a9c11",
    "uuid": "13c0e300-3cfd-42ea-a076-2a9c78a52ee9",
    "remote_addr": "127.0.0.1:56348",
    "received_at": "2026-11-23T02:10:44.872123+01:00",
    "envelope": {"from": "a@b.c", "to": ["x@y.z", "X@y.z"], "helo": "client"},
    "authentication": {"attempted": True, "mechanism": "PLAIN", "username": "joe", "password": "hunter2"},
    "message": {
        "headers": {"Subject": ["Grüße"], "received": ["two", "one"], "X-Empty": []},
        "id": "<1@b.c>",
        "subject": "Grüße",
        "body": "text",
        "html_body": "<p>text",
        "size": 4711,
        "later": 1,
    },
    "attachments": [
        {
            "filename": "a.txt",
            "content_type": "text/plain",
            "size": 1,
            "content_id": "c1",
            "inline": True,
            "content": "YQ==",
        }
    ],
    "defects": ["odd"],
    "unknown": {"a": [1]},
}


def request(event: object, body: bytes = b"") -> Request:
    return Request(json.dumps(event).encode(), body)


def without(name: str) -> dict:
    return {key: value for key, value in EVENT.items() if key != name}


def test_an_event_becomes_an_object():
    email = Email.from_request(request(EVENT, b"\xff\r\n"))
    assert (email.id, email.uuid) == (EVENT["id"], EVENT["uuid"])
    assert email.remote_addr == "127.0.0.1:56348"
    assert email.received_at == datetime(2026, 11, 23, 1, 10, 44, 872123, UTC)
    assert email.received_at.utcoffset() == timedelta(hours=1)
    assert email.envelope == ("a@b.c", ["x@y.z", "X@y.z"], "client")
    assert (email.envelope.sender, email.envelope.helo) == ("a@b.c", "client")
    assert (email.message_id, email.subject, email.text, email.html) == ("<1@b.c>", "Grüße", "text", "<p>text")
    assert (email.size, email.defects, email.raw) == (4711, ["odd"], b"\xff\r\n")
    (attachment,) = email.attachments
    assert (attachment.filename, attachment.content_type, attachment.size) == ("a.txt", "text/plain", 1)
    assert (attachment.content_id, attachment.inline, attachment.content()) == ("c1", True, b"a")
    assert email.event == EVENT


def test_the_parsed_fields_are_attributes():
    message = EVENT["message"] | PARSED | {"text_from_html": "words", "headers_list": [["A", "=?x"], ["a", ""]]}
    envelope = EVENT["envelope"] | {
        "parameters": {"SIZE": "9", "SMTPUTF8": True},
        "recipients": [{"address": "x@y.z", "parameters": {"NOTIFY": "NEVER"}}, {"address": "X@y.z"}],
    }
    tls = {"version": "TLSv1.3", "cipher": "AES", "subject": "CN=a"}
    email = Email(EVENT | {"message": message, "envelope": envelope, "tls": tls})
    assert email.from_ == [("Müller, Eva", "eva@b.c")]
    assert [str(each) for each in (*email.from_, *email.reply_to, *email.to)] == [
        '"Müller, Eva" <eva@b.c>',
        "r@b.c",
        "x@y.z",
        "Group",
    ]
    assert (email.sender, email.cc, email.bcc) == ([], [], [])
    assert email.date == datetime(2026, 11, 23, 1, 10, 44, tzinfo=UTC)
    assert (email.in_reply_to, email.references) == (["0@b.c"], ["0@b.c", "00@b.c"])
    assert (email.text_from_html, email.headers_list) == ("words", [("A", "=?x"), ("a", "")])
    assert email.tls == ("TLSv1.3", "AES", "CN=a")
    assert email.envelope == ("a@b.c", ["x@y.z", "X@y.z"], "client")
    assert email.envelope.parameters == {"SIZE": "9", "SMTPUTF8": True}
    assert [each.parameters for each in email.envelope.recipients] == [{"NOTIFY": "NEVER"}, {}]
    twin = pickle.loads(pickle.dumps(email.envelope))
    assert (twin.parameters, twin.recipients[0].parameters) == (email.envelope.parameters, {"NOTIFY": "NEVER"})


def test_an_event_that_an_older_host_has_recorded_is_still_read():
    email = Email(EVENT)
    assert (email.from_, email.to, email.date, email.references) == ([], [], None, [])
    assert (email.text_from_html, email.headers_list, email.tls) == ("", [], None)
    assert (email.envelope.parameters, email.envelope.recipients[0].parameters) == ({}, {})
    (attachment,) = email.attachments
    assert (attachment.disposition, attachment.description, attachment.parameters) == ("", "", {})
    assert (attachment.related, attachment.sha256) == (False, "")


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"from": "a@b.c"}, "from_"),
        ({"to": ["a@b.c"]}, "to"),
        ({"date": "yesterday"}, "date"),
        ({"references": "<a@b>"}, "references"),
        ({"text_from_html": 5}, "text_from_html"),
    ],
)
def test_a_wrong_parsed_field_is_told_when_it_is_asked_for(wrong, name):
    email = Email(EVENT | {"message": EVENT["message"] | wrong})
    with pytest.raises(ValueError, match=r"^the event's field "):
        getattr(email, name)


def test_headers_are_found_in_any_case_and_kept_as_they_came():
    headers = Email(EVENT).headers
    assert headers["subject"] == headers["SUBJECT"] == "Grüße"
    assert headers["Received"] == "two"
    assert headers.get_all("RECEIVED") == ["two", "one"]
    assert (headers.get("nope"), headers.get_all("nope"), "nope" in headers) == (None, [], False)
    assert ("X-EMPTY" in headers, headers.get_all("x-empty")) == (False, [])
    assert dict(headers) == {"Subject": "Grüße", "received": "two"}
    assert len(headers) == 2
    assert headers.mapping == EVENT["message"]["headers"]
    assert "Grüße" in repr(headers)
    with pytest.raises(KeyError):
        headers["nope"]


def test_names_that_differ_in_case_alone_are_one_header():
    event = email_event(headers={"X-A": "1", "x-a": ["2", "3"]})
    headers = Email(event).headers
    assert headers.get_all("X-a") == ["1", "2", "3"]
    assert [name for name in headers if name.lower() == "x-a"] == ["X-A"]


def test_a_password_is_there_and_is_never_shown(capsys):
    email = Email(EVENT)
    authentication = email.authentication
    assert authentication is not None
    assert (authentication.attempted, authentication.mechanism) == (True, "PLAIN")
    assert (authentication.username, authentication.password) == ("joe", "hunter2")
    assert repr(authentication).endswith("mechanism='PLAIN', username='joe', password=***)")
    log.info("mail", email=email, authentication=authentication, envelope=email.envelope)
    shown = f"{email} {email!r} {authentication} {capsys.readouterr().err}"
    assert "hunter2" not in shown
    assert "joe" in shown


@pytest.mark.parametrize("event", [without("authentication"), EVENT | {"authentication": None}])
def test_without_auth_there_is_none(event):
    assert Email(event).authentication is None


def test_what_a_message_does_not_have_is_empty():
    message = {"headers": {}, "id": None, "subject": "", "html_body": None, "size": 0}
    envelope = {"from": "", "to": ["x@y.z"], "helo": None}
    email = Email(EVENT | {"message": message, "envelope": envelope, "attachments": [], "defects": []})
    assert (email.message_id, email.subject, email.text, email.html) == ("", "", "", "")
    assert (email.envelope.sender, email.envelope.helo) == ("", "")
    assert (email.attachments, email.raw) == ([], b"")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"event": "CONNECTION_CLOSED"}, r"the event is 'CONNECTION_CLOSED', not EMAIL_RECEIVED"),
        ({"event": None}, r"the event is None"),
        ({"id": None}, r"the event's field 'id' is missing or not a text"),
        ({"uuid": 5}, r"the event's field 'uuid' is missing or not a text"),
        ({"received_at": "yesterday"}, r"the event's field 'received_at' is not a time with an offset: 'yesterday'"),
        ({"received_at": "2026-11-23T02:10:44"}, r"the event's field 'received_at' is not a time with an offset"),
        ({"envelope": []}, r"the event's field 'envelope' is missing or not an object"),
        ({"envelope": {"to": []}}, r"the event's field 'from' is missing or not a text"),
        ({"envelope": {"from": ""}}, r"the event's field 'to' is missing or not a list"),
        ({"envelope": {"from": "", "to": "x@y.z"}}, r"the event's field 'to' is missing or not a list"),
        (
            {"envelope": {"from": "", "to": ["x"], "recipients": []}},
            r"the event's field 'recipients' is not a list with an object for each address of 'to'",
        ),
        ({"envelope": {"from": "", "to": [5]}}, r"the event's field 'to' is not a list of texts"),
        ({"authentication": "yes"}, r"the event's field 'authentication' is missing or not an object"),
        ({"message": None}, r"the event's field 'message' is missing or not an object"),
        (
            {"message": {"headers": {"Subject": "x"}, "size": 1}},
            r"the event's field 'Subject' is missing or not a list",
        ),
        ({"message": {"headers": {}, "size": "1"}}, r"the event's field 'size' is missing or not a number"),
        ({"message": {"headers": {}, "size": 1, "body": 5}}, r"the event's field 'body' is missing or not a text"),
        ({"attachments": None}, r"the event's field 'attachments' is missing or not a list"),
        ({"attachments": [None]}, r"an attachment of the event is not an object"),
        ({"defects": None}, r"the event's field 'defects' is missing or not a list"),
    ],
)
def test_what_is_no_such_event_is_told_in_one_sentence(wrong, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        Email.from_request(request(EVENT | wrong))


@pytest.mark.parametrize("name", ["event", *sorted(set(EVENT) - {"authentication", "unknown", "event"})])
def test_every_field_but_authentication_has_to_be_there(name):
    with pytest.raises(ValueError, match=name):
        Email(without(name))


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (b"", "the request is not an event: its context is not JSON"),
        (b"\xff", "the request is not an event: its context is not JSON"),
        (b"[" * 100_000, "the request is not an event: its context is not JSON"),
        (b"[]", "the request is not an event: it is JSON, but not an object"),
    ],
)
def test_what_is_no_event_at_all_is_told_in_one_sentence(context, text):
    with pytest.raises(ValueError, match=f"^{text}$"):
        Email.from_request(Request(context))


def test_an_email_goes_to_another_process():
    email = Email(EVENT, b"raw")
    for twin in (copy.deepcopy(email), pickle.loads(pickle.dumps(email))):
        assert (twin.event, twin.raw, twin.headers["subject"]) == (EVENT, b"raw", "Grüße")
        assert twin.attachments[0].content() == b"a"


def test_a_sample_is_an_event_like_the_hosts(tmp_path):
    (tmp_path / "b.bin").write_bytes(b"12345")
    event = email_event(
        sender="",
        recipients=["x@y.z", "u@v.w"],
        subject="é",
        text="te",
        html="<p>",
        headers={"X-A": "1", "Date": ["never"]},
        attachments=[("a.pdf", b"data"), ("../b", tmp_path / "b.bin")],
        credentials=("joe", "hunter2"),
        defects=["odd"],
        extra=1,
    )
    assert list(event)[:-1] == [name for name in EVENT if name != "unknown"]
    assert (set(EVENT["message"]) - {"later"}) | set(PARSED) == set(event["message"])
    email = Email.from_request(request(event))
    assert (email.envelope.sender, email.envelope.recipients) == ("", ["x@y.z", "u@v.w"])
    assert (email.subject, email.text, email.html, email.size) == ("é", "te", "<p>", 5 + 4 + 5)
    assert (email.headers["x-a"], email.headers["to"], email.headers["date"]) == ("1", "x@y.z, u@v.w", "never")
    assert email.headers["message-id"] == f"<{email.message_id}>"
    assert email.authentication is not None
    assert (email.authentication.username, email.defects, event["extra"]) == ("joe", ["odd"], 1)
    assert [str(each) for each in email.to] == ["x@y.z", "u@v.w"]
    assert (email.date, email.envelope.parameters, email.text_from_html) == (None, {}, "")
    kept, filed = email.attachments
    assert kept.sha256 == sha256(b"data").hexdigest()
    assert (kept.filename, kept.content_type, kept.size, kept.content()) == ("a.pdf", "application/pdf", 4, b"data")
    assert (filed.content_type, filed.path, filed.content()) == (
        "application/octet-stream",
        tmp_path / "b.bin",
        b"12345",
    )
    assert abs(email.received_at - datetime.now(UTC)) < timedelta(seconds=60)


def test_a_sample_has_parsed_fields_as_a_host_makes_them():
    headers = {"From": '"Ex, Ann" <a@b.c>', "References": "<1@b.c> <2@b.c>", "In-Reply-To": "<2@b.c>"}
    email = Email(email_event(text="", html="<p>Hi", text_from_html="Hi", headers=headers, tls={"version": "TLSv1.3"}))
    assert (email.from_, email.references, email.in_reply_to) == ([("Ex, Ann", "a@b.c")], ["1@b.c", "2@b.c"], ["2@b.c"])
    assert (email.text_from_html, email.tls) == ("Hi", ("TLSv1.3", "", ""))
    assert email.date is not None
    assert abs(email.date - datetime.now(UTC)) < timedelta(seconds=60)


def test_a_sample_needs_nothing_said():
    first, second = Email(email_event()), Email(email_event(size=4711, id="1"))
    assert (first.attachments, first.defects, first.authentication) == ([], [], None)
    assert first.id not in ("1", Email(email_event()).id)
    assert (second.size, second.id) == (4711, "1")


def documented(title: str) -> set[str]:
    """Return the names in the first column of the table under a heading of the workers' page."""
    return {
        name for cell in table(section(page("docs/how-to/worker.md"), title)) for name in re.findall(r"`(\w+)", cell)
    }


def test_every_attribute_is_documented_and_no_other():
    assert documented("Email") == {name for name in dir(Email) if not name.startswith("_")} - {"from_request"}
    public = {name for name in dir(Attachment) if not name.startswith("_")}
    assert documented("Attachments") == public


def test_every_parameter_of_a_sample_is_documented_and_no_other():
    parameters = set(inspect.signature(email_event).parameters) - {"fields"}
    assert documented("Testing a handler of mail") - {"email_event"} == parameters
