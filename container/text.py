"""Texts for terminals and logs: foreign text on one line, sizes for people. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return `text` with every unprintable character escaped (`\n`, `\x1b`): it moves no cursor and ends no line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def size_text(size: float) -> str:
    """Return a number of bytes for people, in powers of 1000 and two digits or more: `512 B`, `1.5 KB`, `13 MB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if round(size) < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "B" or size >= 9.95 else f"{size:.1f} {unit}"
