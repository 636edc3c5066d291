"""`rrpy check`: what is wrong with a mail in a file, without a network. The rules are those of mime/check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from ..container.errors import reason_of
from ..container.text import printable
from ..mime.check.check import check
from ..mime.check.findings import Finding, has_errors
from ..mime.check.rules import SEVERITIES
from .console import fail, say, to_json

STDIN: Final = "-"
UNREADABLE: Final = 2
"""The exit code for a file without a mail: 1 says that the mail has an error."""
_COLOURS: Final = {"error": "red", "warning": "yellow", "hint": "cyan"}


def check_file(path: str, *, as_json: bool) -> int:
    """Print what is wrong with the mail in a file, or on stdin for `-`. Return 1 where there is an error, else 0.

    End with the code UNREADABLE for a file that cannot be read, and for one that is empty.
    """
    name = "stdin" if path == STDIN else printable(path)
    try:
        raw = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        fail(f"cannot read {name}: {reason_of(error)}", UNREADABLE)
    if not raw.strip():
        fail(f"{name} is empty", UNREADABLE)
    findings = check(raw)
    counts = {each: sum(finding.severity == each for finding in findings) for each in SEVERITIES}
    if as_json:
        say(to_json({"findings": msgspec.to_builtins(findings), **_plural(counts)}))
    else:
        say("\n".join([*map(_lines, findings), _total(counts)]))
    return 1 if has_errors(findings) else 0


def _lines(finding: Finding) -> str:
    """Return a finding as lines: what is wrong, where, and what helps."""
    severity = click.style(f"{finding.severity:8}", fg=_COLOURS[finding.severity])
    places = [f"at {printable(each)}" for each in finding.places]
    if finding.count > len(places) > 0:
        places.append(f"and {finding.count - len(places):,} more")
    head = f"{severity}{finding.text} [{finding.rule}; {finding.source}]"
    return "\n        ".join([head, *places, finding.remedy])


def _total(counts: dict[Any, int]) -> str:
    *most, last = [f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items()]
    return f"{', '.join(most)} and {last}" if any(counts.values()) else "nothing is wrong"


def _plural(counts: dict[Any, int]) -> dict[str, int]:
    return {f"{name}s": count for name, count in counts.items()}
