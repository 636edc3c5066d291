"""The dialog against a reference model: random commands, each reply's code and every stored message foretold.

The model is RFC 5321 section 4.1.4 and RFC 3030 written down once more, with plain variables instead of a table, so
that a mistake in one of the two shows. It knows nothing of replies' texts, of buffers, or of how the bytes are cut.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.smtp_plugin.dialog import HOST, Driver, drive
from support.smtp_plugin.server import Serving, serving

from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.rules import Rules

pytestmark = pytest.mark.usefixtures("untraced")

Stored = tuple[str | None, tuple[str, ...], bytes]

LIMIT = 16
MAX_RECIPIENTS = 2
MAX_ERRORS = 6


@dataclass(frozen=True)
class Step:
    """One thing that a client does. `verb`: what it is; `wire`: its bytes; `good`: whether its syntax holds."""

    verb: str
    wire: bytes
    good: bool = True
    address: str = ""
    body: bytes = b""
    last: bool = False


def line(text: str, *, good: bool = True, address: str = "") -> Step:
    return Step(text.split(" ", maxsplit=1)[0], text.encode() + b"\r\n", good, address)


def message(body: bytes) -> Step:
    """DATA with the body that follows its 354, as it is to be stored: whole lines."""
    return Step("DATA", b"DATA\r\n", body=body + b"\r\n" if body and not body.endswith(b"\r\n") else body)


def chunk(body: bytes, *, last: bool) -> Step:
    head = f"BDAT {len(body)}{' LAST' if last else ''}\r\n".encode()
    return Step("BDAT", head + body, body=body, last=last)


SMALL = st.lists(st.sampled_from([b"a", b".", b"\r\n", b"QUIT\r\n", b"\r\n..", b"\xff"]), max_size=4).map(b"".join)
LARGE = st.binary(min_size=LIMIT + 1, max_size=LIMIT * 3).map(lambda body: body.translate(None, b"\r\n."))
LINES = [
    *(line(f"{verb} client") for verb in ("HELO", "EHLO")),
    *(line(verb, good=False) for verb in ("HELO", "EHLO", "VRFY", "AUTH")),
    *(line(f"MAIL FROM:<{address}>", address=address) for address in ("", "a@b.c")),
    *(line(f"MAIL FROM:{path}", good=False) for path in ("", "<a", "<a@b> BODY=X", "<a@b> SIZE=17", "<a@b> FOO")),
    *(line(f"RCPT TO:<{address}>", address=address) for address in ("x@y.z", "w@y.z")),
    *(line(f"RCPT TO:{path}", good=False) for path in ("", "<>", "<x@y.z> FOO", "<x")),
    *(line(f"{verb} now", good=False) for verb in ("RSET", "DATA")),
    *(line(text) for text in ("RSET", "NOOP", "NOOP x", "VRFY x", "EXPN x", "HELP", "FOO", "STARTTLS")),
    line("AUTH PLAIN AHUAcA=="),
    line("AUTH PLAIN !", good=False),
    line("QUIT"),
]
BEGIN = [line("EHLO client"), line("MAIL FROM:<a@b.c>", address="a@b.c"), line("RCPT TO:<x@y.z>", address="x@y.z")]
STEPS = st.one_of(
    st.sampled_from(LINES),
    st.sampled_from(BEGIN),
    st.one_of(SMALL, LARGE).map(message),
    st.builds(chunk, st.one_of(SMALL, LARGE), last=st.booleans()),
)
SESSIONS = st.builds(
    lambda begun, steps: [*BEGIN[:begun], *steps], st.integers(0, len(BEGIN)), st.lists(STEPS, max_size=20)
)


@dataclass
class Model:
    """What a server is expected to know of a session."""

    hello: str = ""
    authenticated: bool = False
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    chunks: bytes | None = None  # None before the first BDAT
    failed: bool = False  # a chunk was refused, RSET is due
    closed: bool = False
    errors: int = 0
    stored: list[Stored] = field(default_factory=list)

    @property
    def held(self) -> bytes:
        """The bytes of the message under way that a server has to keep."""
        return b"" if self.failed or self.closed else self.chunks or b""

    @property
    def phase(self) -> str:
        states = {
            "closed": self.closed,
            "failed": self.failed,
            "chunks": self.chunks is not None,
            "recipients": bool(self.recipients),
            "sender": self.sender is not None,
            "ready": bool(self.hello),
        }
        return next((name for name, holds in states.items() if holds), "connected")

    def step(self, step: Step) -> list[int]:
        """Return the codes that a step is answered with."""
        if self.closed:
            return []
        code = getattr(self, f"on_{step.verb.lower()}", self.on_unknown)(step)
        codes: list[int] = [code]
        if code == 354:
            codes.append(self.end_of(step.body))
        elif code >= 500 and not (step.verb == "BDAT" and step.last and code == 552):
            self.errors += 1
        if self.errors >= MAX_ERRORS:
            self.closed = True
            codes.append(421)
        return codes

    def forget(self) -> None:
        self.sender, self.recipients, self.chunks, self.failed = None, [], None, False

    def end_of(self, body: bytes) -> int:
        """A message is complete: store it, or refuse it for its size."""
        if len(body) > LIMIT:
            self.forget()
            return 552
        self.stored.append((self.sender, tuple(self.recipients), body))
        self.errors = 0
        self.forget()
        return 250

    def on_unknown(self, step: Step) -> int:
        return 500

    def on_helo(self, step: Step) -> int:
        if not step.good:
            return 501
        self.hello = step.verb
        self.forget()
        return 250

    on_ehlo = on_helo

    def on_mail(self, step: Step) -> int:
        if not self.hello or self.sender is not None:
            return 503
        if not step.good:
            return 552 if b"SIZE" in step.wire else 555 if b"FOO" in step.wire else 501
        self.sender = step.address
        return 250

    def on_rcpt(self, step: Step) -> int:
        if self.sender is None or self.failed or self.chunks is not None:
            return 503
        if not step.good:
            return 555 if b"FOO" in step.wire else 501
        if len(self.recipients) == MAX_RECIPIENTS:
            return 452
        self.recipients.append(step.address)
        return 250

    def on_data(self, step: Step) -> int:
        if not self.recipients or self.failed or self.chunks is not None:
            return 503
        return 354 if step.good else 501

    def on_bdat(self, step: Step) -> int:
        if self.failed or not self.recipients:
            if step.last and self.failed:
                self.forget()
            return 503
        self.chunks = (self.chunks or b"") + step.body
        if len(self.chunks) > LIMIT:
            self.failed = not step.last
            if step.last:
                self.forget()
            return 552
        return self.end_of(self.chunks) if step.last else 250

    def on_rset(self, step: Step) -> int:
        if not step.good:
            return 501
        self.forget()
        return 250

    def on_noop(self, step: Step) -> int:
        return 250

    def on_help(self, step: Step) -> int:
        return 214

    def on_vrfy(self, step: Step) -> int:
        return 252 if step.good else 501

    def on_expn(self, step: Step) -> int:
        return 502

    def on_starttls(self, step: Step) -> int:
        return 502 if self.sender is None else 503

    def on_auth(self, step: Step) -> int:
        if self.sender is not None or not self.hello or self.authenticated:
            return 503
        if step.good:
            self.authenticated = True
            return 235
        return 501

    def on_quit(self, step: Step) -> int:
        self.closed = True
        return 221


def rules() -> Rules:
    return Rules(
        hostname=HOST,
        max_message_size=LIMIT,
        max_recipients=MAX_RECIPIENTS,
        max_errors=MAX_ERRORS,
        budget=Budget(1000),
    )


def play(model: Model, step: Step) -> tuple[bytes, list[int]]:
    """Return what a client sends for a step, a body only after a 354, and the codes of the replies."""
    codes = model.step(step)
    body = (b"\r\n" + step.body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    return (step.wire + body if 354 in codes else step.wire), codes


def codes_of(said: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"^(\d\d\d) ", said, re.MULTILINE)]


@settings(max_examples=max(500, settings.default.max_examples))
@given(SESSIONS)
def test_every_step_is_answered_as_the_model_foretells(session: list[Step]) -> None:
    model, driver = Model(), Driver(rules())
    sent = b""
    for step in session:
        wire, codes = play(model, step)
        sent += wire
        assert codes_of(driver.send(wire)) == codes, step
        assert driver.dialog.phase.value == model.phase, step
        assert driver.dialog.rules.budget.used == len(model.held), step
    assert driver.outcome.messages == model.stored
    assert driver.outcome.closed == model.closed
    assert drive(rules(), [sent]) == driver.outcome
    assert drive(rules(), [sent[at : at + 1] for at in range(len(sent))]) == driver.outcome


@given(SESSIONS)
def test_a_session_that_is_cut_gives_its_bytes_back(session: list[Step]) -> None:
    model, driver = Model(), Driver(rules())
    for step in session:
        driver.send(play(model, step)[0])
    stored = list(driver.outcome.messages)
    driver.send(b"DATA\r\nhalf of a mess")
    driver.dialog.close(None)
    driver.take()
    assert driver.dialog.rules.budget.used == 0
    assert driver.dialog.waiting_bytes == 0
    assert driver.outcome.messages == stored


@pytest.mark.anyio
@settings(max_examples=30)
@given(st.lists(SESSIONS, min_size=1, max_size=4))
async def test_real_connections_end_with_nothing_left(sessions: list[list[Step]]) -> None:
    before = asyncio.all_tasks()
    async with serving(rules()) as server:
        outcomes = await asyncio.gather(*(converse(server, session) for session in sessions))
        await server.emptied()
        assert [said for said, _ in outcomes] == [expected for _, (expected, _) in outcomes]
        stored = [message for _, (_, messages) in outcomes for message in messages]
        assert sorted((s, tuple(r), b) for s, r, b in server.backend.messages) == sorted(stored)
        assert server.backend.connections() == []
        assert server.listener.rules.budget.used == 0
        assert asyncio.all_tasks() <= before
    assert asyncio.all_tasks() <= before


async def converse(server: Serving, session: list[Step]) -> tuple[list[int], tuple[list[int], list[Stored]]]:
    """Send a whole session in one write and shut the sending side; return the codes heard and the model's."""
    model = Model()
    wires, codes = [], [220]
    for step in session:
        wire, answers = play(model, step)
        wires.append(wire)
        codes += answers
    client = await server.connect()
    client.send(b"".join(wires))
    client.writer.write_eof()
    said = await client.rest()
    client.close()
    return codes_of(said.encode()), (codes, model.stored)
