"""`rrpy sendmail`, `send`, `ingest` and `dump`, beside a real host with an inbox."""

from __future__ import annotations

import json
import mailbox
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.container.host import RRPY, Host
from support.inbox.host import inbox, mail, send, url
from support.waiting import TIMEOUT

pytestmark = pytest.mark.usefixtures("measured")


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, httpx.Client]]:
    """A host with an inbox, for the tests of this file; each looks at the newest message."""
    smtp = {"max_message_size": 20000}
    with inbox(tmp_path_factory.mktemp("host"), smtp=smtp) as (host, client):
        client.get("messages")  # its connection stays open
        yield host, client


def rrpy(host: Host, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command with the host's address in its environment."""
    name, port = host.smtp
    env = os.environ | {"SMTP_HOST": name, "SMTP_PORT": str(port)}
    return subprocess.run([*RRPY, *arguments], input=stdin, env=env, capture_output=True, timeout=TIMEOUT)


MAIL = b"""To: Ann <ann@example.com>, bob@example.com
Cc: "Doe, Jane" <jane@example.com>
Bcc: hidden@example.com,
 other@example.com
Subject: Order

first
.
last
"""


def test_recipients_are_taken_from_the_headers_and_bcc_is_not_sent(catcher: tuple[Host, httpx.Client]) -> None:
    host, client = catcher
    done = rrpy(host, "sendmail", "-t", "-i", "-fshop@example.com", "more@example.com", stdin=MAIL)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    detail = client.get("messages/latest").json()
    names = ("more", "ann", "bob", "jane", "hidden", "other")
    assert detail["summary"]["to"] == [f"{name}@example.com" for name in names]
    assert detail["summary"]["from"] == "shop@example.com"
    assert detail["text"] == "first\r\n.\r\nlast\r\n"
    assert not {"bcc", "Bcc"} & set(detail["headers"])
    assert {"From", "Date", "Message-ID"} <= set(detail["headers"])
    assert detail["headers"]["From"] == ["shop@example.com"]


def test_addresses_may_have_letters_beyond_ascii(catcher: tuple[Host, httpx.Client]) -> None:
    host, client = catcher
    for arguments, shown in ([], "jörg@example.com"), (["-F", "Jörg, A"], "Jörg, A <jörg@example.com>"):
        done = rrpy(
            host, "sendmail", "-t", "-f", "jörg@example.com", *arguments, stdin="To: åsa@example.com\n\n".encode()
        )
        assert (done.returncode, done.stderr) == (0, b"")
        detail = client.get("messages/latest").json()
        assert (detail["summary"]["from"], detail["summary"]["to"]) == ("jörg@example.com", ["åsa@example.com"])
        assert detail["headers"]["From"] == [shown]


def test_a_dot_ends_the_mail_without_i(catcher: tuple[Host, httpx.Client]) -> None:
    host, client = catcher
    content = b"From: a@b.c\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\nfirst\r\n.\r\nlast\r\n"
    assert rrpy(host, "sendmail", "-oem", "-f", "<>", "ann@example.com", stdin=content).returncode == 0
    detail = client.get("messages/latest").json()
    assert (detail["summary"]["from"], detail["text"]) == ("", "first\r\n")
    assert client.get("messages/latest/raw").content == content.partition(b".\r\n")[0]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (["-Y"], b"", 64, "option -Y not recognized"),
        (["-bd"], b"", 64, "the mode -bd is not known"),
        (["-f", "a@b\r\nBcc: x@y", "c@d"], b"\n", 64, r"'a@b\r\nBcc: x@y' has a control character"),
        (["-F", "Ann\nBcc: x@y", "c@d"], b"\n", 64, r"'Ann\nBcc: x@y' has a control character"),
        (["-F", "Ann\udcff", "c@d"], b"\n", 64, r"'Ann\udcff' has a control character, or a byte that is not UTF-8"),
        (["-t"], b'To: "a\\\r\n b"@c\n\n', 65, r"""'"a\r\n b"@c' has a control character"""),
        ([], b"Subject: x\n\n", 64, "say the recipients on the command line, or -t"),
        (["-t"], b"Subject: x\n\nTo: ann@example.com\n", 65, "have no address"),
        (["ann@example.com"], b"\n" + b"x" * 25000, 69, "the server refused the mail: 552"),
        (["<a b>"], b"\n", 67, "refused: <a b>: 5"),
    ],
)
def test_what_is_wrong_has_an_exit_code_of_sysexits(
    catcher: tuple[Host, httpx.Client], arguments: list[str], stdin: bytes, code: int, words: str
) -> None:
    done = rrpy(catcher[0], "sendmail", *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert words in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        env = os.environ | {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(unused.getsockname()[1])}
        done = subprocess.run([*RRPY, "sendmail", "a@b.c"], input=b"x", env=env, capture_output=True, timeout=TIMEOUT)
    assert done.returncode == 75
    assert b"connection refused" in done.stderr


def test_bs_speaks_smtp(catcher: tuple[Host, httpx.Client]) -> None:
    host, client = catcher
    dialog = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<bs@example.com>\r\nDATA\r\n.\r\nQUIT\r\n"
    done = rrpy(host, "sendmail", "-bs", stdin=dialog)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(b"220 ")
    assert lines[-1].startswith(b"221 ")
    assert client.get("messages/latest").json()["summary"]["to"] == ["bs@example.com"]


@pytest.mark.program("php")
def test_php_sends_with_its_mail_function(catcher: tuple[Host, httpx.Client], tmp_path: Path) -> None:
    host, client = catcher
    command = " ".join([*RRPY, "sendmail", "-t", "-i"])
    code = "exit(mail('ann@example.com', 'From PHP', \"Hi\\nthere\", 'Cc: bob@example.com') ? 0 : 1);"
    name, port = host.smtp
    env = os.environ | {"SMTP_HOST": name, "SMTP_PORT": str(port)}
    done = subprocess.run(
        ["php", "-d", f"sendmail_path={command}", "-r", code],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done
    summary = client.get("messages/latest").json()["summary"]
    assert (summary["subject"], summary["to"]) == ("From PHP", ["ann@example.com", "bob@example.com"])


def test_send_sends_a_mail_with_html_and_an_attachment(catcher: tuple[Host, httpx.Client]) -> None:
    host, client = catcher
    name, port = host.smtp
    done = rrpy(host, "send", "--to", "ann@example.com", "--subject", "Grüße", "--smtp", f"{name}:{port}")
    assert (done.returncode, done.stdout.decode()) == (0, f"sent to ann@example.com through {name}:{port}\n")
    detail = client.get("messages/latest").json()
    assert detail["summary"]["subject"] == "Grüße"
    assert detail["html"].startswith("<!doctype html>")
    assert [(each["filename"], each["inline"]) for each in detail["attachments"]] == [
        ("logo.gif", True),
        ("order.csv", False),
    ]
    assert detail["defects"] == []


def test_files_are_sent_and_written_again(tmp_path: Path) -> None:
    names = ("one", "two", "three", "four")
    one, two, three, four = (f"From: a@b.c\nTo: {name}@example.com\n\n{name}\n".encode() for name in names)
    (tmp_path / "one.eml").write_bytes(one)
    box = mailbox.mbox(tmp_path / "box")
    box.add(two)
    box.close()
    for name in ("cur", "new", "tmp"):
        (tmp_path / "maildir" / name).mkdir(parents=True)
    (tmp_path / "maildir" / "new" / "1").write_bytes(three)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.eml").write_bytes(four)
    (tmp_path / "folder" / "x.txt").write_bytes(b"not a mail")
    with inbox(tmp_path) as (host, client):
        paths = [str(tmp_path / name) for name in ("one.eml", "box", "maildir", "folder")]
        done = rrpy(host, "ingest", *paths)
        assert (done.returncode, done.stdout) == (0, b"4 sent\n"), done.stderr
        listed = client.get("messages").json()["messages"]
        assert [each["to"] for each in reversed(listed)] == [[f"{name}@example.com"] for name in names]
        assert {each["from"] for each in listed} == {"a@b.c"}
        missing = rrpy(host, "ingest", str(tmp_path / "missing"))
        assert (missing.returncode, missing.stderr.count(b"\n")) == (1, 1)
        assert b"missing: no such file" in missing.stderr

        done = rrpy(host, "dump", str(tmp_path / "out"), "--http", url(host))
        assert done.returncode == 0, done.stderr
        written = [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())]
        assert written == [each.replace(b"\n", b"\r\n") for each in (one, two, three, four)]
        first, second, *_ = sorted((tmp_path / "out").iterdir())
        first.unlink()
        again = rrpy(host, "dump", str(tmp_path / "out"), "--http", url(host))
        assert (again.returncode, again.stdout) == (0, f"1 written to {tmp_path / 'out'}\n".encode())
        second.write_text("of another inbox")
        other = rrpy(host, "dump", str(tmp_path / "out"), "--http", url(host))
        assert (other.returncode, other.stderr) == (1, f"rrpy: {second} {ANOTHER}\n".encode())
        assert second.read_text() == "of another inbox"
        assert rrpy(host, "dump", "--mbox", str(tmp_path / "out"), "--http", url(host)).returncode == 0
        box = rrpy(host, "dump", "--mbox", str(tmp_path / "out"), "--http", url(host))
        assert (box.returncode, b"mail.mbox is there already; name another folder" in box.stderr) == (1, True)
        written_box = mailbox.mbox(tmp_path / "out" / "mail.mbox")
        assert [each.get_payload() for each in written_box] == [f"{name}\n" for name in names]
        written_box.close()


ANOTHER = "is there already, with another content; name another folder"


@pytest.mark.parametrize("option", ["--to", "--from"])
def test_send_refuses_what_is_not_an_address(option: str) -> None:
    for text in ("bad address", "a@b.c, d@e.f", "<>", ""):
        done = subprocess.run([*RRPY, "send", option, text], capture_output=True, text=True, timeout=TIMEOUT)
        example = "is not an address; write one, for example ann@example.com"
        assert (done.returncode, done.stderr) == (2, f"rrpy: {option}: {text!r} {example}\n")


@pytest.mark.parametrize("subject", [b"a\nb", b"\xff"])
def test_send_refuses_a_subject_that_is_not_text(subject: bytes) -> None:
    done = subprocess.run([*RRPY, "send", "--subject", subject], capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr.startswith("rrpy: --subject: ")) == (2, True), done.stderr


def test_send_names_the_catcher_where_no_server_is() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{unused.getsockname()[1]}"
        done = subprocess.run([*RRPY, "send", "--smtp", where], capture_output=True, text=True, timeout=TIMEOUT)
    hint = "connection refused; is `rrpy catch` running?"
    assert (done.returncode, done.stderr) == (1, f"rrpy: cannot reach {where}: {hint}\n")


def test_sendmail_shows_its_help() -> None:
    done = subprocess.run([*RRPY, "sendmail", "--help"], capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stdout.startswith("Usage: rrpy sendmail")) == (0, True)


def test_a_refused_file_is_named_and_the_others_are_sent(tmp_path: Path) -> None:
    (tmp_path / "large.eml").write_bytes(b"To: a@b.c\n\n" + b"x" * 5000)
    (tmp_path / "small.eml").write_bytes(b"To: a@b.c\n\nx")
    with inbox(tmp_path, smtp={"max_message_size": 1000}) as (host, client):
        done = rrpy(host, "ingest", str(tmp_path / "large.eml"), str(tmp_path / "small.eml"))
        assert (done.returncode, done.stdout) == (1, b"1 sent, 1 refused\n")
        assert b"large.eml: the server refused the mail: 552" in done.stderr
        assert client.get("messages").json()["total"] == 1


def test_a_file_that_is_not_a_mail_is_named_and_the_others_are_sent(tmp_path: Path) -> None:
    """Every file was sent as a mail. The lines of /etc/passwd have the form of a header."""
    (tmp_path / "users").write_text("root:x:0:0:root:/root:/bin/bash\nmail:x:8:8:mail:/var/mail:/bin/false\n")
    (tmp_path / "notes").write_text("Buy milk.\nTo: a@b.c\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "small.eml").write_bytes(b"Received: from x\n by y\nSUBJECT: a\n\nx")
    with inbox(tmp_path) as (host, client):
        done = rrpy(host, "ingest", *(str(tmp_path / name) for name in ("users", "notes", "empty", "small.eml")))
        assert (done.returncode, done.stdout) == (65, b"1 sent\n")
        lines = [f"rrpy: {tmp_path / name} is not a mail: it does not" for name in ("users", "notes", "empty")]
        assert [line[: len(each)] for each, line in zip(lines, done.stderr.decode().splitlines(), strict=True)] == lines
        assert client.get("messages").json()["total"] == 1


def test_an_inbox_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = subprocess.run(
            [*RRPY, "dump", str(tmp_path / "out"), "--http", where], capture_output=True, text=True, timeout=TIMEOUT
        )
    assert (done.returncode, done.stderr) == (2, f"rrpy: cannot reach the inbox at {where}: connection refused\n")
    assert not (tmp_path / "out").exists()


def test_a_mail_in_a_file_is_checked(tmp_path: Path) -> None:
    def check(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        done = subprocess.run([*RRPY, "check", *arguments], input=stdin, capture_output=True, timeout=TIMEOUT)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    (tmp_path / "a.eml").write_bytes(MAIL)
    code, output, _ = check(str(tmp_path / "a.eml"))
    assert code == 1
    assert output.startswith("error   The mail has no Date. [date-missing; RFC 5322 section 3.6.1]\n        Add the ")
    assert output.endswith("2 errors, 1 warning and 1 hint\n")
    code, output, _ = check(
        "-", "--json", stdin=MAIL.replace(b"Order", b"Order\nDate: Mon, 30 Nov 2026 10:00:00 +0100")
    )
    assert code == 1
    assert [each["rule"] for each in json.loads(output)["findings"]][:1] == ["from-missing"]
    right = b"From: a@example.com\nDate: Mon, 30 Nov 2026 10:00:00 +0100\n" + MAIL
    assert check("-", stdin=right)[0] == 0
    assert check("-", stdin=b"\r\n") == (2, "", "rrpy: stdin is empty\n")
    assert check(str(tmp_path / "none")) == (2, "", f"rrpy: cannot read {tmp_path}/none: no such file or directory\n")
    assert check(str(tmp_path))[0] == 2


def test_wait_prints_a_mail_its_text_its_code_and_its_link(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, _):
        text = "Your code is 471100.\nReset: https://app.example/r\n"

        def wait(*arguments: str) -> tuple[int, str, str]:
            done = rrpy(host, "wait", "--http", url(host), *arguments)
            return done.returncode, done.stdout.decode(), done.stderr.decode()

        send(host, mail("Sign in", text))
        assert json.loads(wait("--to", "x@y.z")[1])["summary"]["subject"] == "Sign in"
        assert wait("--from", "ann", "--code") == (0, "471100\n", "")
        assert wait("--link") == (0, "https://app.example/r\n", "")
        assert wait("--text")[1].splitlines()[:3] == ["From: a@b.c", "To: x@y.z", "Subject: Sign in"]
        assert wait("--none", "--within", "0", "--after", "now") == (0, "", "")
        assert wait("--count", "1", "--header", "Subject: =sign in", "--link=reset")[1] == "https://app.example/r\n"
        code, out, err = wait("--subject", "=other", "--timeout", "0")
        assert (code, out) == (1, "")
        assert err.splitlines() == [
            "rrpy: no mail with subject='=other' within 0 s",
            "rrpy:   <a@b.c> -> x@y.z | Sign in",
            "rrpy:       subject: 'Sign in' does not fit '=other'",
        ]
        code, _, err = wait("--link=help")
        assert (code, err.splitlines()[0]) == (1, "rrpy: no link with text='help'; the links are:")
        assert wait("--body", "~(")[::2] == (2, "rrpy: body is not a regular expression of RE2: missing ): (\n")
        assert wait("--text", "--code")[0] == 2
        assert wait("--none", "--code")[0] == 2
        assert wait("--within", "1")[::2] == (2, "rrpy: within goes with none; a wait for a message has timeout\n")
        assert wait("--none", "--timeout", "1")[::2] == (2, "rrpy: timeout does not go with none, which takes within\n")
        send(host, mail("Empty", "--"))
        assert (
            wait("--subject", "Empty", "--code")[2] == "rrpy: the mail has no code; the mail has no text of this form\n"
        )
        assert wait("--subject", "Empty", "--link")[2] == "rrpy: no link with host='*'; the mail has no links\n"
        assert wait("--count", "2", "--text")[1].splitlines()[3:7] == ["", "--", "", ""]


def test_wait_names_an_inbox_that_does_not_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        done = subprocess.run(
            [*RRPY, "wait", "--http", f"http://127.0.0.1:{unused.getsockname()[1]}"],
            capture_output=True,
            timeout=TIMEOUT,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"rrpy: cannot reach the inbox at http://127.0.0.1:")


def test_wait_names_an_address_that_is_not_an_inbox(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, _):
        address = f"http://127.0.0.1:{host.smtp[1]}"
        done = rrpy(host, "wait", "--http", address, "--timeout", "0")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"rrpy: {address} is not an inbox: its answer is not HTTP, or breaks off\n"
