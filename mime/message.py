"""A message's bytes as a typed message: structure, text and attachments (RFC 2045, 2046, 2183). Pure, no I/O.

Goal: any bytes give a message, in time and memory in proportion to their size, and without an exception. Content never
disappears: a part that cannot be read stays as text or as an attachment, and `defects` names the fault. The rules are
in docs/reference/mime.md.

- The walk works on offsets into the received bytes, the outer multipart first. A part ends at the next delimiter of its
  own multipart, even if a multipart inside it is open. `find` looks for a delimiter when it is needed; a stack replaces
  recursion.
- A delimiter is a whole line, so one boundary may be the beginning of another.
- An attachment is a range of the received bytes until a caller wants its content. It stays decoded only if its size
  could not be computed otherwise.
- Past a limit the rest is one attachment: of the message for parts and delimiters, of the part for depth and headers.

Limit: text that is not all ASCII takes two or four bytes a character in memory.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from . import charsets as mime_charsets
from . import encodings as mime_encodings
from . import headers as mime_headers
from .charsets import Defects
from .headers import Block, Parameters

MAX_DEPTH: Final = 50
"""Most nested multiparts that are opened."""
MAX_PARTS: Final = 1000
"""Most parts of a message that are read."""
MAX_REJECTED: Final = 10_000
"""Most lines that resemble a delimiter and are not one, in a whole message."""

DEFECTS: Final = {
    "headers-missing": "the message begins without a header: all of it is body",
    "header-malformed": "a line in a header block is not a header: it was skipped, or the body begins there",
    "header-end-missing": "the empty line between a header block and the delimiter after it is missing",
    "header-duplicate": "a Content header is there twice: the first counts",
    "headers-limit": "a header block is too long or has too many headers: its rest is an attachment",
    "header-value-limit": "a header's value is too long: its rest is an attachment",
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
    "base64-repaired": "base64 with foreign bytes, wrong padding or cut off",
    "quoted-printable-repaired": "quoted-printable with an `=` that does not begin an escape",
    "uuencode-repaired": "uuencode with broken lines, without its end, or with text around it",
    "uuencode-missing": "content that claims to be uuencoded and is not: it is unchanged",
    "charset-unknown": "an unknown charset: UTF-8 was tried, then windows-1252",
    "charset-guessed": "bytes without a known charset that are not UTF-8: they were read as windows-1252",
    "charset-undecodable": "bytes that are invalid in their charset: they were replaced",
}
"""Every token that `Message.defects` can hold, with its description."""

_LF, _CR = b"\n\r"
_SLICE: Final = mime_charsets.SLICE
_UNKNOWN_TYPE: Final = "application/octet-stream"
_IDENTITY: Final = frozenset(("", "7bit", "8bit", "binary"))
_UUENCODE: Final = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))


class Attachment(msgspec.Struct):
    """A part that is not the text of the message.

    `filename`: the mail's own, cleaned, "" for none. `content_type`: lower case, without parameters. `size`:
    decoded bytes. `content_id`: without angle brackets, "" for none. `inline`: meant to be shown in the text.
    """

    filename: str
    content_type: str
    size: int
    content_id: str
    inline: bool
    _data: bytes
    _start: int
    _end: int
    _is_base64: bool

    def content(self) -> bytes:
        """Return the decoded bytes. Each call decodes them anew."""
        if self._is_base64:
            return mime_encodings.decode_base64(self._data, self._start, self._end)
        return self._data[self._start : self._end]

    def base64(self) -> bytes:
        """Return the content as base64 in one line, without decoding clean base64."""
        if self._is_base64:
            return mime_encodings.base64_line(self._data, self._start, self._end)
        return mime_encodings.encode_base64(self._data, self._start, self._end)

    def __repr__(self) -> str:
        return f"<Attachment {self.filename!r} {self.content_type} {self.size} bytes>"


class Message(msgspec.Struct):
    """A parsed message. All strings are valid Unicode.

    `headers`: name in its first spelling -> decoded values in order; the same name in another case is the same header.
    `id`: Message-ID without its angle brackets, "" for none. `subject`: decoded. `body`, `html_body`: text with its
    own line ends, several texts joined by a newline; neither is derived from the other. `size`: bytes as received.
    `defects`: keys of `DEFECTS`, each once.
    """

    headers: dict[str, list[str]]
    id: str
    subject: str
    body: str
    html_body: str
    size: int
    attachments: list[Attachment]
    defects: list[str]


def parse(data: bytes) -> Message:
    """Return the message in `data`. Raise nothing, for any bytes."""
    walk = _Walk(data)
    start = data.find(b"\n") + 1 if data.startswith(b"From ") else 0  # the line that a mailbox adds
    block = mime_headers.read_block(data, start, len(data), walk.defects)
    if not block.fields:
        walk.defects["headers-missing"] = None
    names: dict[bytes, str] = {}
    headers: dict[str, list[str]] = {}
    for name, value in block.fields:
        written = names.setdefault(name.lower(), name.decode("ascii"))
        headers.setdefault(written, []).append(mime_headers.decode(value, walk.defects))
    walk.entity(block, start, len(data))
    while walk.stack:
        walk.part()
    return Message(
        headers=headers,
        id=_bare(headers.get(names.get(b"message-id", ""), [""])[0]),
        subject=headers.get(names.get(b"subject", ""), [""])[0],
        body="\n".join(filter(None, walk.text)),
        html_body="\n".join(filter(None, walk.html)),
        size=len(data),
        attachments=walk.attachments,
        defects=list(walk.defects),
    )


def _bare(identifier: str) -> str:
    """Return the text between the angle brackets, or all of it without them."""
    begin = identifier.find("<") + 1
    end = identifier.find(">", begin)
    return identifier[begin : end if end >= 0 else None].strip()


class _Multipart:
    """An open multipart.

    `pos`: the offset of the next part, -1 after the last. `closed`: `pos` is after a closing delimiter. `child`: the
    number of the current part. `chosen`: in a multipart/alternative, type -> the child whose body was taken.
    """

    __slots__ = ("alternative", "child", "chosen", "closed", "delimiter", "digest", "end", "pos")

    def __init__(self, kind: str, delimiter: bytes, pos: int, end: int) -> None:
        self.alternative = kind == "multipart/alternative"
        self.digest = kind == "multipart/digest"
        self.delimiter = delimiter
        self.pos = pos
        self.end = end
        self.closed = False
        self.child = 0
        self.chosen: dict[str, int] = {}


class _Delimiter(NamedTuple):
    """A delimiter line: the end of the part before it, the offset of the part after it, whether it is a closing one."""

    end: int
    after: int
    closes: bool


class _Walk:
    """A walk through the parts of one message, depth first."""

    __slots__ = ("attachments", "data", "defects", "html", "parts", "rejected", "stack", "text")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.defects: Defects = {}
        self.attachments: list[Attachment] = []
        self.text: list[str] = []
        self.html: list[str] = []
        self.stack: list[_Multipart] = []
        self.parts = 0
        self.rejected = 0

    def part(self) -> None:
        """Read the next part of the innermost multipart, or close it."""
        multipart = self.stack[-1]
        start = multipart.pos
        if multipart.closed:
            start = self._opening(multipart.delimiter, start, multipart.end)
            if self.rejected > MAX_REJECTED:
                return self._give_up(multipart.pos, "delimiters-limit")
            if start >= 0:
                self.defects["boundary-reopened"] = None
                multipart.closed = False
        if start < 0:
            self.stack.pop()
            return None
        self.parts += 1
        multipart.child += 1
        if self.parts > MAX_PARTS:
            return self._give_up(start, "parts-limit")
        found = self._delimiter(multipart.delimiter, start, multipart.end)
        if self.rejected > MAX_REJECTED:
            return self._give_up(start, "delimiters-limit")
        if found is None:
            self.defects["boundary-unclosed"] = None
            end = multipart.end
            multipart.pos = -1
        else:
            end, multipart.pos, multipart.closed = found
        return self.entity(mime_headers.read_block(self.data, start, end, self.defects), start, end)

    def entity(self, block: Block, start: int, end: int) -> None:
        """Handle the message or part at `start`, whose header block is `block`: open a multipart, keep a leaf."""
        for begin, stop in block.cut:
            self._keep_rest(begin, stop)
        if block.limited:
            return self._keep_rest(block.body, end)
        fields: dict[bytes, bytes] = {}
        for name, value in block.fields:
            lower = name.lower()
            if lower.startswith(b"content-"):
                if lower in fields:
                    self.defects["header-duplicate"] = None
                fields.setdefault(lower, value)
        kind = listed = "message/rfc822" if self.stack and self.stack[-1].digest else "text/plain"
        parameters: Parameters = {}
        if fields.get(b"content-type"):
            listed, parameters = mime_headers.content_type(fields[b"content-type"], self.defects)
            kind = listed or kind
            listed = listed or _UNKNOWN_TYPE
        encoding = mime_headers.transfer_encoding(fields.get(b"content-transfer-encoding", b""))
        if kind.startswith("multipart/"):
            if self._opens(kind, parameters, encoding, start, block.body, end):
                return None
            kind = listed = "text/plain"
        return self._leaf(kind, listed, parameters, fields, encoding, block.body, end)

    def _opens(self, kind: str, parameters: Parameters, encoding: str, start: int, body: int, end: int) -> bool:
        """Open the multipart at `start`, or keep it unopened beyond a limit. Return False if it is not a multipart."""
        boundary = mime_headers.parameter(parameters, b"boundary", self.defects)[0].rstrip(b" \t")
        if not boundary:
            self.defects["boundary-missing"] = None
            return False
        if len(self.stack) == MAX_DEPTH:
            self.defects["depth-limit"] = None
            self._keep_rest(start, end)
            return True
        delimiter = b"--" + boundary
        first = self._opening(delimiter, body, end)
        if self.rejected > MAX_REJECTED:
            self._give_up(body, "delimiters-limit")
            return True
        if first < 0:
            self.defects["boundary-absent"] = None
            return False
        if encoding not in _IDENTITY:
            self.defects["multipart-encoded"] = None
        self.stack.append(_Multipart(kind, delimiter, first, end))
        return True

    def _opening(self, delimiter: bytes, pos: int, end: int) -> int:
        """Return the offset of the part after the next opening delimiter, -1 for none."""
        while True:
            found = self._delimiter(delimiter, pos, end)
            if found is None or not found.closes:
                return -1 if found is None else found.after
            pos = found.after

    def _delimiter(self, delimiter: bytes, start: int, end: int) -> _Delimiter | None:
        """Return the next delimiter line from `start`, the beginning of a line, on (RFC 2046 section 5.1.1)."""
        data = self.data
        pos = start
        while True:
            stop = pos + _SLICE
            window = min(stop + len(delimiter), end)
            dash = data.find(b"-", pos, window)  # finding a lone byte is forty times as fast, and base64 has no dash
            at = data.find(delimiter, dash, window) if dash >= 0 else -1
            if at < 0:
                if stop >= end:
                    return None
                pos = stop
                continue
            after = at + len(delimiter)
            next_line = data.find(b"\n", after, end) + 1
            if at == start or data[at - 1] == _LF:
                closes = data.startswith(b"--", after, end)
                if not data[after + 2 * closes : next_line or end].strip():
                    # The line end before a delimiter belongs to it.
                    if at > start:
                        at -= 2 if at - 2 >= start and data[at - 2] == _CR else 1
                    return _Delimiter(at, next_line or end, closes)
            self.rejected += 1
            if not next_line or self.rejected > MAX_REJECTED:
                return None
            pos = next_line  # a line has one chance

    def _give_up(self, start: int, defect: str) -> None:
        """Keep the message from `start` on as one attachment and end the walk."""
        self.defects[defect] = None
        self._keep_rest(start, len(self.data))
        self.stack.clear()

    def _keep_rest(self, start: int, end: int) -> None:
        self.attachments.append(Attachment("", _UNKNOWN_TYPE, end - start, "", False, self.data, start, end, False))

    def _leaf(
        self,
        kind: str,
        listed: str,
        parameters: Parameters,
        fields: dict[bytes, bytes],
        encoding: str,
        start: int,
        end: int,
    ) -> None:
        """Keep a leaf: as text if it is the text of the message, else as an attachment (RFC 8621 section 4.1.4)."""
        disposition = filename = content_id = ""
        if fields.get(b"content-disposition"):
            disposition, named = mime_headers.disposition(fields[b"content-disposition"], self.defects)
            filename = mime_headers.file_name(named, b"filename", self.defects)
            if disposition != "inline":
                disposition = "attachment"  # RFC 2183 section 2.8: an unknown one too
        if parameters and not filename:
            filename = mime_headers.file_name(parameters, b"name", self.defects)
        if b"content-id" in fields:
            content_id = _bare(mime_headers.decode(fields[b"content-id"], self.defects))
        source, start, end, size = self._decoded(encoding, start, end)
        texts = self.text if kind == "text/plain" else self.html if kind == "text/html" else None
        is_text = texts is not None and disposition != "attachment" and not (disposition and filename and texts)
        if texts is not None and is_text and self._is_first_alternative(kind):
            charset = mime_headers.charset(parameters, self.defects)
            if size >= 0:
                source = mime_encodings.decode_base64(source, start, end)
                start, end = 0, len(source)
            texts.append(mime_charsets.decode(memoryview(source)[start:end], charset, self.defects))
            return
        inline = disposition == "inline" or (content_id != "" and disposition != "attachment")
        is_base64 = size >= 0
        size = size if is_base64 else end - start
        self.attachments.append(Attachment(filename, listed, size, content_id, inline, source, start, end, is_base64))

    def _decoded(self, encoding: str, start: int, end: int) -> tuple[bytes, int, int, int]:
        """Return bytes, the range in them that holds a leaf's content, and the decoded size of clean base64 in it.

        The size is -1 if the range is the content itself.
        """
        data = self.data
        if encoding in _IDENTITY:
            return data, start, end, -1
        if encoding == "base64":
            size = mime_encodings.base64_size(data, start, end)
            if size >= 0:
                return data, start, end, size
            self.defects["base64-repaired"] = None
            content = mime_encodings.repair_base64(data, start, end)
        elif encoding == "quoted-printable":
            content = mime_encodings.decode_quoted_printable(data, start, end, self.defects)
        elif encoding in _UUENCODE:
            content = mime_encodings.decode_uuencode(data, start, end, self.defects)
        else:
            self.defects["encoding-unknown"] = None
            return data, start, end, -1
        return content, 0, len(content), -1

    def _is_first_alternative(self, kind: str) -> bool:
        """Return whether no earlier child of an open multipart/alternative has given the body of this type."""
        alternatives = [multipart for multipart in self.stack if multipart.alternative]
        if any(each.chosen.get(kind, each.child) != each.child for each in alternatives):
            return False
        for each in alternatives:
            each.chosen[kind] = each.child
        return True
