"""Text in the format "flowed" as paragraphs (RFC 3676). Pure.

A sender of it breaks paragraphs into lines of at most 78 characters. A line that ends with a blank goes on in the next
line, if both are quoted equally deep. A blank at the beginning of a line is not text: it protects `From `, `>` and
blanks. An empty line always stands for itself, as people mean it, though a strict reader would end the paragraph before
it with it.
"""

from __future__ import annotations

from typing import Final

_PIECES: Final = 1000  # small strings that are held at once
_SIGNATURE: Final = "-- "  # section 4.3: it does not go on, and nothing goes on in it


def joined(text: str, delete_blank: bool) -> str:
    """Return the text with its paragraphs in one line each.

    `delete_blank`: drop the blank at the end of a line that goes on.
    """
    result = ""
    pieces: list[str] = []
    open_depth = -1  # how deep the paragraph that goes on is quoted, -1 for none
    line_end = ""  # before the next line, if that does not go on
    at = 0
    while at <= len(text):
        stop = text.find("\n", at)
        line = text[at:] if stop < 0 else text[at:stop]
        at = len(text) + 1 if stop < 0 else stop + 1
        content = line.removesuffix("\r")
        unquoted = content.lstrip(">")
        depth = len(content) - len(unquoted)
        unstuffed = unquoted.removeprefix(" ")
        is_signature = unstuffed == _SIGNATURE
        if depth != open_depth or not unstuffed or is_signature:
            pieces.append(f"{line_end}{'>' * depth} " if depth else line_end)
        goes_on = unstuffed.endswith(" ") and not is_signature
        pieces.append(unstuffed[:-1] if goes_on and delete_blank else unstuffed)
        open_depth = depth if goes_on else -1
        line_end = line[len(content) :] + "\n"
        if len(pieces) >= _PIECES:
            result += "".join(pieces)
            pieces.clear()
    return result + "".join(pieces) + line_end[:-1]
