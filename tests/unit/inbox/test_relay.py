"""Releases without a network: addresses, patterns, the section, and the bytes that go out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from support.container.sections import SECRET
from support.inbox.stored import kept

from rrpy.container.config.fields import Secret, decode_field
from rrpy.container.errors import ConfigError
from rrpy.inbox.records import Detail, Release, SessionInfo
from rrpy.inbox.relay.addresses import is_address, is_allowed, is_pattern
from rrpy.inbox.relay.config import RelayConfig
from rrpy.inbox.relay.outgoing import MAX_HEAD, PIECE, Sender, has_utf8_header, pieces
from rrpy.inbox.store.releases import KEPT
from rrpy.inbox.store.store import Store

AT = datetime(2026, 11, 29, 4, 10, tzinfo=UTC)
US = Sender("laptop", "tcp://127.0.0.1:1025")


@pytest.mark.parametrize(
    "text",
    ["ann@example.com", "ann.o+tag@mail.example.com", "o'neil@a.b", "grüße@bücher.example", "a@localhost", "1@2.3"],
)
def test_a_plain_address_is_one(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "ann", "@b.c", "a@", "a@b@c", "a b@c.d", "a@b c", " a@b.c", "a@b.c ", "a@b.c\n", "a@b.c\r\nRCPT TO:<x@y.z>",
        "a\0@b.c", "a@b.c\0", '"a b"@c.d', '"a"@c.d', "*@b.c", "a@*", "a.@b.c", ".a@b.c", "a..b@c.d", "a@b..c",
        "a@.b", "a@b.", "a@-b.c", "a@b-.c", "a@[127.0.0.1]", "<a@b.c>", "a@b.c>", "a@b.c,d@e.f", "a@b.c;",
        "a\u200b@b.c", "a%\u202e@b.c", "a@b.c\u2028", f"{'a' * 65}@b.c", f"a@{'b.' * 130}c", "a\ud800@b.c",
        "Ann <a@b.c>", "a\x7f@b.c", "ann%evil.org@example.com", "evil.org!ann@example.com",
    ],
)  # fmt: skip
def test_all_else_is_none(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    ("address", "patterns", "allowed"),
    [
        ("ann@example.com", [], False),
        ("ann@example.com", ["ann@example.com"], True),
        ("ann@EXAMPLE.com", ["*@example.COM"], True),
        ("Ann@example.com", ["ann@example.com"], False),
        ("ann@sub.example.com", ["*@example.com"], False),
        ("ann@sub.example.com", ["*@*.example.com"], True),
        ("ann@example.com", ["*@*.example.com"], False),
        ("ann@example.com.evil.org", ["*@example.com"], False),
        ("ann@evil-example.com", ["*@example.com"], False),
        ("ann@evil.org", ["ann*@example.com", "*@*.com"], False),
        ("dev+7@example.com", ["dev+*@example.com"], True),
        ("x@y.z", ["*@*"], True),
        ("a@\u212aexample.com", ["*@kexample.com"], False),
        ("ann@example.com", ["an?@example.com", "[a]nn@example.com"], False),
    ],
)
def test_a_pattern_fits_the_whole_address(address: str, patterns: list[str], allowed: bool) -> None:
    assert is_allowed(address, patterns) is allowed


@pytest.mark.parametrize("text", ["*@*", "*@example.com", "a*b@*.c", "ann@example.com"])
def test_a_pattern_is_an_address_with_stars(text: str) -> None:
    assert is_pattern(text)
    assert not is_pattern(text.replace("@", ""))


def config(**keys: Any) -> RelayConfig:
    return msgspec.convert({"host": "mail.example.com"} | keys, RelayConfig, dec_hook=decode_field)


def test_the_port_follows_the_mode_of_tls() -> None:
    assert [config(tls=mode).real_port for mode in ("starttls", "implicit", "none")] == [587, 465, 25]
    assert config(port=2525).address == "mail.example.com:2525"
    assert config(host="::1").address == "[::1]:587"


def test_a_password_is_shown_nowhere() -> None:
    found = config(username="ann", password=SECRET)
    assert found.password == Secret(SECRET)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"host": ""}, "host"), ({"host": "a:25"}, "host"), ({"host": "a\nb"}, "host"),
        ({"from": "Ann <a@b.c>"}, "from"),
        ({"password": "x"}, "username"), ({"allow": ["example.com"]}, "allow"), ({"allow": ["*"]}, "allow"),
        ({"allow": ["a@b.c", "*@a@b"]}, "allow"),
    ],
)  # fmt: skip
def test_a_wrong_section_names_its_key(keys: dict[str, Any], key: str) -> None:
    with pytest.raises((ConfigError, msgspec.ValidationError)) as raised:
        config(**keys)
    found = raised.value if isinstance(raised.value, ConfigError) else raised.value.__cause__
    assert isinstance(found, ConfigError)
    assert found.key == key


def sent(content: bytes) -> bytes:
    """Return what goes out after our Received."""
    first, second, rest = US.outgoing(content, "id-1", AT).split(b"\r\n", 2)
    assert first.startswith(b"Received: by laptop (rrpy-inbox-")
    assert first.endswith(b" id id-1;")
    assert second == b"\tSun, 29 Nov 2026 04:10:00 +0000"
    return rest


@pytest.mark.parametrize(
    ("content", "out"),
    [
        (b"Subject: a\r\n\r\n.\r\n..x\r\n\r\n", b"Subject: a\r\n\r\n.\r\n..x\r\n\r\n"),
        (
            b"To: a\r\nBcc: b@c,\r\n d@e\r\nSubject: x\r\n\r\nBcc: stays\r\n",
            b"To: a\r\nSubject: x\r\n\r\nBcc: stays\r\n",
        ),
        (b"RETURN-PATH : <a@b>\r\nResent-Bcc: x\r\nA: 1\r\nBcc: y", b"A: 1\r\n"),
        (b"A: 1\rBcc: hidden@x\nB: 2\n\nbody\rmore", b"A: 1\r\nB: 2\r\n\r\nbody\r\nmore\r\n"),
        (b"\r\nno headers", b"\r\nno headers\r\n"),
        (b"Bcc-Note: stays\r\nX: a\r\n\tbcc: stays\r\n\r\n", b"Bcc-Note: stays\r\nX: a\r\n\tbcc: stays\r\n\r\n"),
        (b"X: \xff\0\r\n\r\n\x80\r\n", b"X: \xff\0\r\n\r\n\x80\r\n"),
    ],
)
def test_a_message_goes_out_as_it_came_but_for_what_a_relay_changes(content: bytes, out: bytes) -> None:
    assert sent(content) == out


def test_a_message_that_came_back_is_known_by_its_received() -> None:
    whole = US.outgoing(b"A: 1\r\n\r\nhi\r\n", "1", AT)
    back = b"Received: from x by y\r\n" + whole
    assert US.has_sent(back)
    assert not Sender("laptop", "tcp://127.0.0.1:2025").has_sent(back)
    assert not US.has_sent(b"A: 1\r\n\r\n" + whole)  # quoted in a body
    assert Sender("a b\r\nX: y", "").host == "localhost"


def test_only_bytes_of_headers_ask_for_smtputf8() -> None:
    assert has_utf8_header("A: ü\r\n\r\n".encode())
    assert not has_utf8_header("A: u\r\n\r\nü".encode())


def test_a_message_keeps_its_last_releases_read_or_not() -> None:
    store = Store()
    kept(store, "1")
    size = store.bytes
    for number in range(KEPT + 5):
        release = Release("now", "a@b.c", ["x@y.z"], "mail:25", True, 250, f"OK {number}")
        assert store.add_release("1", release)
    assert store.bytes > size
    store.mark(True, ["1"])
    stored = store.read("1")
    assert stored is not None
    found = msgspec.json.decode(stored.detail(), type=Detail)
    releases = msgspec.json.decode(found.releases, type=list[Release])
    assert [each.reply for each in releases] == [f"OK {number}" for number in range(5, KEPT + 5)]
    assert stored.listed().read
    assert found.text == "hi"
    assert msgspec.json.decode(stored.session, type=SessionInfo).uuid == "u"
    assert not store.add_release("2", release)
    store.delete("1")
    assert store.bytes == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a\r\n",
        b".\r\n",
        b".a\r\n..\r\n",
        b"." * PIECE + b"\r\n.\r\n" * PIECE,
        b"\r\n" * PIECE + b".\r\n",
        b"x\r\n" * PIECE,
    ],
)
def test_the_pieces_of_a_message_are_what_data_sends(content: bytes) -> None:
    sent = list(pieces(content))
    assert b"".join(sent) == (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    assert all(each.endswith(b"\r\n") and len(each) <= 2 * PIECE + 8 for each in sent)


def test_headers_beyond_all_reason_do_not_go_out() -> None:
    with pytest.raises(ValueError, match=f"^the headers have [0-9]+ bytes; a release takes {MAX_HEAD}$"):
        US.outgoing(b"Bcc:\r\n" * (MAX_HEAD // 6 + 1), "id", AT)
    assert len(US.outgoing(b"A: b\r\n\r\n" + b"\r\n" * MAX_HEAD, "id", AT)) > 2 * MAX_HEAD
