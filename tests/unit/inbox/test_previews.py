"""Previews of attachments, and the archive of all of them: what a hostile mail can put there."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inbox.showcase import picture

from rrpy.inbox.web.archive import archive_of, names_of
from rrpy.inbox.web.previews import MAX_TEXT, preview_of
from rrpy.mime.message import Attachment

AT = "2026-05-04T03:02:04.000Z"
TEXT = "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (picture((1, 2, 3), 8), "image/png"),
        (b"GIF89a\x01\x00\x01\x00", "image/gif"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7\n\x00", "application/pdf"),
        (b"\r\n%PDF-1.7", "application/pdf"),
        (b"BMW, Audi\n", TEXT),
        (b"GIF89a is a format\n", TEXT),
        ("Grüße".encode(), TEXT),
        (b"Gr\xfc\xdfe", TEXT),
        (b"", TEXT),
    ],
)
def test_the_bytes_of_an_attachment_decide_what_its_preview_is(content: bytes, media_type: str) -> None:
    found = preview_of(content)
    assert found is not None
    assert found.media_type == media_type
    assert found.content.decode() if media_type == TEXT and content else found.content == content


@pytest.mark.parametrize(
    "content",
    [
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<?xml version='1.0'?><?xml-stylesheet href='x'?><x/>",
        b"\xef\xbb\xbf<html>",
        b"multipart/x-mixed-replace\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<script>",
    ],
)
def test_nothing_that_a_browser_runs_is_more_than_text(content: bytes) -> None:
    found = preview_of(content)
    assert found is not None
    assert found.media_type == TEXT


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04\x14\x00\x00",
        bytes(range(256)) * 40,
        b"<svg onload=alert(1)>\x00",
        b"<html>\x00",
        b"\x1f\x8b\x08\x00\x00",
        b"MZ\x90\x00",
    ],
)
def test_other_bytes_have_no_preview(content: bytes) -> None:
    assert preview_of(content) is None


def test_a_text_is_read_in_its_charset_and_cut() -> None:
    assert preview_of("日本".encode("iso-2022-jp"), "ISO-2022-JP") == ("日本".encode(), TEXT)
    assert preview_of("Ende €".encode("utf-16"), "utf-16") == ("Ende €".encode(), TEXT)
    assert preview_of(b"x", "\ud800\n unknown") == (b"x", TEXT)
    cut = preview_of(b"x" * (MAX_TEXT + 5))
    assert cut is not None
    assert len(cut.content) == MAX_TEXT


@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "utf-16", "shift_jis", "utf-7", "x"]))
def test_no_bytes_become_a_document_with_scripts(content: bytes, charset: str) -> None:
    found = preview_of(content, charset)
    assert found is None or found.media_type in {
        TEXT, "application/pdf", "image/png", "image/gif", "image/jpeg", "image/bmp", "image/x-icon", "image/webp",
        "image/avif",
    }  # fmt: skip


def attachment(filename: str, content: bytes = b"x") -> Attachment:
    size = len(content)
    return Attachment(filename, "text/plain", size, "", False, "attachment", "", "", False, {}, content, 0, size, False)


def test_names_in_an_archive_lead_nowhere_and_are_given_once() -> None:
    given = [
        "../../etc/passwd",
        "C:\\Windows\\x.dll",
        "/abs",
        "a.txt",
        "A.TXT",
        "a (2).txt",
        "",
        "..",
        "CON",
        "x\x00\n",
    ]
    names = names_of([attachment(name) for name in given])
    assert names == [
        "passwd", "x.dll", "abs", "a.txt", "A (2).TXT", "a (2) (2).txt",
        "attachment-7.txt", "attachment-8", "_CON", "x",
    ]  # fmt: skip


@given(st.lists(st.text(max_size=300), max_size=20))
def test_an_archive_has_every_attachment_in_one_folder(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    attachments = [attachment(name, name.encode("utf-8", "replace")) for name in names]
    made = archive_of(attachments, AT)
    with ZipFile(BytesIO(made)) as archive:
        contents = [archive.read(entry) for entry in archive.infolist()]
        assert contents == [each.content() for each in attachments]
        folder = tmp_path_factory.mktemp("folder")
        for entry in archive.infolist():
            assert Path(entry.filename).name == entry.filename
            assert entry.date_time == (2026, 5, 4, 3, 2, 4)
        archive.extractall(folder)
        assert len(list(folder.iterdir())) == len(names)


def test_many_equal_names_take_linear_time() -> None:
    names = names_of([attachment("a.txt")] * 20_000)
    assert len(set(names)) == 20_000
    assert names[-1] == "a (20000).txt"
