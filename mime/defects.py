"""The faults that a mail can have, each a token (docs/reference/events.md, 'Defects'). Pure."""

from __future__ import annotations

from typing import Final

Defects = dict[str, None]
"""Tokens of `DEFECTS` in the order of their first occurrence."""

DEFECTS: Final = {
    "headers-missing": "the message begins without a header: all of it is body",
    "header-malformed": "a line in a header block is not a header: it was skipped, or the body begins there",
    "header-end-missing": "the empty line between a header block and the delimiter after it is missing",
    "header-duplicate": "a Content header is there twice: the first counts",
    "headers-limit": "a header block is too long or has too many headers: its rest is an attachment",
    "type-invalid": "a Content-Type has no valid type: it is text/plain, or application/octet-stream for an attachment",
    "header-cleaned": "a header's value held CR, LF or NUL: they are blanks",
    "parameter-malformed": "a parameter without its semicolon or its quote, or with a segment missing",
    "filename-cleaned": "a file name had a path, control characters or too many characters",
    "encoding-unknown": "an unknown transfer encoding: the content is unchanged",
    "multipart-encoded": "a multipart names a transfer encoding: it is ignored",
    "boundary-missing": "a multipart has no boundary parameter: it is one text",
    "boundary-absent": "a multipart's boundary never appears: it is one text",
    "boundary-unclosed": "a multipart has no closing delimiter",
    "boundary-reopened": "a multipart goes on after its closing delimiter: those parts are kept too",
    "depth-limit": "multiparts are nested too deep: the innermost is an attachment",
    "parts-limit": "too many parts: the rest of the message is an attachment",
    "delimiters-limit": "too many lines look like a delimiter: the rest of the message is an attachment",
    "base64-repaired": "base64 with foreign bytes, wrong padding or cut off; words after it were dropped from a file",
    "base64-missing": "content that claims to be base64 and is words: it is unchanged",
    "quoted-printable-repaired": "quoted-printable with an `=` that does not begin an escape",
    "uuencode-repaired": "uuencode with broken lines, without its end, or with text around it",
    "uuencode-missing": "content that claims to be uuencoded and is not: it is unchanged",
    "charset-unknown": "an unknown charset: UTF-8 was tried, then a likely one",
    "charset-guessed": "bytes without a known charset that are not UTF-8: they were read in a likely one",
    "charset-wrong": "bytes that are invalid in their charset: they were read in the one that they are likely to have",
    "text-cleaned": "a text held NUL: U+FFFD replaces it",
    "charset-undecodable": "bytes that are invalid in their charset: they were replaced",
}
"""Every token that `Message.defects` can hold, with its description."""
