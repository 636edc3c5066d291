"""Any bytes at all against the SMTP core, driven by atheris: `python tests/fuzz/fuzz_dialog.py [libFuzzer options]`.

The first byte chooses the rules, the second how the rest is cut. Whatever comes:

- nothing raises;
- every reply line is a code and printable US-ASCII;
- the session comes to the same replies, messages and end whole, byte by byte and as the second byte cuts it;
- at its end no byte is charged to the budget.

The corpus starts from the sessions of tests/conformance. A folder given as an argument is used instead of a temporary
one, so that what was found is kept; a file given is run once, which is how a crash is looked at.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["rrpy.smtp_plugin"]):
    from support.smtp_plugin.dialog import HOST, Driver, Outcome, corpus

    from rrpy.smtp_plugin.protocol.body import Budget
    from rrpy.smtp_plugin.protocol.rules import Rules

MAX_INPUT = 4096
LIMIT, BUDGET, MAX_ERRORS, MAX_RECIPIENTS = 16, 10, 3, 1  # as the sessions of the corpus have them
REPLY = re.compile(rb"[2-5]\d\d[ -][\x20-\x7e]*")
MECHANISMS = ("PLAIN", "LOGIN", "XOAUTH2")  # CRAM-MD5's challenge is random


def rules(choice: int) -> Rules:
    """Return the rules that a byte stands for, with a budget of their own."""
    return Rules(
        hostname=HOST,
        lmtp=bool(choice & 1),
        strict=bool(choice & 2),
        enhanced=bool(choice & 4),
        smtputf8=bool(choice & 8),
        max_message_size=LIMIT * (choice >> 4 & 1),
        budget=Budget(BUDGET * (choice >> 5 & 1)),
        max_errors=MAX_ERRORS * (choice >> 6 & 1),
        max_recipients=MAX_RECIPIENTS * (choice >> 7),
        mechanisms=MECHANISMS,
    )


def session(choice: int, chunks: Iterable[bytes]) -> Outcome:
    """Run a session and check what holds for every one."""
    driver = Driver(rules(choice))
    for chunk in chunks:
        driver.send(chunk)
    outcome = driver.outcome
    closed = outcome.closed
    assert outcome.replies.endswith(b"\r\n")
    for line in outcome.replies[:-2].split(b"\r\n"):
        assert REPLY.fullmatch(line), line
    driver.dialog.close(None)
    driver.take()
    assert driver.dialog.rules.budget.used == 0
    assert driver.dialog.waiting_bytes == 0
    outcome.closed = closed
    return outcome


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces of a size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_one(data: bytes) -> None:
    """Run one input."""
    if len(data) < 3:
        return
    choice, cut, sent = data[0], data[1] + 1, data[2:MAX_INPUT]
    outcomes = [session(choice, chunks) for chunks in ([sent], pieces(sent, 1), pieces(sent, cut))]
    assert outcomes[0] == outcomes[1] == outcomes[2]


def seed(folder: Path) -> None:
    """Write the sessions of the conformance corpus into a folder."""
    usual = Rules()
    for number, recorded in enumerate(corpus()):
        given = recorded.rules
        switches = (
            given.lmtp,
            given.strict,
            given.enhanced,
            given.smtputf8,
            given.max_message_size != usual.max_message_size,
            given.budget.limit > 0,
            given.max_errors != usual.max_errors,
            given.max_recipients != usual.max_recipients,
        )
        choice = sum(switch << bit for bit, switch in enumerate(switches))
        (folder / recorded.name).write_bytes(bytes((choice, number % 256)) + recorded.sent)


def main() -> None:
    """Fuzz, from the seeds and whatever the command line names."""
    with tempfile.TemporaryDirectory(prefix="rrpy-fuzz-") as name:
        seed(Path(name))
        paths = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        folders = [] if any(Path(path).is_file() for path in paths) else [name]
        # The first folder is where libFuzzer writes what it finds.
        atheris.Setup([*sys.argv, f"-max_len={MAX_INPUT}", *folders], test_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
