"""Whether work takes time in proportion to the length of its input: as CPU time of this process, at two lengths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

SHORT, LONG = 16 * 1024, 64 * 1024
LONGER = LONG // SHORT
ALLOWED = 9  # times the short input's time: in proportion it is 4, quadratic 16
UNSEEN = 0.03  # seconds that are too short to measure
TRIES = 6

PIECES = (
    " ", "\t", "a", "a ", " a", "<", ">", "< ", "<>", "<a", "a@b, ", ",", ", ", ",,@", "@", '"', '\\"', '" ', "\\",
    "(", ")", "()", "((a)", ";", ";=", '; a="', "; a=b", "; a*0=b", "; a*9=b", "; filename*=utf-8''%e4", "=", "==",
    "=?", "=?=?", "=?utf-8?q?a?= ", "=?utf-8?B?QQ?= ", "=?utf-8?B?Q?=", "=?utf-8?b?QQQ=?=", "?", "?=", "=?x?q?", "%",
    "&", "&#0", "&lt;", "&#x", "&a", "http://", "http://.", "https://a ", "http://a,", "/", ":", ": ", "-", "--", "--b",
    "=\t", "=3", "=3D", "\u0301", "\u0301\u0316", "\u0f73", "\ufdfa", "\uff9e", "İ", "ẞ", "<b", "<!--", "</", "<style>",
    "<a x='", "url(", "url(cid:", "url( ", "cid:", "</style ", "<p a ", "data:image/", "data:image/png;", "`", "'",
    "<!---->", "<?x>",
)  # fmt: skip
"""Texts that hostile mails repeat."""


def repeated(pieces: Iterable[str] = PIECES) -> Iterable[tuple[str, Callable[[int], str]]]:
    """Yield, for each piece, functions that make a text of it of about so many characters: alone, and between words."""
    for piece in pieces:
        yield piece, lambda size, piece=piece: piece * (size // len(piece))  # type: ignore[misc]
        yield f"a{piece}", lambda size, piece=piece: "a" + piece * (size // len(piece)) + "b"  # type: ignore[misc]
    for piece in ("\u0301", "\u0316"):
        yield f"half {piece}", lambda size, piece=piece: "\u0301" * (size // 2) + piece * (size // 2)  # type: ignore[misc]


def superlinear(
    work: Callable[[str], object], texts: Iterable[tuple[str, Callable[[int], str]]], longest: int = LONG
) -> list[str]:
    """Return the names of the texts for which the time of `work` grows faster than their length, up to `longest`."""
    return [name for name, make in texts if not _is_linear(work, make, longest)]


def _is_linear(work: Callable[[str], object], make: Callable[[int], str], longest: int) -> bool:
    return any(
        (took := _took(work, make(longest))) < UNSEEN or took < ALLOWED * _took(work, make(longest // LONGER))
        for _ in range(TRIES)
    )


def _took(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began
