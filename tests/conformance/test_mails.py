"""The corpus of mails: each is the message that its JSON says, and the standard library agrees where it is right."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email.header import decode_header, make_header
from email.message import Message as StandardMessage
from email.utils import collapse_rfc2231_value

import pytest
from support.mime.mails import Mail, corpus, described

from rrpy.mime.message import parse

MAILS = corpus()
# Clean mails in which compat32 is wrong, or chooses otherwise.
OTHER_CONTENT = {
    "broken-two-alternatives": "it has no notion of an alternative",
    "charset-gb2312": "characters of the superset",
    "charset-iso-8859-1-with-euro": "characters of the superset",
    "charset-iso-8859-8-i": "unknown to Python",
    "charset-ks-c-5601": "characters of the superset",
    "charset-shift-jis": "characters of the superset",
    "broken-qp-blanks-at-soft-break": "it keeps blanks at a line's end",
    "clean-comments": "a comment is part of the encoding to it",
    "clean-flowed": "it does not join lines",
    "header-folding": "no blank before a colon",
}
OTHER_NAMES = {
    "name-extended-first": "the plain name comes first to it",
    "name-raw-utf-8": "no 8-bit headers",
}
OTHER_SUBJECTS = {
    "header-folding": "it does not unfold",
    "header-raw-utf-8": "no 8-bit headers",
    "word-cut-quad": "every word for itself",
    "word-empty": "blanks around a word",
    "word-empty-charset": "US-ASCII to it",
    "word-in-word": "blanks around a word",
    "word-language": "no languages",
    "word-quoted": "blanks around a word",
    "word-raw-8-bit-inside": "no 8-bit headers",
    "word-underscore-in-b": "blanks around a word",
}


@pytest.fixture(params=MAILS, ids=lambda mail: mail.name)
def mail(request: pytest.FixtureRequest) -> Mail:
    return request.param


def test_a_mail_is_what_the_corpus_says(mail: Mail) -> None:
    assert described(parse(mail.raw)) == mail.expected


def test_the_kind_of_line_end_does_not_matter(mail: Mail) -> None:
    message, other = parse(mail.raw), parse(mail.raw.replace(b"\r\n", b"\n"))
    assert other.headers == message.headers
    # What is encoded keeps its own.
    assert other.body.replace("\r\n", "\n") == message.body.replace("\r\n", "\n")
    assert other.html_body.replace("\r\n", "\n") == message.html_body.replace("\r\n", "\n")
    assert [(each.filename, each.content_type, each.inline) for each in other.attachments] == [
        (each.filename, each.content_type, each.inline) for each in message.attachments
    ]
    assert other.defects == message.defects


def leaves(message: StandardMessage) -> Iterator[StandardMessage]:
    stack = [message]
    while stack:
        part = stack.pop()
        if part.get_content_maintype() == "multipart":
            stack += reversed(part.get_payload())
        else:
            yield part


def second_opinion(raw: bytes) -> tuple[str, str, list[tuple[str, bytes | None]], list[str]]:
    """Return what compat32 sees: the texts, the attachments' types and bytes (None for a message), and their names."""
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    attachments: list[tuple[str, bytes | None]] = []
    names: list[str] = []
    for part in leaves(email.message_from_bytes(raw)):
        kind = part.get_content_type()
        content = part.get_payload(decode=True)
        if kind in texts and part.get_content_disposition() in (None, "inline") and part.get_filename() is None:
            assert isinstance(content, bytes)
            texts[kind].append(content.decode(part.get_content_charset("utf-8")))
        else:
            attachments.append((kind, content if isinstance(content, bytes) else None))
            names.append(str(make_header(decode_header(collapse_rfc2231_value(part.get_filename(""))))))
    return "\n".join(texts["text/plain"]), "\n".join(texts["text/html"]), attachments, names


def test_the_standard_library_sees_the_same_in_clean_mail(mail: Mail) -> None:
    message = parse(mail.raw)
    if message.defects or mail.name in OTHER_CONTENT:
        return
    body, html_body, attachments, names = second_opinion(mail.raw)
    assert (message.body, message.html_body) == (body, html_body)
    assert [kind for kind, _ in attachments] == [each.content_type for each in message.attachments]
    for (_, content), ours in zip(attachments, message.attachments, strict=True):
        assert content is None or content == ours.content()
    if mail.name not in OTHER_NAMES:
        assert names == [each.filename for each in message.attachments]


def test_the_standard_library_reads_the_same_subject_in_clean_mail(mail: Mail) -> None:
    message = parse(mail.raw)
    if message.defects or mail.name in OTHER_SUBJECTS:
        return
    subject = email.message_from_bytes(mail.raw).get("Subject", "")
    assert str(make_header(decode_header(subject))) == message.subject


def test_clean_mail_is_called_clean() -> None:
    assert [mail.name for mail in MAILS if mail.name.startswith("clean-") and mail.expected["defects"]] == []


def test_the_corpus_is_there() -> None:
    assert len(MAILS) > 150
    assert {*OTHER_CONTENT, *OTHER_NAMES, *OTHER_SUBJECTS} <= {mail.name for mail in MAILS}
