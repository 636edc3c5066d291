"""Any message makes an event, and any event is valid JSON whose sizes agree."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from rrpy.mime.message import parse
from rrpy.smtp_plugin.delivery.event import Arrival, build_event
from rrpy.smtp_plugin.session import Credentials, Envelope, Session

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
        b"--b",
        b"--b--",
        b"",
        b"aGVsbG8=",
        b"h\xc3\xa4llo =\x00\xff",
    ]
)
mails = st.binary(max_size=200) | st.lists(lines | st.binary(max_size=20), max_size=30).map(b"\r\n".join)


@given(mail=mails, helo=names, sender=names, to=st.lists(names, max_size=3), captured=credentials)
def test_any_message_makes_a_valid_event_whose_sizes_agree(
    mail: bytes, helo: str, sender: str, to: list[str], captured: Credentials | None
) -> None:
    session, envelope = Session(None, ("127.0.0.1", 1)), Envelope()
    session.host_name, session.credentials = helo, captured
    envelope.mail_from, envelope.rcpt_tos, envelope.content = sender, to, mail
    message = parse(mail)
    arrival = Arrival.of(session, envelope, "id", 1e9 + 0.5)
    event = json.loads(build_event(arrival, message).decode("utf-8", "strict"))
    assert (event["event"], event["id"], event["uuid"]) == ("EMAIL_RECEIVED", "id", session.uuid)
    assert datetime.fromisoformat(event["received_at"]).timestamp() == 1e9 + 0.5
    assert event["message"]["size"] == len(mail)
    assert len(event["envelope"]["to"]) == len(to)
    assert ("authentication" in event) == (captured is not None)
    assert event["defects"] == message.defects
    for shown, attachment in zip(event["attachments"], message.attachments, strict=True):
        content = b64decode(shown["content"], validate=True)
        assert content == attachment.content()
        assert shown["size"] == len(content)
    paths = [f"/tmp/{number}" for number in range(len(message.attachments))]
    by_path = json.loads(build_event(arrival, message, paths))
    assert [shown["path"] for shown in by_path["attachments"]] == paths
    assert not any("content" in shown for shown in by_path["attachments"])
