"""A message's bytes as a typed message: structure, text and attachments (RFC 2045, 2046, 2183). Pure, no I/O.

Goal: any bytes give a message, in time and memory in proportion to their size, and without an exception. Content never
disappears: a part that cannot be read stays as text or as an attachment, and `defects` names the fault. The rules are
in docs/reference/mime.md.

- walk.py finds the parts; this module decides which of them is text.
- An attachment is a range of the received bytes until a caller wants its content. It stays decoded only if its size
  could not be computed otherwise.

Limit: text that is not all ASCII takes two or four bytes a character in memory.
"""

from __future__ import annotations

import hashlib
from codecs import BOM_UTF8

import msgspec

from . import charsets as mime_charsets
from . import encodings as mime_encodings
from . import flowed as mime_flowed
from . import headers as mime_headers
from . import parameters as mime_parameters
from . import pictures as mime_pictures
from . import references as mime_references
from . import uuencode as mime_uuencode
from . import words as mime_words
from .defects import Defects
from .fields import Fields
from .html_text import text_of
from .parameters import Parameters
from .walk import UNKNOWN_TYPE, Leaf, Walk


class Attachment(msgspec.Struct):
    """A part that is not the text of the message.

    `filename`: the mail's own, cleaned, "" for none. `content_type`: lower case, without parameters. `size`:
    decoded bytes. `content_id`: without angle brackets, "" for none. `inline`: the HTML shows it, or its disposition
    is inline. `disposition`: lower case, "" for none. `description`: decoded. `content_location`: "" for none.
    `related`: the HTML shows it.
    """

    filename: str
    content_type: str
    size: int
    content_id: str
    inline: bool
    disposition: str
    description: str
    content_location: str
    related: bool
    _parameters: Parameters
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

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of its type, such as `charset` and `method`: lower-case names, decoded values."""
        return mime_parameters.texts(self._parameters) if self._parameters else {}

    def sha256(self) -> str:
        """Return the SHA-256 of the content, as 64 hexadecimal digits."""
        if not self._is_base64:
            return hashlib.sha256(memoryview(self._data)[self._start : self._end]).hexdigest()
        digest = hashlib.sha256()
        for piece in mime_encodings.base64_pieces(self._data, self._start, self._end):
            digest.update(piece)
        return digest.hexdigest()

    def text(self) -> str:
        """Return the content as text, in the charset of its type, or for HTML of its `meta`.

        Bytes that are invalid in the charset become U+FFFD.
        """
        charset = mime_parameters.charset(self._parameters, {})
        return mime_charsets.attached_text(self.content(), self.content_type, charset)

    def is_picture(self) -> bool:
        """Return whether a browser shows it as a picture: its type says so, or else its first bytes."""
        return self.content_type.startswith("image/") or bool(mime_pictures.sniffed(self.content()))

    def __repr__(self) -> str:
        return f"<Attachment {self.filename!r} {self.content_type} {self.size} bytes>"


class Message(Fields):
    """A parsed message. All strings are valid Unicode.

    `headers`: name in its first spelling -> decoded values in order; the same name in another case is the same header.
    `id`: Message-ID without its angle brackets, "" for none. `subject`: decoded. `body`, `html_body`: text with its
    own line ends, several texts joined by a newline; neither is derived from the other. `size`: bytes as received.
    `defects`: keys of `DEFECTS`, each once. `from_`, `to`, `date` and their like: see `Fields`.
    """

    headers: dict[str, list[str]]
    id: str
    subject: str
    body: str
    html_body: str
    size: int
    attachments: list[Attachment]
    defects: list[str]

    @property
    def text_from_html(self) -> str | None:
        """The readable text of the HTML, with LF line ends; None for a mail with a text, or without HTML."""
        return text_of(self.html_body) if self.html_body and not self.body.strip() else None


def parse(data: bytes) -> Message:
    """Return the message in `data`. Raise nothing, for any bytes."""
    message, other = _read(data, b"")
    if other:
        # The charset of raw headers and file names is known after the first reading alone.
        message, _ = _read(data, other)
    return message


def _read(data: bytes, other: bytes) -> tuple[Message, bytes]:
    """Return the message in `data`, and the charset of its text if a raw header may need it, b"" otherwise."""
    defects: Defects = {}
    start = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
    if data.startswith(b"From ", start):  # the line that a mailbox adds
        start = data.find(b"\n") + 1
    block = mime_headers.read_block(data, start, len(data), defects, other)
    if not block.fields:
        defects["headers-missing"] = None
    names: dict[bytes, str] = {}
    headers: dict[str, list[str]] = {}
    for name, value in block.fields:
        lower = name.lower()
        if value.isascii() and b"=?" not in value and (plain := value.decode()).isprintable():
            text = plain  # nearly all: a call less
        else:
            text = mime_words.decode(value, defects)
        if lower in names:
            headers[names[lower]].append(text)
        else:
            names[lower] = written = name.decode()
            headers[written] = [text]
    contents = _Contents(data, defects)
    walk = Walk(data, defects, other)
    for leaf in walk.leaves(block, start):
        contents.add(leaf, walk)
    html_body = "\n".join(filter(None, contents.html))
    if html_body and contents.attachments:
        _mark_related(contents.attachments, html_body)
    is_guessed = not other and ("charset-guessed" in defects or "charset-undecodable" in defects)
    message = Message(
        _fields=block.fields,
        _values=None,
        headers=headers,
        id=_bare(headers.get(names.get(b"message-id", ""), [""])[0]),
        subject=headers.get(names.get(b"subject", ""), [""])[0],
        body="\n".join(filter(None, contents.text)),
        html_body=html_body,
        size=len(data),
        attachments=contents.attachments,
        defects=list(defects),
    )
    return message, contents.charset() if is_guessed else b""


def _bare(identifier: str) -> str:
    """Return the text between the angle brackets, or all of it without them."""
    begin = identifier.find("<") + 1
    end = identifier.find(">", begin)
    return identifier[begin : end if end >= 0 else None].strip()


def _mark_related(attachments: list[Attachment], html_body: str) -> None:
    """Mark each attachment that the HTML shows, whatever its disposition is."""
    named = mime_references.by_name(attachments)
    if not named:
        return
    looked_at: set[int] = set()  # one name has thousands of spellings, and a look decodes the attachment
    for source in mime_references.sources(html_body):
        each = mime_references.find(named, source)
        if each is None or each.related:
            continue
        names_id = source[:4].lower() == mime_references.CID
        if names_id or (id(each) not in looked_at and each.is_picture()):
            each.inline = each.related = True
        looked_at.add(id(each))


class _Contents:
    """The texts and the attachments of one message."""

    __slots__ = ("_charsets", "_data", "_defects", "attachments", "html", "text")

    def __init__(self, data: bytes, defects: Defects) -> None:
        self._data = data
        self._defects = defects
        self.attachments: list[Attachment] = []
        self.text: list[str] = []
        self.html: list[str] = []
        self._charsets: list[bytes] = []  # of the texts

    def charset(self) -> bytes:
        """Return the first charset of a text that tells how to read raw headers, b"" for none."""
        return next(filter(mime_charsets.says_more, self._charsets), b"")

    def add(self, leaf: Leaf, walk: Walk) -> None:
        """Keep a leaf: as text if it is the text of the message, else as an attachment (RFC 8621 section 4.1.4)."""
        fields = leaf.fields
        disposition = filename = content_id = ""
        if fields.get(b"content-disposition"):
            disposition, named = mime_parameters.disposition(fields[b"content-disposition"], self._defects)
            filename = mime_parameters.file_name(named, b"filename", self._defects)
        if leaf.parameters and not filename:
            filename = mime_parameters.file_name(leaf.parameters, b"name", self._defects)
        is_plain, is_html = leaf.kind == "text/plain", leaf.kind == "text/html"
        source, start, end, size = mime_encodings.decode(
            leaf.encoding, self._data, leaf.start, leaf.end, self._defects, is_plain or is_html
        )
        if (
            (is_plain or is_html)
            # RFC 2183 section 2.8: an unknown disposition is an attachment, and so is one without a word.
            and (disposition == "inline" or not fields.get(b"content-disposition"))
            and not (filename and walk.is_later())
            and walk.is_first_alternative(leaf.kind)
        ):
            if size >= 0:
                source = mime_encodings.decode_base64(source, start, end)
                start, end = 0, len(source)
            if is_html:
                self._add_html(leaf, memoryview(source)[start:end])
            else:
                self._add_text(leaf, source, start, end, max(0, walk.room - len(self.attachments)))
            return
        if b"content-id" in fields:
            content_id = _bare(mime_words.decode(fields[b"content-id"], self._defects))
        is_base64 = size >= 0
        self.attachments.append(
            Attachment(
                filename,
                leaf.listed,
                size if is_base64 else end - start,
                content_id,
                disposition == "inline",
                disposition if disposition.isprintable() else "",
                self._text(fields, b"content-description"),
                self._text(fields, b"content-location"),
                False,
                leaf.parameters,
                source,
                start,
                end,
                is_base64,
            )
        )

    def _add_html(self, leaf: Leaf, content: memoryview) -> None:
        charset = mime_parameters.charset(leaf.parameters, self._defects) or mime_charsets.html_charset(content)
        self.html.append(self._decoded(content, charset))

    def _add_text(self, leaf: Leaf, source: bytes, start: int, end: int, most_files: int) -> None:
        """Keep a plain text, and at most `most_files` uuencoded files in it."""
        content: bytes | memoryview = memoryview(source)[start:end]
        if mime_uuencode.holds_file(source, start, end):
            content, files = mime_uuencode.files(source[start:end], most_files)
            for name, file in files:
                self._add_file(mime_parameters.file_name({b"name": name}, b"name", self._defects), file)
        text = self._decoded(content, mime_parameters.charset(leaf.parameters, self._defects))
        if b"format" in leaf.parameters and leaf.parameters[b"format"].lower() == b"flowed":
            text = mime_flowed.joined(text, leaf.parameters.get(b"delsp", b"").lower() == b"yes")
        self.text.append(text)

    def _add_file(self, filename: str, content: bytes) -> None:
        size = len(content)
        self.attachments.append(
            Attachment(
                filename, UNKNOWN_TYPE, size, "", False, "attachment", "", "", False, {}, content, 0, size, False
            )
        )

    def _decoded(self, content: bytes | memoryview, charset: bytes) -> str:
        if charset:
            self._charsets.append(charset)
        text = mime_charsets.decode(content, charset, self._defects).removeprefix("\ufeff")
        if "\0" in text:
            self._defects["text-cleaned"] = None
            text = text.replace("\0", "\ufffd")
        return text

    def _text(self, fields: dict[bytes, bytes], name: bytes) -> str:
        return mime_words.decode(fields[name], self._defects) if name in fields else ""
