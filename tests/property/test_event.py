"""Any message makes an event, and any event is valid JSON whose sizes agree."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.mime.message import parse
from rrpy.smtp_plugin.delivery.event import Arrival, build_event
from rrpy.smtp_plugin.session import Credentials, Envelope, Session

pytestmark = pytest.mark.usefixtures("untraced")

names = st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape"))
"""What a client says of itself: bytes that are not UTF-8 are surrogates."""
credentials = st.none() | st.builds(Credentials, st.just("PLAIN"), st.binary(max_size=20), st.binary(max_size=20))
lines = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: application/pdf; name=\xff",
        b"Content-Disposition: attachment; filename==?utf-8?q?=E2=82=AC?=",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Subject: =?utf-8?b?4oKs?=",
        b'From: "=?utf-8?q?=E2=82=AC=2C?=" (\xff) <a\0@b.c>, d@e, x:;',
        b"To: <@r:a@b>, (b",
        b"Date: Sun, 29 Nov 2026 00:10:06 +0100",
        b"Date: 1 Jan 99999 00:00",
        b"In-Reply-To: <a@b> \xff",
        b"References: <a@b><c\0@d>",
        b"Content-Type: text/html; charset=utf-8; \xff=a; b*0*=utf-8''%ff",
        b"Content-ID: <a@b>",
        b"Content-Description: \xff\0",
        b"Content-Disposition: a\0; filename=b",
        b"<p><img src=cid:a@b><a href=https://x>y &#0;",
        b"--b",
        b"--b--",
        b"",
        b"aGVsbG8=",
        b"h\xc3\xa4llo =\x00\xff",
    ]
)
parameters = st.dictionaries(st.sampled_from(["SIZE", "SMTPUTF8", "ORCPT"]), st.none() | names, max_size=2)
mails = st.binary(max_size=200) | st.lists(lines | st.binary(max_size=20), max_size=30).map(b"\r\n".join)


@given(
    mail=mails,
    helo=names,
    sender=names,
    to=st.lists(st.tuples(names, parameters), max_size=3),
    captured=credentials,
    said=parameters,
)
def test_any_message_makes_a_valid_event_whose_sizes_agree(
    mail: bytes,
    helo: str,
    sender: str,
    to: list[tuple[str, dict[str, str | None]]],
    captured: Credentials | None,
    said: dict[str, str | None],
) -> None:
    session, envelope = Session(None, ("127.0.0.1", 1)), Envelope()
    session.host_name, session.credentials = helo, captured
    envelope.mail_from, envelope.rcpt_tos, envelope.content = sender, [address for address, _ in to], mail
    envelope.parameters, envelope.recipients = said, [each for _, each in to]
    message = parse(mail)
    arrival = Arrival.of(session, envelope, "id", 1e9 + 0.5)
    written = build_event(arrival, message, all_headers=True)
    event = json.loads(written.decode("utf-8", "strict"))
    assert (event["event"], event["id"], event["uuid"]) == ("EMAIL_RECEIVED", "id", session.uuid)
    assert datetime.fromisoformat(event["received_at"]).timestamp() == 1e9 + 0.5
    assert event["message"]["size"] == len(mail)
    assert len(event["envelope"]["to"]) == len(to)
    assert ("authentication" in event) == (captured is not None)
    assert event["envelope"]["to"] == [each["address"] for each in event["envelope"]["recipients"]]
    assert [set(each["parameters"]) for each in event["envelope"]["recipients"]] == [set(each) for _, each in to]
    assert set(event["envelope"]["parameters"]) == set(said)
    assert event["defects"] == message.defects
    shown_message = event["message"]
    for name in ("from", "sender", "reply_to", "to", "cc", "bcc"):
        for address in shown_message[name]:
            assert set(address) == {"name", "address"}
            assert "\0" not in address["name"] + address["address"]
    assert shown_message["date"] is None or datetime.fromisoformat(shown_message["date"]).tzinfo is not None
    assert not any("<" in each or "\0" in each for each in shown_message["references"] + shown_message["in_reply_to"])
    assert ("text_from_html" in shown_message) == (message.text_from_html is not None)
    assert "\0" not in shown_message.get("text_from_html", "")
    assert len(shown_message["headers_list"]) == sum(map(len, shown_message["headers"].values()))
    for shown, attachment in zip(event["attachments"], message.attachments, strict=True):
        content = b64decode(shown["content"], validate=True)
        assert content == attachment.content()
        assert shown["size"] == len(content)
        assert "\0" not in shown["disposition"] + shown["description"]
        assert shown["sha256"] == sha256(content).hexdigest()
        assert all(isinstance(each, str) and "\0" not in name + each for name, each in shown["parameters"].items())
    paths = [f"/tmp/{number}" for number in range(len(message.attachments))]
    by_path = json.loads(build_event(arrival, message, paths))
    assert [shown["path"] for shown in by_path["attachments"]] == paths
    assert not any("content" in shown for shown in by_path["attachments"])
    assert "headers_list" not in by_path["message"]
