"""A mail that the server of a test caught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..mime.addresses import Address
from ..mime.check.check import check
from ..mime.check.findings import Finding
from ..mime.extract.codes import CodeError, code_of
from ..mime.extract.links import Link, LinkError, link_of, links_of
from ..mime.message import Attachment, Message


class CaughtMail(NamedTuple):
    """A mail that the server caught.

    `sender`, `recipients`: of the envelope. `raw`: the bytes as received, dots unstuffed. `helo`: the client's name in
    HELO or EHLO. `username`, `password`: its credentials, empty without AUTH. `parameters`: of MAIL, such as SIZE;
    `recipient_parameters`: of each RCPT, in the order of `recipients`; None for one without a value.
    `number`: its position, from 1.
    """

    sender: str
    recipients: Sequence[str]
    raw: bytes
    message: Message
    helo: str = ""
    username: str = ""
    password: str = ""
    parameters: Mapping[str, str | None] = {}
    recipient_parameters: Sequence[Mapping[str, str | None]] = ()
    number: int = 0

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return self.message.subject

    @property
    def text(self) -> str:
        """The plain text, with LF line ends; empty for none."""
        return self.message.body.replace("\r\n", "\n")

    @property
    def html(self) -> str:
        """The HTML, with LF line ends; empty for none."""
        return self.message.html_body.replace("\r\n", "\n")

    @property
    def text_from_html(self) -> str:
        """The readable text of the HTML, where the mail has no text; else empty."""
        return self.message.text_from_html or ""

    @property
    def from_(self) -> Sequence[Address]:
        """The addresses of the header From, each with `name` and `address`; `sender` is the envelope's."""
        return self.message.from_

    @property
    def to(self) -> Sequence[Address]:
        """The addresses of the header To; `recipients` are the envelope's. `message` has the other headers."""
        return self.message.to

    @property
    def attachments(self) -> Sequence[Attachment]:
        """The attachments: `filename`, `content_type`, `size`, `content()`, which is bytes, and `text()`."""
        return self.message.attachments

    def check(self) -> list[Finding]:
        """Return what is wrong with the mail, the most severe first (docs/reference/check.md)."""
        return check(self.raw)

    @property
    def links(self) -> Sequence[Link]:
        """The links: `href`, `text`, `rel`, `host`, and `kind`, which is `link`, `unsubscribe` or `pixel`."""
        return links_of(self.message)

    def link(self, text: str | None = None, host: str | None = None, pattern: str | None = None) -> Link:
        """Return the one link that fits. Raises AssertionError, which lists the links."""
        __tracebackhide__ = True
        try:
            return link_of(self.message, text, host, pattern)
        except LinkError as error:
            raise AssertionError(str(error)) from None

    def code(self, length: int | None = None, pattern: str | None = None) -> str:
        """Return the code: of a sign-in, a confirmation, a second factor. Raises AssertionError with the candidates.

        `length`: its characters. `pattern`: an expression of RE2 that the whole code fits.
        """
        __tracebackhide__ = True
        try:
            return code_of(self.message, length, pattern)
        except CodeError as error:
            raise AssertionError(str(error)) from None

    def header(self, name: str) -> str | None:
        """Return the first header of this name, decoded; None for none."""
        for found, values in self.message.headers.items():
            if found.lower() == name.lower():
                return values[0]
        return None
