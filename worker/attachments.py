"""An attachment of a message: its content, and a file name that is safe to write."""

from __future__ import annotations

import os
from binascii import a2b_base64
from io import BytesIO

from ..mime.filenames import safe_name, split_name
from .fields import field, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, BinaryIO

_BLOCK = 1 << 20


class Attachment:
    """One attachment. `filename`: as the sender wrote it, or empty; a text to show, never a path (see `save`).

    `size`: in bytes, decoded. `content_id`: empty without one. `inline`: the mail program shows it within the text.
    `disposition`: `attachment`, `inline` or another word; empty without one. `description`: decoded. `parameters`: of
    its type, such as `charset`. `related`: the HTML shows it. `sha256`: of the content, in hexadecimal.
    """

    __slots__ = (
        "_content",
        "_path",
        "content_id",
        "content_type",
        "description",
        "disposition",
        "filename",
        "inline",
        "parameters",
        "related",
        "sha256",
        "size",
    )

    def __init__(self, entry: dict[str, Any]) -> None:
        if not isinstance(entry, dict):
            raise ValueError("an attachment of the event is not an object")
        self.filename = text(entry, "filename")
        self.content_type = text(entry, "content_type") or "application/octet-stream"
        self.size = field(entry, "size", int)
        self.content_id = text(entry, "content_id")
        self.inline = bool(entry.get("inline"))
        self.disposition = text(entry, "disposition")
        self.description = text(entry, "description")
        has_parameters = entry.get("parameters") is not None
        self.parameters: dict[str, str] = field(entry, "parameters", dict) if has_parameters else {}
        self.related = bool(entry.get("related"))
        self.sha256 = text(entry, "sha256")
        self._path = None if entry.get("path") is None else field(entry, "path", str)
        self._content = field(entry, "content", str) if self._path is None else ""

    def __repr__(self) -> str:
        return f"<Attachment {self.filename!r} {self.content_type} {self.size} bytes>"

    @property
    def path(self) -> Path | None:
        """The host's file with the content, where `attachment_storage.mode` is tempfile; the host removes it."""
        if self._path is None:
            return None
        from pathlib import Path  # at import it would take a third of a worker's start

        return Path(self._path)

    def content(self) -> bytes:
        """Return the decoded content. Raises OSError when the host's file is gone, ValueError for wrong base64."""
        with self._open() as source:
            return source.read()

    def text(self) -> str:
        """Return the content as text, in the charset of its type, or for HTML of its `meta`.

        Without a charset it is UTF-8, else windows-1252. Bytes that are invalid in the charset become U+FFFD.
        Raises as `content` does.
        """
        from ..mime.charsets import attached_text  # as the host decodes; never `codecs.lookup` on a name from a mail

        return attached_text(self.content(), self.content_type, self.parameters.get("charset", "").encode())

    @property
    def safe_name(self) -> str:
        """A name for a file, made from `filename`: see `rrpy.mime.filenames.safe_name`."""
        return safe_name(self.filename)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the content to a new file in an existing folder; return the file's path.

        The name is `safe_name`. When such a file exists, the new one gets a random number after its name.
        Raises OSError, and leaves no file then.
        """
        from pathlib import Path

        name = safe_name(self.filename)
        path = Path(folder, name)
        with self._open() as source:
            while True:
                try:
                    target = path.open("xb")  # follows no symbolic link, overwrites no file
                    break
                except FileExistsError:
                    stem, ending = split_name(name)
                    path = Path(folder, f"{stem}-{os.urandom(4).hex()}{ending}")
            with target:
                try:
                    while block := source.read(_BLOCK):
                        target.write(block)
                    target.flush()
                except BaseException:
                    path.unlink()
                    raise
        return path

    def _open(self) -> BinaryIO:
        path = self.path
        return BytesIO(a2b_base64(self._content)) if path is None else path.open("rb")
