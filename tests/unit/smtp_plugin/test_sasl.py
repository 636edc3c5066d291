"""AUTH's mechanisms: what each captures, and what it calls malformed."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from support.smtp_plugin.dialog import HOST, Driver

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.address import Refused
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.protocol.sasl import MECHANISMS
from rrpy.smtp_plugin.session import Credentials

DIGEST = b"b913a602c7eda7a495b4e6e7334d3890"


def exchange(name: str, initial: bytes | None, *responses: bytes) -> tuple[list[bytes], tuple[str, bytes, bytes]]:
    """Run an exchange; return the challenges and the captured credentials."""
    steps = MECHANISMS[name](initial)
    challenges = []
    try:
        challenges.append(next(steps))
        for response in responses:
            challenges.append(steps.send(response))  # noqa: PERF401 - the last send ends in StopIteration
    except StopIteration as stop:
        return challenges, stop.value
    raise AssertionError("the exchange waits for more")


@pytest.mark.parametrize(
    ("name", "said", "challenges", "username", "secret"),
    [
        ("PLAIN", [b"\0user\0pass"], [], b"user", b"pass"),
        ("PLAIN", [None, b"\0user\0pass"], [b""], b"user", b"pass"),
        ("PLAIN", [b"other\0user\0pass"], [], b"user", b"pass"),
        ("PLAIN", [b"other\0\0pass"], [], b"other", b"pass"),
        ("PLAIN", [b"\0\xff\0\xfe\n"], [], b"\xff", b"\xfe\n"),
        ("LOGIN", [None, b"user", b"pass"], [b"Username:", b"Password:"], b"user", b"pass"),
        ("LOGIN", [b"user", b"pa\0ss"], [b"Password:"], b"user", b"pa\0ss"),
        ("LOGIN", [b"", b""], [b"Password:"], b"", b""),
        ("XOAUTH2", [b"user=u@x\1auth=Bearer a=b.c\1\1"], [], b"u@x", b"a=b.c"),
        ("XOAUTH2", [None, b"user=u\1auth=bearer t\1\1"], [b""], b"u", b"t"),
    ],
)
def test_what_a_client_says_is_captured_byte_for_byte(
    name: str, said: list[bytes], challenges: list[bytes], username: bytes, secret: bytes
) -> None:
    assert exchange(name, *said) == (challenges, (name, username, secret))


def test_cram_md5_captures_the_digest_and_never_repeats_a_challenge() -> None:
    seen = set()
    for _ in range(3):
        (challenge,), captured = exchange("CRAM-MD5", None, b"user name " + DIGEST)
        assert challenge.startswith(b"<")
        assert challenge.endswith(b"@rrpy>")
        assert captured == ("CRAM-MD5", b"user name", DIGEST)
        seen.add(challenge)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("PLAIN", [b"user\0pass"]),
        ("PLAIN", [b"\0user\0pa\0ss"]),
        ("CRAM-MD5", [b"user " + DIGEST]),
        ("CRAM-MD5", [None, b"user"]),
        ("CRAM-MD5", [None, b"user short"]),
        ("CRAM-MD5", [None, b" " + DIGEST]),
        ("XOAUTH2", [b""]),
        ("XOAUTH2", [b"user=u\1\1"]),
        ("XOAUTH2", [b"auth=Bearer t\1\1"]),
        ("XOAUTH2", [b"user=u\1auth=Basic t\1\1"]),
        ("XOAUTH2", [b"user=u\1auth=Bearer\1\1"]),
    ],
)
def test_what_has_not_the_form_is_refused(name: str, said: list[bytes]) -> None:
    with pytest.raises(Refused) as raised:
        exchange(name, *said)
    assert raised.value.reply is replies.BAD_CREDENTIALS


def test_cram_md5_on_the_wire() -> None:
    driver = Driver(Rules(hostname=HOST, mechanisms=("PLAIN", "LOGIN", "CRAM-MD5")))
    driver.send(b"EHLO x\r\n")
    challenge = driver.send(b"auth cram-md5\r\n")
    assert challenge.startswith(b"334 ")
    assert b64decode(challenge[4:]).endswith(b"@rrpy>")
    assert driver.send(b64encode(b"tim " + DIGEST) + b"\r\n") == b"235 Authentication successful\r\n"
    assert driver.session.credentials == Credentials("CRAM-MD5", b"tim", DIGEST)
    assert driver.session.username == "tim"


def test_a_user_name_that_is_not_utf_8_is_kept() -> None:
    driver = Driver()
    driver.send(b"EHLO x\r\nAUTH PLAIN " + b64encode(b"\0\xff\0p") + b"\r\n")
    assert driver.session.username.encode("utf-8", "surrogateescape") == b"\xff"
