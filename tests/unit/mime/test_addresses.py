from __future__ import annotations

import pytest
from support.linear import repeated, superlinear

from rrpy.mime import words as mime_words
from rrpy.mime.addresses import MAX_ADDRESSES, Address, read_addresses


def decode(raw: bytes) -> str:
    return mime_words.decode(raw, {})


def read(*values: bytes) -> list[tuple[str, str]]:
    return [(each.name, each.address) for each in read_addresses(values, decode)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"ann@example.com", [("", "ann@example.com")]),
        (b"Ann Example <ann@example.com>", [("Ann Example", "ann@example.com")]),
        (b'"Example, Ann" <ann@example.com>, bob@x.y', [("Example, Ann", "ann@example.com"), ("", "bob@x.y")]),
        (b'"An \\"A\\" n" <a@x.y>', [('An "A" n', "a@x.y")]),
        (b"Joe\\, Bloggs <j@x.y>", [("Joe, Bloggs", "j@x.y")]),
        (b"Joe Q. Public <j@x.y>", [("Joe Q. Public", "j@x.y")]),
        (b"[Team] Bot <b@x.y>", [("[Team] Bot", "b@x.y")]),
        (b"a@x.y <b@x.y>", [("a@x.y", "b@x.y")]),
        (b'"" <a@x.y>', [("", "a@x.y")]),
    ],
)
def test_a_name_and_an_address(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"=?utf-8?Q?M=C3=BCller=2C_Eva?= <eva@x.y>, bob@x.y", [("Müller, Eva", "eva@x.y"), ("", "bob@x.y")]),
        (b"=?utf-8?Q?M=C3=BCller,_Eva?= <eva@x.y>", [("Müller, Eva", "eva@x.y")]),
        (b'"=?utf-8?Q?M=C3=BCller=2C?= Eva" <eva@x.y>', [("Müller, Eva", "eva@x.y")]),
        (b"=?utf-8?B?w?= =?utf-8?B?7w=?= <u@x.y>", [("ü", "u@x.y")]),
        (b"=?utf-8?Q?a?= =?utf-8?Q?b?= <c@x.y>", [("ab", "c@x.y")]),
        ("Eva Müller <eva@x.y>".encode(), [("Eva Müller", "eva@x.y")]),
        ("Eva <jörg@x.y>".encode(), [("Eva", "jörg@x.y")]),
    ],
)
def test_a_name_is_decoded_after_the_address_is_found(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    "name",
    [
        b"=?utf-8?q?boss=40x.y_=3Cboss=40x.y=3E=2C?=",
        b"=?utf-8?b?Ym9zc0B4LnkgPGJvc3NAeC55Piw=?=",
        b'"boss@x.y <boss@x.y>,"',
        b'"=?utf-8?q?boss=40x.y_=3Cboss=40x.y=3E=2C?="',
    ],
)
def test_a_name_forges_no_sender(name: bytes) -> None:
    """A decoded header of this kind read as two senders, the first of them the boss."""
    assert read(name + b" <evil@z.z>") == [("boss@x.y <boss@x.y>,", "evil@z.z")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"ann@x.y (Ann Example)", [("Ann Example", "ann@x.y")]),
        (b"ann@x.y (Ann (the \\) boss) Example)", [("Ann (the ) boss) Example", "ann@x.y")]),
        (b"ann@x.y (=?utf-8?q?=C3=84nn?=)", [("Änn", "ann@x.y")]),
        (b"Ann (Sales) <ann@x.y> (late)", [("Ann", "ann@x.y")]),
        (b"(Ann) <ann@x.y>", [("Ann", "ann@x.y")]),
        (b"ann(a)@(b)x.y", [("b", "ann@x.y")]),
    ],
)
def test_a_comment_is_a_name_where_there_is_no_other(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"undisclosed-recipients:;", []),
        (b"A Group: ann@x.y, Bob <bob@x.y>; , carl@x.y", [("", "ann@x.y"), ("Bob", "bob@x.y"), ("", "carl@x.y")]),
        (b'"The, Group": "An, n" <ann@x.y>;', [("An, n", "ann@x.y")]),
        (b"A: a@x.y; B: b@x.y;", [("", "a@x.y"), ("", "b@x.y")]),
        (b"<@relay,@other:joe@x.y>", [("", "joe@x.y")]),
        (b"Joe <@relay , @other : joe@x.y>, ann@x.y", [("Joe", "joe@x.y"), ("", "ann@x.y")]),
        (b"joe @ x.y", [("", "joe@x.y")]),
        (b",, a@x.y ,, b@x.y,", [("", "a@x.y"), ("", "b@x.y")]),
    ],
)
def test_groups_routes_and_obsolete_blanks(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"john doe"@x.y', [("", '"john doe"@x.y')]),
        (b'<"john, <doe>"@x.y>', [("", '"john, <doe>"@x.y')]),
        (b"a@[IPv6:::1], B <b@[192.0.2.1]>", [("", "a@[IPv6:::1]"), ("B", "b@[192.0.2.1]")]),
        (b"C <c@[IPv6:2001:db8::1]>", [("C", "c@[IPv6:2001:db8::1]")]),
    ],
)
def test_quoted_local_parts_and_literals(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b"<>", []),
        (b"MAILER-DAEMON <>", [("MAILER-DAEMON", "")]),
        (b"Ann Example", [("Ann Example", "")]),
        (b"=?utf-8?q?Ann?=", [("Ann", "")]),
        (b"root", [("", "root")]),
        (b"Ann Example ann@x.y", [("Ann Example", "ann@x.y")]),
        (b"A <a@x.y, B <b@x.y>", [("A", "a@x.y"), ("B", "b@x.y")]),
        (b"<<a@x.y>>", [("", "a@x.y")]),
        (b"<a@x.y> <b@x.y>", [("", "a@x.y"), ("", "b@x.y")]),
        (b'"unclosed <a@x.y>, b@x.y', [('"unclosed', "a@x.y"), ("", "b@x.y")]),
        (b"(unclosed a@x.y, b@x.y", [("unclosed", "a@x.y"), ("", "b@x.y")]),
        (b"[unclosed <a@x.y>, b@x.y", [("[unclosed", "a@x.y"), ("", "b@x.y")]),
        (b"a@x.y; b@x.y", [("", "a@x.y"), ("", "b@x.y")]),
        (b"An\0n <a\0@x.y>", [("An n", "a@x.y")]),
    ],
)
def test_what_is_broken_hides_no_address(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


def test_every_header_of_the_name_counts() -> None:
    assert read(b"a@x.y", b'"b', b"c@x.y") == [("", "a@x.y"), ('"b', ""), ("", "c@x.y")]


def test_an_address_shows_itself() -> None:
    shown = [str(Address(*each)) for each in (("Ann", "a@x.y"), ("", "a@x.y"), ("Ann", ""))]
    assert shown == ["Ann <a@x.y>", "a@x.y", "Ann"]


@pytest.mark.parametrize("name", ["Müller, Eva", "boss@x.y <boss@x.y>,", 'an "a" \\', "a:b;", "(a)"])
def test_a_shown_address_reads_as_the_same_address(name: str) -> None:
    assert read(str(Address(name, "a@x.y")).encode()) == [(name, "a@x.y")]


def test_thousands_of_recipients_are_read() -> None:
    wanted = [(f"Name, {number}", f"user{number}@example.com") for number in range(5000)]
    header = b", ".join(b"=?utf-8?q?Name=2C_%d?= <user%d@example.com>" % (number, number) for number in range(5000))
    assert len(header) > 200 * 1024
    assert read(header) == wanted


@pytest.mark.parametrize("piece", [b"a,", b"<a@b>", b"a@b,", b"a:b;", b"<,", b'"a" <', b"(a) b,"])
def test_the_number_of_addresses_is_bounded(piece: bytes) -> None:
    assert len(read(piece * (256 * 1024 // len(piece)))) <= MAX_ADDRESSES


@pytest.mark.usefixtures("untraced")
def test_any_header_is_read_in_linear_time() -> None:
    assert superlinear(lambda text: read(text.encode()), repeated()) == []
