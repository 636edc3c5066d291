from __future__ import annotations

import base64
import json
import random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mime.mails import corpus, described, leaf, multipart

from rrpy.mime import encodings as mime_encodings
from rrpy.mime.defects import DEFECTS
from rrpy.mime.message import parse

pytestmark = pytest.mark.usefixtures("untraced")

MAILS = [mail.raw for mail in corpus()]
FRAGMENTS = [
    *[
        b"Content-Type: ",
        b"multipart/mixed; boundary=b",
        b"multipart/alternative; boundary=c",
        b"multipart/digest",
        b": ",
    ],
    *[
        b"text/plain",
        b"text/html; charset=",
        b"message/rfc822",
        b"Content-Transfer-Encoding: ",
        b"base64",
        b"x-uuencode",
    ],
    *[
        b"quoted-printable",
        b"Content-Disposition: ",
        b"inline",
        b"attachment",
        b"; filename",
        b"*0*=",
        b"*1=",
        b"*=",
        b'="',
    ],
    *[
        b"utf-8''%e4",
        b"utf-7",
        b"iso-2022-jp",
        b"\x1b$B",
        b"hz",
        b"~{",
        b"Content-ID: <x>",
        b"Subject: ",
        b"From ",
        b"(",
        b";",
    ],
    *[
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"--b",
        b"--b--",
        b"--c",
        b"--c--",
        b"QUJD",
        b"Q=",
        b"==",
        b"=41",
        b"=?utf-8?q?",
        b"=?",
        b"?=",
    ],
    *[b"format=flowed", b"; delsp=yes", b"begin 644 x\r\n", b"`\r\n", b"end\r\n", b"<meta charset=", b"cid:x"],
    *[b"euc-jp", b"big5", b"gbk", b"koi8-r", b"utf-16", b"\x1b(B", b"\x80", b"\xa3\xe1", b"\xe2\x82", b"\xef\xbb\xbf"],
    *[b"?b?", b"\xff", "ä".encode(), b"\0", b"begin 644 x\n", b"#0V%T\n", b"end\n", b" ", b"\t", b"a", b'"', b"\\"],
]

anything = st.binary(max_size=300)
fragments = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=60).map(b"".join)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n-\0\x1b\ufeff"), max_size=40)
contents = st.binary(max_size=200)


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """Mails of the corpus with bytes changed, cut out, doubled, or taken from another mail."""
    data = bytearray(draw(st.sampled_from(MAILS))[:5000])
    choice = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(choice.randrange(1, 12)):
        at = choice.randrange(len(data) + 1)
        to = min(len(data), at + choice.randrange(40))
        kind = choice.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = choice.randrange(256)
        elif kind == 1:
            del data[at:to]
        elif kind == 2:
            data[at:at] = data[at:to]
        elif kind == 3:
            data[at:at] = choice.choice(FRAGMENTS)
        else:
            other = choice.choice(MAILS)[:5000]
            begin = choice.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + choice.randrange(200)]
    return bytes(data)


@given(anything | fragments | mutants())
def test_any_bytes_are_a_message(data: bytes) -> None:
    message = parse(data)
    as_json = json.dumps(described(message), ensure_ascii=False).encode("utf-8")
    assert json.loads(as_json) == described(message)
    assert message.size == len(data)
    assert set(message.defects) <= set(DEFECTS)
    assert len(set(message.defects)) == len(message.defects)
    assert "\0" not in message.subject + message.id + message.body + message.html_body
    for attachment in message.attachments:
        content = attachment.content()
        assert len(content) == attachment.size
        assert base64.b64decode(attachment.base64(), validate=True) == content
        assert len(attachment.filename) <= 255
        assert not set("/\\\0\r\n\u202e") & set(attachment.filename)
        assert attachment.content_type == attachment.content_type.lower()


@given(fragments | mutants())
def test_the_same_bytes_are_the_same_message(data: bytes) -> None:
    assert described(parse(data)) == described(parse(data))


@given(st.lists(st.tuples(contents, st.sampled_from([b"base64", b"quoted-printable"])), max_size=5), texts)
def test_what_was_sent_arrives(files: list[tuple[bytes, bytes]], text: str) -> None:
    parts = [leaf(text.encode(), b"text/plain; charset=utf-8", encoding=b"8bit")]
    for content, encoding in files:
        coded = base64.encodebytes(content)
        if encoding == b"quoted-printable":
            coded = b"=\r\n".join(b"=%02X" % byte for byte in content)
        parts.append(leaf(coded, b"application/x-file", encoding=encoding))
    message = parse(multipart(*parts))
    assert message.body == text
    assert [attachment.content() for attachment in message.attachments] == [content for content, _ in files]
    assert message.defects == []


@given(contents, st.integers(1, 80), st.binary(max_size=3), st.integers(0, 300))
def test_base64_with_anything_foreign_in_it_is_what_is_left_without_it(
    content: bytes, width: int, foreign: bytes, at: int
) -> None:
    foreign = bytes(byte for byte in foreign if not (chr(byte).isalnum() or byte in b"+/=") or byte > 127)
    line = base64.b64encode(content)
    broken = line[:at] + foreign + line[at:]
    assert mime_encodings.repair_base64(broken, 0, len(broken)) == content
    folded = b"\r\n".join(line[begin : begin + width] for begin in range(0, len(line), width))
    assert mime_encodings.base64_size(folded, 0, len(folded)) == len(content)
    assert mime_encodings.decode_base64(folded, 0, len(folded)) == content


@given(
    st.lists(st.sampled_from([b"=", b"=41", b"=\r\n", b"=\n", b"\r\n", b"a"]), max_size=40).map(b"".join),
    st.integers(3, 20),
    st.integers(3, 20),
)
def test_the_slices_of_quoted_printable_do_not_matter(data: bytes, size: int, repaired: int) -> None:
    expected = mime_encodings.decode_quoted_printable(data, 0, len(data), {})
    with patch.multiple(mime_encodings, SLICE=size, _REPAIRED=repaired):
        assert mime_encodings.decode_quoted_printable(data, 0, len(data), {}) == expected


@given(contents, st.integers(1, 80), st.integers(1, 8))
def test_the_slices_of_base64_do_not_matter(content: bytes, width: int, quads: int) -> None:
    line = base64.b64encode(content)
    data = b"\r\n".join(line[begin : begin + width] for begin in range(0, len(line), width))
    with patch.multiple(mime_encodings, SLICE=4 * quads, _ENCODED=3 * quads, _REPAIRED=quads):
        size = mime_encodings.base64_size(data, 0, len(data))
        # Padding that is spread over more than a slice counts as broken.
        assert size == len(content) or (size == -1 and b"=" in data)
        assert mime_encodings.base64_line(data, 0, len(data)) == line
        assert mime_encodings.decode_base64(data, 0, len(data)) == content
        assert mime_encodings.repair_base64(data, 0, len(data)) == content
        assert mime_encodings.encode_base64(content, 0, len(content)) == line
