"""File names that are safe to write, made from the names that senders give."""

from __future__ import annotations

_LONGEST = 200
"""Bytes of a file name in UTF-8. File systems allow 255, encrypted ones fewer; a caller may add a number."""
_LONGEST_ENDING = 20
_UNDERSCORES = str.maketrans('<>:"|?*', "_" * 7)
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [device + digit for device in ("COM", "LPT") for digit in "0123456789¹²³"]
)


def safe_name(filename: str, otherwise: str = "attachment") -> str:
    """Return a name for a new file in any folder of any system, made from the text of an untrusted sender.

    It is the last part of a path, without unprintable characters, and without dots, blanks and hyphens at its start. It
    has at most 200 bytes of UTF-8, with its ending kept, and is not a device of Windows. `otherwise` when nothing is
    left.
    """
    name = filename.replace("\\", "/").rpartition("/")[2].translate(_UNDERSCORES)
    name = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in name)
    name = " ".join(name.split()).lstrip(" .-").rstrip(" .")
    if name.partition(".")[0].rstrip().upper() in _RESERVED:
        name = f"_{name}"
    stem, ending = split_name(name)
    stem = stem.encode()[: _LONGEST - len(ending.encode())].decode(errors="ignore").rstrip(" .")
    return stem + ending or otherwise


def split_name(name: str) -> tuple[str, str]:
    """Return a name's stem, and its ending with the dot: empty without one, and for one above 20 bytes."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > _LONGEST_ENDING:
        return name, ""
    return stem, dot + ending
