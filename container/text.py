"""Foreign text on one line of ours. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return `text` with every unprintable character escaped (`\n`, `\x1b`): it moves no cursor and ends no line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
