"""Texts for terminals and logs: foreign text on one line, in plain text or in JSON; sizes for people. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return `text` with every unprintable character escaped (`\n`, `\x1b`): it moves no cursor and ends no line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable_json(text: str) -> str:
    r"""Return a JSON text with every unprintable character but the newline as `\u1234`. The JSON keeps its meaning.

    JSON itself escapes the ASCII controls up to U+001F. This adds DEL, C1 controls, U+2028, U+202E and their like.
    """
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped_for_json(c) for c in text)


def _escaped_for_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def size_text(size: float) -> str:
    """Return a number of bytes for people, in powers of 1000 and two digits or more: `512 B`, `1.5 KB`, `13 MB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if round(size) < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "B" or size >= 9.95 else f"{size:.1f} {unit}"
