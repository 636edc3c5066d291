"""`rrpy hash` with a pipe: what it takes, and the sentence for what it refuses."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from rrpy.cli import main
from rrpy.container.passwords import PasswordHash, token_hash


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_is_one_line_of_stdin(ending: str) -> None:
    done = CliRunner().invoke(main, ["hash"], input=f" p\xe4ss:w\xf6rd {ending}".encode())
    assert done.exit_code == 0
    assert PasswordHash.parse(done.stdout.rstrip("\n")).matches(" p\xe4ss:w\xf6rd ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "the password is empty"),
        (b"\n", "the password is empty"),
        (b"a\nb", "more than one line"),
        (b"a\0b", "a control character"),
        (b"\xff", "is not UTF-8"),
        (b"x" * 5000, "is too long; it has at most 1024 bytes"),
    ],
)
def test_another_text_is_refused_with_a_sentence(given: bytes, said: str) -> None:
    done = CliRunner().invoke(main, ["hash"], input=given)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_token_is_printed_with_its_hash() -> None:
    done = CliRunner().invoke(main, ["hash", "--token"])
    token, digest = (line.split()[1] for line in done.stdout.splitlines())
    assert digest == token_hash(token)
