"""`rrpy hash` on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands.terminal import Terminal

from rrpy.container.passwords import PasswordHash


@pytest.mark.parametrize(("again", "code"), [("sesame", 0), ("other", 1)])
def test_a_terminal_does_not_show_the_password(again: str, code: int, tmp_path: Path) -> None:
    with Terminal("hash", cwd=tmp_path) as terminal:
        terminal.shows(lambda screen: "Password:" in screen, "the question")
        terminal.press(b"sesame\n")
        terminal.shows(lambda screen: "Again:" in screen, "the second question")
        terminal.press(f"{again}\n".encode())
        assert terminal.end() == code
        text = terminal.text().replace("\r", "")
        assert "sesame" not in text
        if code:
            assert "the two passwords differ" in text
        else:
            assert PasswordHash.parse(text.rpartition("scrypt")[1] + text.rpartition("scrypt")[2].strip()).matches(
                again
            )
        assert terminal.restored()
