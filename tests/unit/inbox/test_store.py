"""The mail that is kept: bounds, order, search, and a database that is checked before it is used."""

from __future__ import annotations

import sqlite3
import unicodedata
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inbox.stored import MAIL, ids, kept

from rrpy.container.errors import HostError
from rrpy.inbox.records import MAX_WORDS, Detail, Record, SessionInfo, Stored, Summary, fold, record_of
from rrpy.inbox.store.database import StoreError, connect
from rrpy.inbox.store.selection import Message
from rrpy.inbox.store.store import Store
from rrpy.mime.addresses import Address
from rrpy.smtp_plugin.delivery.event import Recipient
from rrpy.smtp_plugin.delivery.observers import ReceivedMail
from rrpy.smtp_plugin.session import TLSInfo


def stored(record: Record) -> Stored:
    """Return a record as the store gives it back."""
    return Stored(msgspec.json.encode(record.summary), record.session, record.content)


def test_a_mail_becomes_a_record_with_all_that_is_known_of_it() -> None:
    content = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nfrom: Ann <a@b.c>\r\nContent-Type: multipart/mixed; boundary=x\r\n"
        b"\r\n--x\r\n\r\nhi\r\n  there\r\n--x\r\nContent-Disposition: attachment; filename=f.bin\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--x--\r\n"
    )
    mail = ReceivedMail(**MAIL | {"id": "1", "content": content, "authentication": ("PLAIN", "u", "p")})
    got = record_of(mail)
    assert got.summary == Summary(
        id="1", received_at="2023-11-14T22:13:20.250Z", sender="a@b.c", to=["x@y.z"], header_from="Ann <a@b.c>",
        subject="Grüße", excerpt="hi there", size=len(content), attachments=1, html=False, code=250,
        from_name="Ann",
    )  # fmt: skip
    assert got.content == content
    detail = msgspec.json.decode(stored(got).detail(), type=Detail)
    assert detail.from_ == [Address("Ann", "a@b.c")]
    (attachment,) = detail.attachments
    assert (attachment.disposition, attachment.sha256) == ("attachment", sha256(b"\x00\x01\x02").hexdigest())
    session = msgspec.json.decode(detail.session, type=SessionInfo)
    assert session.authentication is not None
    assert session.authentication.password == "p"
    assert got.words.startswith("grusse\na@b.c\nx@y.z\nann <a@b.c>\n")
    assert "f.bin" in got.words


def test_a_record_has_what_an_event_has() -> None:
    content = (
        b"From: =?utf-8?q?boss=40b.c_=3Cboss=40b.c=3E=2C?= <eve@b.c>\r\nTo: a@b.c, G: b@b.c;\r\nReferences: <1@b.c>\r\n"
        b"Date: Sun, 29 Nov 2026 00:10:06 +0100\r\nContent-Type: text/html\r\n\r\n<p>Gr&uuml;<b>\xc3\x9f</b>e"
    )
    extra = {
        "parameters": {"SMTPUTF8": True},
        "recipients": [Recipient("x@y.z", {"NOTIFY": "NEVER"})],
        "tls": TLSInfo("TLSv1.3", "AES", "CN=a"),
    }
    got = record_of(ReceivedMail(**MAIL | {"id": "1", "content": content} | extra))
    detail = msgspec.json.decode(stored(got).detail())
    assert got.summary.from_name == "boss@b.c <boss@b.c>,"
    assert detail["from"] == [{"name": "boss@b.c <boss@b.c>,", "address": "eve@b.c"}]
    assert [each["address"] for each in detail["to"]] == ["a@b.c", "b@b.c"]
    assert (detail["date"], detail["references"]) == ("2026-11-29T00:10:06+01:00", ["1@b.c"])
    assert detail["text_from_html"] == "Grüße"
    assert got.words.endswith("\ngrusse")  # a search reads the words, not the markup
    session = detail["session"]
    assert session["tls"] == {"version": "TLSv1.3", "cipher": "AES", "subject": "CN=a"}
    assert (session["parameters"], session["recipients"]) == (
        {"SMTPUTF8": True},
        [{"address": "x@y.z", "parameters": {"NOTIFY": "NEVER"}}],
    )


def test_a_message_that_an_older_host_has_stored_is_read(tmp_path: Path) -> None:
    """It stored the whole message as JSON, and each attachment decoded, and counted both."""
    path = tmp_path / "inbox.db"
    store = Store(str(path))
    kept(store, "1")
    store.close()
    older = sqlite3.connect(path)
    detail = b'{"summary":{"id":"1"},"headers":{},"text":"hi","session":{"uuid":"old","helo":"h"},"html":""}'
    older.execute("UPDATE details SET detail = ?", (detail,))
    older.execute("INSERT INTO contents VALUES (1, 1, ?)", (b"decoded",))
    older.commit()
    older.close()
    store = Store(str(path))
    found = store.read("1")
    assert found is not None
    read = msgspec.json.decode(found.detail())
    assert (read["summary"]["subject"], read["headers"], read["text"]) == ("1", {"Subject": ["1"]}, "hi")
    assert read["session"] == {"uuid": "old", "helo": "h"}
    assert ids(store, search="header:subject:1 body:hi") == ["1"]
    store.delete("1")
    assert store._database.execute("SELECT count(*) FROM contents").fetchone() == (0,)
    store.close()


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("<html><head><title>No</title><style>p {}</style></head><p>Dear&nbsp;Ann, <b>1 &lt; 2</b>", "Dear Ann, 1 < 2"),
        ("<style>never ends <p>x", ""),
        ("a<!-- <b> -->b<STYLE x>c</style >d<script", "a b d"),
        ("x" * 1000, "x" * 160),
        ("<style>" * 100_000, ""),
    ],
)
def test_a_message_without_text_is_listed_with_what_its_html_says(text: str, excerpt: str) -> None:
    content = f"Content-Type: text/html\r\n\r\n{text}".encode()
    assert record_of(ReceivedMail(**MAIL | {"id": "1", "content": content})).summary.excerpt == excerpt


def test_what_a_search_looks_at_is_bounded() -> None:
    store = Store()
    kept(store, "long", "x" * MAX_WORDS + "needle")
    assert ids(store, search="long xxx") == ["long"]
    assert ids(store, search="needle") == []
    store.close()


def test_the_newest_come_first_in_pages_that_do_not_overlap() -> None:
    store = Store()
    for number in range(5):
        kept(store, str(number))
    page = store.list_messages(limit=2)
    assert (page.total, len(page.messages)) == (5, 2)
    assert ids(store, limit=2, before=page.next) == ["2", "1"]
    store.delete("3")
    kept(store, "5")
    assert ids(store, before=page.next) == ["2", "1", "0"], "a cursor outlives its message"
    assert store.list_messages(limit=5).next is None
    store.close()


def test_the_oldest_go_until_both_limits_hold_and_the_newest_stays() -> None:
    store = Store(max_messages=3, max_bytes=10_000)
    for number in range(3):
        assert kept(store, str(number)) == []
    assert kept(store, "3") == ["0"]
    assert kept(store, "4", "x" * 700) == ["1"]
    assert kept(store, "5", "x" * 15_000) == ["2", "3", "4"]
    assert ids(store) == ["5"]
    assert store.bytes > 15_000
    assert kept(store, "6") == ["5"]
    assert store.bytes == store.list_messages(limit=1).bytes < 10_000
    store.close()


def test_limits_that_became_smaller_hold_from_the_start_on(tmp_path: Path) -> None:
    path = str(tmp_path / "inbox.db")
    store = Store(path)
    for number in range(5):
        kept(store, str(number))
    store.close()
    store = Store(path, max_messages=2)
    assert ids(store) == ["4", "3"]
    assert store.total == 2
    store.close()


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    path = str(tmp_path / "inbox.db")
    store = Store(path)
    kept(store, "1")
    kept(store, "2")
    store.clear()
    store.close()
    store = Store(path)
    kept(store, "3")
    found = store.read("latest")
    assert found is not None
    assert (found.listed().id, found.listed().number) == ("3", 3)
    store.close()


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["b", "a"]),
        ("CAFÉ", ["a"]),
        ("cafe", ["a"]),
        ("strasse", ["b"]),
        ("Straße 12", ["b"]),
        ("注文", ["b"]),
        ("\uff21\uff22\uff23", ["a"]),
        ("x@y.z", ["b", "a"]),
        ("x@y.z straße", ["b"]),
        ("100%", ["a"]),
        ("0_", []),
        ("'", []),
        ('"', ["b"]),
    ],
)
def test_a_search_takes_words_as_text(search: str, found: list[str]) -> None:
    store = Store()
    kept(store, "a", "Café\r\n100% abc")
    kept(store, "b", 'STRASSE 12 "ご注文"')
    assert ids(store, search=search) == found
    store.close()


def test_folding_leaves_nothing_that_tells_case_or_accent() -> None:
    assert fold("ÀÉÎõü ẞ ﬁ İ") == fold("aeiou ss fi i")


@given(
    st.text(st.characters() | st.sampled_from("\u0301\u0316\u0f73\ufdfa\uff9e\uac01a"), max_size=300),
    st.integers(0, 300),
)
def test_folding_in_pieces_is_folding(text: str, most: int) -> None:
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)).casefold()
    assert fold(text) == (text.lower() if text.isascii() else plain)
    assert fold(text, most) == fold(text)[:most]


def test_what_is_deleted_is_gone_with_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    store = Store(str(path))
    kept(store, "1", "s3cret-in-the-body")
    kept(store, "2")
    found = store.read("1")
    assert found is not None
    assert found.content == b"Subject: 1\r\n\r\ns3cret-in-the-body"
    assert store.delete("1").ids == ["1"]
    assert not store.delete("1").ids
    assert store.read("1") is None
    assert store.clear() == 1
    assert (store.total, store.bytes, list(store.delete("latest").ids), store.read("latest")) == (0, 0, [], None)
    store.close()
    assert b"s3cret" not in path.read_bytes()


def test_an_id_is_kept_once_and_a_failure_changes_nothing() -> None:
    store = Store()
    kept(store, "1")
    before = store.total, store.bytes
    with pytest.raises(StoreError, match="the inbox's database in memory failed: UNIQUE"):
        kept(store, "1")
    assert (store.total, store.bytes) == before
    kept(store, "2")
    store.close()
    store.close()


def test_finding_looks_at_what_is_new_alone() -> None:
    store = Store()
    kept(store, "1", sender="one@b.c")
    kept(store, "2")
    looked: list[str] = []

    def fits(message: Message) -> bool:
        looked.append(message.summary.id)
        return message.summary.sender == "one@b.c"

    assert store.find(fits, 0).id == "1"
    assert looked == ["2", "1"]
    assert store.find(fits, 2) == store.find(fits, 1) == (None, None, None)
    assert looked == ["2", "1", "2"]
    store.close()


def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    assert issubclass(StoreError, HostError)
    file = tmp_path / "inbox.db"
    first = connect(str(file))
    with pytest.raises(StoreError, match=r"inbox.db is in use by another process; stop it, or name another file$"):
        connect(str(file))
    first.close()
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(StoreError, match=r"cannot use inbox.path .*: database disk image is malformed"):
        Store(str(file))
    file.write_bytes(b"x" * 5000)
    with pytest.raises(StoreError, match=r"is not a SQLite database; name another file$"):
        connect(str(file))
    foreign = sqlite3.connect(tmp_path / "foreign.db")
    foreign.execute("CREATE TABLE x (y)")
    foreign.close()
    with pytest.raises(StoreError, match=r"is a database of something else; name another file$"):
        connect(str(tmp_path / "foreign.db"))


def test_html_is_searched_by_the_text_that_a_reader_sees() -> None:
    html = "<style>.promo{}</style><p class=promo>Sch&ouml;ne Gr&uuml;&szlig;e, 5&nbsp;&euro;</p>"
    html += "super<b>man</b><p>A&amp;B</p>"
    alternative = "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n"
    alternative += f"--b\r\nContent-Type: text/html\r\n\r\n{html}\r\n--b--\r\n"
    for content in (f"Content-Type: text/html\r\n\r\n{html}", alternative):
        store = Store()
        kept(store, "x", content=content.encode())
        for word in ("Grüße", "schone", "5 €", "superman", "A&B"):
            assert ids(store, search=word) == ["x"], word
        for word in ("promo", "nbsp", "uuml", "style", "<p"):
            assert ids(store, search=word) == [], word
        store.close()
