"""Write the generated parts of docs/explanation/architecture.md: states from tables, layers from contracts.

    python docs/diagrams.py            say which parts of the page are out of date; exit code 1 when there are some
    python docs/diagrams.py --write    write them

A part stands in the page between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
"""

from __future__ import annotations

import enum
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from rrpy.container.states import HOST, PLUGIN, HostState, PluginState, Table, mermaid
from rrpy.smtp_plugin.protocol.phases import SEQUENCE, Phase
from rrpy.worker_pool.states import TRANSITIONS, State

S = TypeVar("S", bound=enum.Enum)

PAGE: Final = Path(__file__).parent / "explanation" / "architecture.md"
PROJECT: Final = Path(__file__).parent.parent / "pyproject.toml"

CHUNKING: Final[Table[Phase]] = {
    Phase.RECIPIENTS: {"BDAT LAST": Phase.READY, "BDAT refused": Phase.FAILED},
    Phase.CHUNKS: {"BDAT LAST": Phase.READY, "BDAT refused": Phase.FAILED},
    Phase.FAILED: {"BDAT LAST": Phase.READY},
}
"""Where BDAT leads by its argument and by its size, which the table of verbs cannot say (RFC 3030 section 2)."""


def parts() -> dict[str, str]:
    """Return every generated part of the page, by its name."""
    return {
        "layers": f"{_fenced(_flowchart(layers()))}\n\n{_layer_table(layers())}",
        "host": _fenced(mermaid(HOST, HostState.NEW)),
        "plugin": _fenced(mermaid(_joined(PLUGIN), PluginState.REGISTERED)),
        "worker": _fenced(_worker_diagram()),
        "dialog": _fenced(mermaid(_joined(dialog_table()), Phase.CONNECTED)),
    }


def updated(text: str) -> str:
    """Return the page with every part as it should be. Raises ValueError for a part that the page has no place for."""
    for name, part in parts().items():
        begin, end = f"<!-- generated: {name} -->\n", f"\n<!-- end of {name} -->"
        place = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
        if len(place.findall(text)) != 1:
            raise ValueError(f"{PAGE.name} needs one {begin.strip()} with {end.strip()} behind it")
        text = place.sub(part.replace("\\", r"\\"), text)
    return text


def layers() -> dict[str, Sequence[str]]:
    """Return for each package those that it may import: all that its contract in pyproject.toml does not forbid."""
    contracts = tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]
    forbidden = {
        source: {*contract["forbidden_modules"], source}
        for contract in contracts
        for source in contract["source_modules"]
    }
    return {_short(name): [_short(other) for other in forbidden if other not in forbidden[name]] for name in forbidden}


def dialog_table() -> Table[Phase]:
    """Return where each phase of a session can lead; a refused command leads nowhere."""
    return {
        phase: {verb: to for verb, to in row.items() if isinstance(to, Phase)} | dict(CHUNKING.get(phase, {}))
        for phase, row in SEQUENCE.items()
    }


def common_ends() -> frozenset[State]:
    """Return the states that a worker can reach from every other one: it was killed, or it died."""
    return frozenset.intersection(*(after for after in TRANSITIONS.values() if after))


def main(arguments: Sequence[str]) -> int:
    """Check the page, or write it, and return the exit code."""
    before = PAGE.read_text(encoding="utf-8")
    after = updated(before)
    if arguments == ["--write"]:
        PAGE.write_text(after, encoding="utf-8")
    elif arguments:
        sys.stderr.write("usage: python docs/diagrams.py [--write]\n")
        return 2
    elif before != after:
        sys.stderr.write(f"{PAGE.name} is out of date; run: python docs/diagrams.py --write\n")
        return 1
    return 0


def _joined(table: Table[S]) -> Table[S]:
    """Return a table in which the events that lead from one state to the same other one are one event."""
    joined: dict[S, dict[str, S]] = {}
    for state, row in table.items():
        targets = dict.fromkeys(row.values())
        joined[state] = {", ".join(event for event, to in row.items() if to is target): target for target in targets}
    return joined


def _worker_diagram() -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {State.INACTIVE.text}"]
    for state, after in TRANSITIONS.items():
        if state not in common_ends():
            shown = sorted(after - common_ends())
            lines += [f"    {state.text} --> {target.text}" for target in shown] or [f"    {state.text} --> [*]"]
    return "\n".join(lines)


def _flowchart(allowed: Mapping[str, Sequence[str]]) -> str:
    lines = ["flowchart TD", *(f"    cli --> {name}" for name in allowed)]
    lines += [f"    {name} --> {other}" for name, others in allowed.items() for other in others]
    return "\n".join(lines)


def _layer_table(allowed: Mapping[str, Sequence[str]]) -> str:
    rows = [
        f"| `{name}` | {', '.join(f'`{other}`' for other in others) or 'nothing'} |" for name, others in allowed.items()
    ]
    return "\n".join(["| package | may import of ours |", "|---|---|", "| `cli.py` | all |", *rows])


def _short(module: str) -> str:
    return module.removeprefix("rrpy.")


def _fenced(diagram: str) -> str:
    return f"```mermaid\n{diagram}\n```"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
