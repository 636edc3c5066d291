from __future__ import annotations

import base64
import errno
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rrpy.mime.filenames import safe_name
from rrpy.worker import Attachment


def memory(filename: str, content: bytes = b"data", **fields: object) -> Attachment:
    return Attachment(event_attachment(filename, content=base64.b64encode(content).decode(), **fields))


def tempfile(filename: str, path: Path) -> Attachment:
    return Attachment(event_attachment(filename, path=str(path)))


def event_attachment(filename: str, **fields: object) -> dict:
    return {"filename": filename, "content_type": "text/plain", "size": 4, "content_id": "", "inline": False, **fields}


@pytest.fixture
def host_file(tmp_path):
    (tmp_path / "host").mkdir()
    path = tmp_path / "host" / "5e1c-1"
    path.write_bytes(b"\x00" * 3_000_000)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    return folder


NAMES = [
    ("report.pdf", "report.pdf"),
    ("Bericht März (2).pdf", "Bericht März (2).pdf"),
    ("報告書.xlsx", "報告書.xlsx"),
    ("../../etc/passwd", "passwd"),
    ("/etc/passwd", "passwd"),
    ("C:\\x", "x"),
    ("..\\..\\boot.ini", "boot.ini"),
    ("", "attachment"),
    (".", "attachment"),
    ("..", "attachment"),
    ("...", "attachment"),
    ("a/..", "attachment"),
    (" . ", "attachment"),
    ("\x00\x01", "attachment"),
    ("a\x00b\r\nc\x7f.txt", "ab c.txt"),
    ("photo\u202egpj.exe", "photogpj.exe"),
    ("lone\udc80.txt", "lone.txt"),
    ("a\u3000b.txt", "a b.txt"),
    (".htaccess", "htaccess"),
    ("-rf", "rf"),
    ("name. . ", "name"),
    ('a<b>c:d"e|f?g*.txt', "a_b_c_d_e_f_g_.txt"),
    ("file.txt:stream", "file.txt_stream"),
    ("NUL", "_NUL"),
    ("nul.txt", "_nul.txt"),
    ("Con .tar.gz", "_Con .tar.gz"),
    ("COM1", "_COM1"),
    ("lpt³.doc", "_lpt³.doc"),
    ("CONIN$", "_CONIN$"),
    ("console.log", "console.log"),
    ("x" * 300 + ".tar.gz", "x" * 197 + ".gz"),
    ("é" * 300 + ".pdf", "é" * 98 + ".pdf"),
    ("x" * 300, "x" * 200),
    ("a." + "x" * 300, "a." + "x" * 198),
]


@pytest.mark.parametrize(("filename", "name"), NAMES)
def test_a_strangers_file_name_becomes_a_safe_one(filename, name):
    assert safe_name(filename) == name
    assert memory(filename).filename == filename


@given(st.text(st.characters() | st.sampled_from("./\\: -\x00CONULcom1")))
@example("nul")
@example("x" * 190 + " ." + "y" * 15)
def test_a_safe_name_is_safe_and_stays_as_it_is(filename):
    name = safe_name(filename)
    assert name
    assert len(name.encode()) <= 200
    assert name.isprintable()
    assert not set(name) & set('/\\<>:"|?*')
    assert name[0] not in " .-"
    assert name[-1] not in " ."
    assert name.partition(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1"}
    assert safe_name(name) == name


@pytest.mark.parametrize("filename", [filename for filename, _ in NAMES])
def test_whatever_its_name_a_file_is_new_and_in_its_folder(folder, filename):
    first, second = memory(filename, b"one").save(folder), memory(filename, b"two").save(str(folder))
    assert {path.parent for path in (first, second)} == {folder}
    assert sorted(folder.iterdir()) == sorted([first, second])
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert first.name == re.sub(r"-[0-9a-f]{8}(?=\.|$)", "", second.name) == safe_name(filename)
    assert list(folder.parent.iterdir()) == [folder]


def test_what_is_there_is_never_written_over_or_through(folder, tmp_path):
    outside = tmp_path / "outside"
    (folder / "link.txt").symlink_to(outside)
    (folder / "folder.txt").mkdir()
    for name in ("link.txt", "folder.txt"):
        path = memory(name).save(folder)
        assert path.name.startswith(f"{name[:-4]}-")
        assert path.suffix == ".txt"
    assert not outside.exists()


def test_the_content_comes_from_the_event_or_from_the_hosts_file(folder, host_file):
    kept, filed = memory("a.bin", b"\xff\x00"), tempfile("b.bin", host_file)
    assert (kept.path, kept.content()) == (None, b"\xff\x00")
    assert (filed.path, filed.content()) == (host_file, host_file.read_bytes())
    path = filed.save(folder)
    assert path != host_file
    assert path.read_bytes() == host_file.read_bytes()


def test_a_file_of_the_host_that_is_gone_leaves_nothing_behind(folder, host_file):
    host_file.unlink()
    attachment = tempfile("b.bin", host_file)
    with pytest.raises(FileNotFoundError):
        attachment.content()
    with pytest.raises(FileNotFoundError):
        attachment.save(folder)
    assert list(folder.iterdir()) == []


def test_content_that_is_no_base64_leaves_nothing_behind(folder):
    attachment = Attachment(event_attachment("a.bin", content="a"))
    with pytest.raises(ValueError, match="base64"):
        attachment.content()
    with pytest.raises(ValueError, match="base64"):
        attachment.save(folder)
    assert list(folder.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(folder, host_file, mocker):
    class Full(io.BytesIO):
        def write(self, _block):
            raise OSError(errno.ENOSPC, "No space left on device")

    opened = Path.open

    def opens(path, mode):
        if mode == "rb":
            return opened(path, mode)
        path.touch()
        return Full()

    mocker.patch.object(Path, "open", opens)
    with pytest.raises(OSError, match="No space left"):
        tempfile("b.bin", host_file).save(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(folder):
    with pytest.raises(FileNotFoundError):
        memory("a.txt").save(folder / "nowhere")


def test_what_the_event_leaves_out_has_a_default():
    attachment = Attachment({"filename": None, "size": 0, "content": ""})
    assert (attachment.filename, attachment.content_type) == ("", "application/octet-stream")
    assert (attachment.content_id, attachment.inline, attachment.content()) == ("", False, b"")
    assert repr(memory("a.txt")) == "<Attachment 'a.txt' text/plain 4 bytes>"
    assert memory("../a.txt").safe_name == "a.txt"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("x", "an attachment of the event is not an object"),
        ({"filename": "x", "size": 1}, "'content' is missing"),
        ({"filename": "x", "size": 1, "content": 5}, "'content' is missing or not a text"),
        ({"filename": "x", "size": 1, "path": 5}, "'path' is missing or not a text"),
        ({"filename": 5, "size": 1, "content": ""}, "'filename' is missing or not a text"),
        ({"filename": "x", "content": ""}, "'size' is missing or not a number"),
    ],
)
def test_an_invalid_attachment_is_one_sentence(given, text):
    with pytest.raises(ValueError, match=text):
        Attachment(given)


@pytest.mark.parametrize(
    ("charset", "content", "expected"),
    [
        ("koi8-r", b"\xf0\xd2", "Пр"),
        ("", "ä".encode(), "ä"),
        ("", b"\xe4", "ä"),
        ("utf-8", b"\xc3\xa4\xff", "ä\ufffd"),
        ("punycode", b"a", "a"),
        ("no such charset", b"a", "a"),
    ],
)
def test_a_text_is_decoded_in_its_charset(charset, content, expected):
    assert memory("a.txt", content, parameters={"charset": charset}).text() == expected
    if not charset:
        assert memory("a.txt", content).text() == expected
