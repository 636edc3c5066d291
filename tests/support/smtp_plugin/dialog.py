"""Sessions of the SMTP dialog without a socket: a driver, and a reader of the corpus in tests/conformance/sessions.

A session file is read line by line:

    # text            why this session is in the corpus
    ! key=value ...   the rules of the listener (see `rrpy.smtp_plugin.protocol.rules.Rules`)
    C: text           the client sends the text and CR LF
    C~ text           the client sends the text alone; \\r \\n \\t \\0 \\xHH and \\\\ are escapes, `*N` repeats
    S: text           the server replies with the text and CR LF; <EHLO> stands for the whole EHLO reply
    M: from > to to   a message was stored; `= text` lines that follow are its content, escaped as in C~
    X                 the server closed
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.dialog import Dialog
from rrpy.smtp_plugin.protocol.failures import Drop, Effect
from rrpy.smtp_plugin.protocol.phases import Event
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.session import Session

HOST = "mx.test"
BEGIN = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nDATA\r\n"
"""A session up to its message."""
SESSIONS = Path(__file__).parents[2] / "conformance" / "sessions"


@dataclass
class Outcome:
    """What a session came to."""

    replies: bytes = b""
    messages: list[tuple[str | None, tuple[str, ...], bytes]] = field(default_factory=list)
    closed: bool = False


class Driver:
    """Feeds a dialog and takes its output, accepting every message."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.session = Session(None, ("192.0.2.1", 40000))
        self.dialog = Dialog(rules or Rules(hostname=HOST), self.session)
        self.outcome = Outcome()
        self.effects: list[tuple[bytes, Effect, bytes]] = []  # the replies before, the effect, the reply
        self.dialog.greet()
        self.take()

    def send(self, data: bytes) -> bytes:
        """Feed bytes and return the replies they caused."""
        self.dialog.receive(data)
        return self.take()

    def fail(self) -> bytes:
        """Send a reply as a rule spoils it, without the time that this takes; return what is sent."""
        effect, reply = self.dialog.take_effect()
        said = self.dialog.take_output()
        self.effects.append((said, effect, reply))
        if effect.drop is not Drop.BEFORE:
            said += reply[: len(reply) // 2] if effect.partial else reply
        if effect.partial or effect.drop is not None:
            self.dialog.close(None)
        self.dialog.go_on()
        return said

    def take(self) -> bytes:
        dialog = self.dialog
        said = b""
        while (event := dialog.next_event()) is not None:
            if event is Event.YIELD:
                dialog.go_on()
                continue
            if event is Event.FAIL:
                said += self.fail()
                continue
            assert event is Event.DELIVER
            envelope = dialog.envelope
            assert isinstance(envelope.content, bytes)
            self.outcome.messages.append((envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content))
            dialog.answer(*[replies.ACCEPTED] * (len(envelope.rcpt_tos) if dialog.rules.lmtp else 1))
        said += dialog.take_output()
        self.outcome.replies += said
        self.outcome.closed = dialog.closing
        return said


def drive(rules: Rules, chunks: Iterable[bytes]) -> Outcome:
    """Run a session whose bytes arrive in these chunks."""
    driver = Driver(rules)
    for chunk in chunks:
        if chunk:
            driver.send(chunk)
    return driver.outcome


@dataclass
class Recorded:
    """A session of the corpus."""

    name: str
    rules: Rules
    sent: bytes
    expected: Outcome


def load(path: Path) -> Recorded:
    """Read a session file; the module's docstring describes its form. A key after `!` is a field of `Rules`."""
    options: dict[str, object] = {"hostname": HOST}
    lines = path.read_text().splitlines()
    for line in lines:
        if line.startswith("! "):
            for pair in line[2:].split():
                key, _, value = pair.partition("=")
                options[key] = _option(key, value)
    rules = Rules(**options)  # type: ignore[arg-type]
    sent = b""
    expected = Outcome()
    for line in lines:
        mark, text = line[:2], line[3:]
        if mark == "C:":
            sent += text.encode() + b"\r\n"
        elif mark == "C~":
            sent += unescape(text)
        elif mark == "S:":
            expected.replies += rules.ehlo if text == "<EHLO>" else text.encode() + b"\r\n"
        elif mark == "M:":
            sender, _, recipients = text.partition(">")
            expected.messages.append((sender.strip(), tuple(recipients.split()), b""))
        elif mark == "= " or line == "=":
            sender, to, content = expected.messages[-1]
            expected.messages[-1] = (sender, to, content + unescape(line[2:]))
        elif mark == "X":
            expected.closed = True
        elif line and line[0] not in "#!":
            raise ValueError(f"{path.name}: cannot read the line {line!r}")
    return Recorded(path.stem, rules, sent, expected)


def _option(key: str, value: str) -> object:
    if key == "mechanisms":
        return tuple(value.split(","))
    if key == "budget":
        return Budget(int(value))
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() else value


def unescape(text: str) -> bytes:
    times = re.search(r" \*(\d+)$", text)
    if times:
        text = text[: times.start()]
    names = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
    out = b""
    for part in re.findall(r"\\x[0-9a-f]{2}|\\.|[^\\]+", text):
        if part.startswith("\\x"):
            out += bytes.fromhex(part[2:])
        elif part.startswith("\\"):
            out += names[part[1]]
        else:
            out += part.encode()
    return out * int(times[1]) if times else out


def corpus() -> list[Recorded]:
    """Return every session of the corpus, by name."""
    return [load(path) for path in sorted(SESSIONS.glob("*.smtp"))]
