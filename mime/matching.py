"""Which mail is meant: one rule for the API of the inbox, RPC, `rrpy wait` and the pytest fixture. Pure.

A Wanted is one text. It fits a part of a value; after `=` the whole value, and after `~` it is a regular expression.
Case does not count. Outside expressions, white space of any length is the same, and `*` stands for any text.
A Filter has conditions for the parts of a mail. It fits where each condition fits one of the values.

What we want: a client chooses the expression, the mail chooses the text, and neither holds up the host.
What does not work: `re` takes exponential time for some expressions. The time limit of the package `regex` ends a
search, but each one may take the whole limit. What we do: google-re2 takes time in proportion to the text and to its
program. A small program (MEMORY) and a bound for both (SEARCHED, WORK) limit the worst expression to a tenth of a
second. A search releases the interpreter lock, so a thread can run it beside the event loop; see Filter.is_slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .addresses import read_addresses
from .html_text import text_of

if TYPE_CHECKING:
    from .message import Message

ANY: Final = "*"
WHOLE: Final = "="
EXPRESSION: Final = "~"
MAX_WANTED: Final = 1000
"""Characters of one wanted text."""
MAX_HEADERS: Final = 20
"""Headers of one filter."""
COMPARED: Final = 256 * 1024
"""Characters of a value that are compared."""
SEARCHED: Final = 64 * 1024
"""Characters of a value that an expression searches."""
WORK: Final = 10_000_000
"""Bytes of a value that an expression searches, times the instructions of its program: 0.1 s at worst."""
MEMORY: Final = 64 * 1024
"""Bytes of the program of an expression: about a thousand instructions."""
SHOWN: Final = 4
"""Values in a reason."""
QUOTED: Final = 80
"""Characters of a value in a reason."""

_ADDRESS: Final = re.compile(r"[^\s@*]+@[^\s@*]+")
_NAME: Final = re.compile(r"[!-9;-~]{1,100}")  # RFC 5322 section 2.2


class FilterError(ValueError):
    """A condition is wrong. The text is one sentence. `name`: of the condition."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name


class Wanted:
    """One wanted text, as a client wrote it. `text`: as written. `instructions`: of an expression.

    `exact`: the only folded value that fits; None where several fit.
    """

    __slots__ = ("_fits", "exact", "instructions", "text")

    def __init__(self, text: str, name: str = "the text", *, whole: bool = False) -> None:
        """Read a text. `whole`: it fits whole values without `=` too. Raises FilterError, which names `name`."""
        if len(text) > MAX_WANTED:
            raise FilterError(name, f"has {len(text)} characters; it takes at most {MAX_WANTED}")
        self.text = text
        self.instructions = 0
        self.exact: str | None = None
        if text.startswith(EXPRESSION):
            self._fits, self.instructions = _expression(text[1:], name)
        elif whole or text.startswith(WHOLE):
            folded = _folded(text.removeprefix(WHOLE))
            self.exact = None if ANY in folded else folded
            self._fits = _whole(folded)
        else:
            self._fits = _part(_folded(text))

    @property
    def is_expression(self) -> bool:
        """Whether it is a regular expression."""
        return self.instructions > 0

    @property
    def most(self) -> int:
        """The bytes that it searches at once, at most."""
        return WORK // max(1, self.instructions)

    def fits(self, value: str | Value) -> bool:
        """Return whether a value is meant, by its first COMPARED or SEARCHED characters."""
        return self._fits(Value(value) if isinstance(value, str) else value)

    def __repr__(self) -> str:
        return repr(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wanted) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Value:
    """A value of a mail, folded and encoded once for all that compare it."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def folded(self) -> str:
        """The text without case, with single spaces."""
        return _folded(self.text)

    @cached_property
    def searched(self) -> bytes:
        """The part that an expression searches, in UTF-8."""
        return _bytes(self.text[:SEARCHED])


class Mail:
    """The values of a mail that a Filter compares. `message`: returns it parsed; called where a condition needs it.

    `to`: the recipients of the envelope. `sender`: of the envelope. `header_from`: the header From, decoded.
    """

    def __init__(
        self, to: Sequence[str], sender: str, subject: str, header_from: str, message: Callable[[], Message]
    ) -> None:
        self.to = [Value(address) for address in to]
        self.subject = [Value(subject)]
        self._sender = sender
        self._header_from = header_from
        self._message = message

    @classmethod
    def of(cls, to: Sequence[str], sender: str, message: Message) -> Mail:
        """Return the values of a parsed mail."""
        header_from = next(_header_values(message, "from"), "")
        return cls(to, sender, message.subject, header_from, lambda: message)

    @cached_property
    def recipients(self) -> frozenset[str]:
        """The recipients of the envelope, folded."""
        return frozenset(value.folded for value in self.to)

    @cached_property
    def senders(self) -> Sequence[Value]:
        """The sender of the envelope, each address of the header From, and that header whole."""
        texts = {self._sender: None}
        if self._header_from:
            raw = self._header_from.encode("utf-8", "surrogateescape")
            texts |= dict.fromkeys(each.address for each in read_addresses([raw], _decoded))
            texts[self._header_from] = None
        return [Value(text) for text in texts]

    @cached_property
    def bodies(self) -> Sequence[Value]:
        """The text, and the readable text of the HTML, with LF line ends."""
        message = self._message()
        texts = [message.body.replace("\r\n", "\n"), text_of(message.html_body) if message.html_body else ""]
        return [Value(text) for text in texts if text]

    def headers(self, name: str) -> Sequence[Value]:
        """Return the decoded values of a header."""
        return [Value(text) for text in _header_values(self._message(), name.lower())]


class Filter(NamedTuple):
    """The mails that are meant. None: every value fits. `headers`: names, each with the text of its value."""

    to: Wanted | None = None
    sender: Wanted | None = None
    subject: Wanted | None = None
    body: Wanted | None = None
    headers: Sequence[tuple[str, Wanted | None]] = ()

    @classmethod
    def of(
        cls,
        to: str | None = None,
        sender: str | None = None,
        subject: str | None = None,
        body: str | None = None,
        header: str | Iterable[str] = (),
    ) -> Filter:
        """Return the filter of texts as a client writes them. Raises FilterError.

        A complete address in `to` and `sender` fits that address alone: else ann@example.com would fit joann's mail.
        `header`: `Name: value`, or `Name` for any value; several for several headers.
        """
        headers = [header] if isinstance(header, str) else list(header)
        if len(headers) > MAX_HEADERS:
            raise FilterError("header", f"comes {len(headers)} times; it may come at most {MAX_HEADERS} times")
        return cls(
            _address(to, "to"),
            _address(sender, "from"),
            None if subject is None else Wanted(subject, "subject"),
            None if body is None else Wanted(body, "body"),
            tuple(_header(each) for each in headers),
        )

    @property
    def is_slow(self) -> bool:
        """Whether `fits` may parse a mail or search a long text. Call it in a thread then."""
        return self.reads_message or self.has_expression

    @property
    def has_expression(self) -> bool:
        """Whether a condition is a regular expression: one mail may take seconds, so nothing may wait for `fits`."""
        texts = (self.to, self.sender, self.subject, self.body, *(wanted for _, wanted in self.headers))
        return any(each and each.is_expression for each in texts)

    @property
    def reads_message(self) -> bool:
        """Whether a condition compares more than a summary has."""
        return self.body is not None or bool(self.headers)

    def fits(self, mail: Mail) -> bool:
        """Return whether a mail is one of them."""
        to = self.to
        if to is not None and to.exact is not None and to.exact not in mail.recipients:
            return False  # thousands of waiting requests have an address each
        return all(wanted is None or any(map(wanted.fits, values)) for _, wanted, values in self._compared(mail))

    def why_not(self, mail: Mail) -> list[str]:
        """Return a sentence for each condition that a mail does not fit. Values are shortened to QUOTED characters."""
        return [
            _reason(name, wanted, [value.text for value in values])
            for name, wanted, values in self._compared(mail)
            if wanted is not None and not any(map(wanted.fits, values))
        ]

    def _compared(self, mail: Mail) -> Iterator[tuple[str, Wanted | None, Sequence[Value]]]:
        """Yield the conditions, the cheap ones first, each with the values of the mail."""
        if self.to is not None:
            yield "to", self.to, mail.to
        if self.sender is not None:
            yield "from", self.sender, mail.senders
        if self.subject is not None:
            yield "subject", self.subject, mail.subject
        for name, wanted in self.headers:
            yield f"header {name}", wanted or _ANYTHING, mail.headers(name)
        if self.body is not None:
            yield "body", self.body, mail.bodies

    def __str__(self) -> str:
        """Return the conditions as a client writes them."""
        texts = {"to": self.to, "from": self.sender, "subject": self.subject, "body": self.body}
        headers = [f"header={name}{f': {wanted.text}' if wanted else ''}" for name, wanted in self.headers]
        return ", ".join([f"{name}={wanted.text!r}" for name, wanted in texts.items() if wanted is not None] + headers)


def _address(text: str | None, name: str) -> Wanted | None:
    return None if text is None else Wanted(text, name, whole=_ADDRESS.fullmatch(text) is not None)


def _header(text: str) -> tuple[str, Wanted | None]:
    name, colon, value = text.partition(":")
    if _NAME.fullmatch(name) is None:
        raise FilterError("header", f"is {_quoted(text)}; it is `Name: value`, such as `X-Tag: welcome`")
    return name, Wanted(value.strip(), f"header {name}") if colon and value.strip() else None


def _reason(name: str, wanted: Wanted, values: Sequence[str]) -> str:
    """Return why no value fits."""
    if name == "body" and values:
        return f"body: its text does not fit {wanted}"
    found = ", ".join(map(_quoted, values[:SHOWN]))
    if len(values) > SHOWN:
        found += f" and {len(values) - SHOWN} more"
    return f"{name}: {found} does not fit {wanted}" if found else f"{name}: the mail has none"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= QUOTED else f"{text[:QUOTED]}…")


def _folded(text: str) -> str:
    return " ".join(text[:COMPARED].casefold().split())


def _part(wanted: str) -> Callable[[Value], bool]:
    if ANY not in wanted:
        return lambda value: wanted in value.folded
    pattern = f"{ANY}{wanted}{ANY}"
    return lambda value: fits(pattern, value.folded)


def _whole(wanted: str) -> Callable[[Value], bool]:
    return lambda value: fits(wanted, value.folded)


def _expression(expression: str, name: str) -> tuple[Callable[[Value], bool], int]:
    """Return the search of a regular expression, and the instructions of its program. Raises FilterError."""
    try:
        import re2  # a filter without expressions does not load it
    except ImportError:
        raise FilterError(name, "is a regular expression, which needs google-re2: pip install 'rrpy[re2]'") from None
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        compiled: Any = re2.compile(_bytes(expression), options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise FilterError(name, f"is not a regular expression of RE2: {text}") from None
    instructions = max(1, compiled.programsize)
    most = WORK // instructions
    return lambda value: compiled.search(value.searched[:most]) is not None, instructions


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _header_values(message: Message, name: str) -> Iterator[str]:
    for found, values in message.headers.items():
        if found.lower() == name:
            yield from values


def fits(wanted: str, text: str) -> bool:
    """Return whether a text fits a wanted one, in which `*` stands for any text. Case counts."""
    first, *parts = wanted.split(ANY)
    if not parts:
        return wanted == text
    *parts, last = parts
    place, end = len(first), len(text) - len(last)
    if place > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in parts:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


_ANYTHING: Final = Wanted(ANY)
