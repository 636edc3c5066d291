"""Sessions, envelopes, and what RPC shows of them."""

from __future__ import annotations

import os
import uuid

import aiosmtpd.smtp
import msgspec

from rrpy.smtp_plugin.session import ConnectionInfo, Credentials, Envelope, Session, new_uuid


def test_identifiers_are_random_uuids_and_never_repeat() -> None:
    seen = [new_uuid() for _ in range(1000)]
    assert len(set(seen)) == 1000
    for text in seen:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122


def test_a_forked_child_does_not_repeat_its_parents_identifiers() -> None:
    new_uuid()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_uuid().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        of_child = pipe.read()
    os.waitpid(child, 0)
    assert uuid.UUID(of_child).version == 4
    assert of_child not in {new_uuid() for _ in range(300)}


def test_the_remote_address_is_the_peer_s_or_unix() -> None:
    assert Session(None, ("2001:db8::1", 25, 0, 0)).remote_addr == "[2001:db8::1]:25"
    assert Session(None, "/run/x.sock").remote_addr == "unix"


def test_what_auth_captured_is_the_session_s_also_for_aiosmtpds_handlers() -> None:
    session = Session(None)
    session.capture("PLAIN", b"user", b"hunter2")
    assert (session.username, session.authenticated) == ("user", True)
    assert session.auth_data == aiosmtpd.smtp.LoginPassword(b"user", b"hunter2")


def test_no_secret_is_printed() -> None:
    credentials = Credentials("PLAIN", b"user", b"hunter2")
    assert repr(credentials) == "Credentials(mechanism='PLAIN', username=b'user', secret=***)"
    assert "hunter2" not in f"{credentials}"


def test_a_handler_of_aiosmtpds_finds_what_it_knows() -> None:
    theirs, ours = aiosmtpd.smtp.Envelope(), Envelope()
    assert isinstance(ours, aiosmtpd.smtp.Envelope)
    assert {name: getattr(ours, name) for name in vars(theirs)} == vars(theirs)
    session = Session(None)
    assert isinstance(session, aiosmtpd.smtp.Session)
    known = vars(aiosmtpd.smtp.Session(None))
    assert {name: getattr(session, name) for name in known} == known
    assert session.helo == session.username == ""


def test_envelopes_share_nothing() -> None:
    one, two = Envelope(), Envelope()
    one.rcpt_tos.append("x")
    one.parameters["SIZE"] = "1"
    assert two.rcpt_tos == []
    assert two.parameters == {}


def test_connection_info_has_the_keys_of_the_specification() -> None:
    session = Session(None, ("192.0.2.1", 25))
    session.authenticated = True
    session.credentials = Credentials("PLAIN", b"us\xffer", b"secret")
    envelope = Envelope()
    envelope.mail_from = "a@b"
    envelope.rcpt_tos = ["c@d", "\udcff@e"]
    info = ConnectionInfo.of(session, envelope)
    assert msgspec.to_builtins(info) == {
        "uuid": session.uuid,
        "remote_addr": "192.0.2.1:25",
        "from": "a@b",
        "to": ["c@d", "\ufffd@e"],
        "authenticated": True,
        "username": "us\ufffder",
    }
    assert b"secret" not in msgspec.json.encode(info)


def test_connection_info_of_an_idle_session_is_empty() -> None:
    info = ConnectionInfo.of(Session(None), None)
    assert (info.remote_addr, info.sender, info.to, info.authenticated) == ("unix", "", [], False)
    assert ConnectionInfo.of(Session(None), Envelope()).sender == ""
