"""Write the generated parts of the pages, and the root's rr.yaml.

States and replies come from their tables, layers from import-linter's contracts, settings from their models.

    python docs/generate.py            name the pages that are out of date; exit code 1 when there are any
    python docs/generate.py --write    write them

A part stands in its page between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
"""

from __future__ import annotations

import enum
import inspect
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from msgspec import Struct

import rrpy.testing
import rrpy.worker.testing
from rrpy.cli import default_plugins
from rrpy.commands.check import models_of
from rrpy.commands.describe import sections, table
from rrpy.commands.template import template
from rrpy.container.config.config import File
from rrpy.container.states import HOST, PLUGIN, HostState, PluginState, Table, mermaid
from rrpy.mime.check.rules import RULES
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.phases import SEQUENCE, Phase
from rrpy.smtp_plugin.server.states import CONNECTION
from rrpy.smtp_plugin.server.states import State as ConnectionState
from rrpy.worker_pool.states import PROCESS, REQUEST, TRANSITIONS, ProcessState, RequestState, State

S = TypeVar("S", bound=enum.Enum)

DOCS: Final = Path(__file__).parent
PROJECT: Final = DOCS.parent / "pyproject.toml"

PUBLIC: Final = (rrpy, rrpy.worker, rrpy.worker.testing, rrpy.testing)
"""The modules whose `__all__` is public."""

WHOLE: Final = ""
"""The name of a part that is all of its file."""

CHUNKING: Final[Table[Phase]] = {
    Phase.RECIPIENTS: {"BDAT LAST": Phase.READY, "BDAT refused": Phase.FAILED},
    Phase.CHUNKS: {"BDAT LAST": Phase.READY, "BDAT refused": Phase.FAILED},
    Phase.FAILED: {"BDAT LAST": Phase.READY},
}
"""Where BDAT leads by its argument and by its size, which the table of verbs cannot say (RFC 3030 section 2)."""


def pages() -> dict[str, dict[str, str]]:
    """Return the generated parts of each page, by the page's path below docs/ and by the part's name."""
    return {
        "explanation/architecture.md": {
            "layers": f"{_fenced(_flowchart(layers()))}\n\n{_layer_table(layers())}",
            "host": _fenced(mermaid(HOST, HostState.NEW)),
            "plugin": _fenced(mermaid(_joined(PLUGIN), PluginState.REGISTERED)),
            "worker": _fenced(_worker_diagram()),
            "process": _fenced(mermaid(PROCESS, ProcessState.BOOTING)),
            "request": _fenced(mermaid(REQUEST, RequestState.IDLE)),
            "connection": _fenced(mermaid(_joined(CONNECTION), ConnectionState.READING)),
            "dialog": _fenced(mermaid(_joined(dialog_table()), Phase.CONNECTED)),
        },
        "reference/api.md": {module.__name__: _name_table(module) for module in PUBLIC},
        "reference/check.md": {"rules": _rule_table()},
        "reference/smtp.md": {"replies": _reply_table()},
        "reference/configuration.md": {name: table(model) for model, name in _first_paths(_models()).items()},
        "../rr.yaml": {WHOLE: template(default_plugins(), {"smtp.hostname": "buggregator.local"})},
    }


def updated(name: str, text: str) -> str:
    """Return the text of a page with every part up to date. Raises ValueError for a part without a place in it."""
    for part, content in pages()[name].items():
        if part == WHOLE:
            return content
        begin, end = f"<!-- generated: {part} -->\n", f"<!-- end of {part} -->"
        place = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
        if len(place.findall(text)) != 1:
            raise ValueError(f"{name} needs one {begin.strip()}, followed by {end}")
        text = place.sub(f"{content}\n".replace("\\", r"\\"), text)
    return text


def layers() -> dict[str, Sequence[str]]:
    """Return for each package those that it may import: all that its contract in pyproject.toml does not forbid."""
    contracts = tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]
    forbidden = {
        source: {*contract["forbidden_modules"], source}
        for contract in contracts
        for source in contract.get("source_modules", ())
        if source.count(".") == 1
    }
    return {_short(name): [_short(other) for other in forbidden if other not in forbidden[name]] for name in forbidden}


def _rule_table() -> str:
    rows = [
        f"| `{name}` | {rule.severity} | {rule.source} | {_cell(rule.text)} | {_cell(rule.remedy)} |"
        for name, rule in RULES.items()
    ]
    return "\n".join(["| rule | severity | source | what is wrong | remedy |", "|---|---|---|---|---|", *rows])


def _cell(text: str) -> str:
    """Return a text as a cell of a table has it: what looks like markup stays a text."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("|", "\\|").replace("_", "\\_")


def _models() -> Mapping[str, type[Struct]]:
    return {"top": File, **models_of(default_plugins())}


def _first_paths(models: Mapping[str, type[Struct]]) -> Mapping[type[Struct], str]:
    """Return the path of each model; of a model with several, such as that of pools, the first one."""
    found: dict[type[Struct], str] = {}
    for path, model in sections(models).items():
        found.setdefault(model, path)
    return found


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
    """Check the pages, or write them, and return the exit code."""
    if arguments not in ([], ["--write"]):
        sys.stderr.write("usage: python docs/generate.py [--write]\n")
        return 2
    code = 0
    for name in pages():
        before = (DOCS / name).read_text(encoding="utf-8")
        after = updated(name, before)
        if arguments:
            (DOCS / name).write_text(after, encoding="utf-8")
        elif before != after:
            sys.stderr.write(f"{name} is out of date; run: python docs/generate.py --write\n")
            code = 1
    return code


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


def _name_table(module: ModuleType) -> str:
    rows = [f"| `{name}` | {_summary(module, name)} |" for name in module.__all__]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def _summary(module: ModuleType, name: str) -> str:
    """Return the first sentence of a docstring."""
    value = getattr(module, name)
    if isinstance(value, str):
        return "the version, a text"
    first = (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[.:]) (?=[A-Z`])", first)[0].rstrip(".:").replace("|", r"\|")


def _reply_table() -> str:
    rows = [
        f"| `{reply.code}` | {reply.enhanced} | `{reply.text}` | {_source(reply.source)} |"
        for reply in sorted(replies.table().values(), key=lambda reply: (reply.code, reply.enhanced, reply.text))
    ]
    return "\n".join(["| code | enhanced | text | source |", "|---|---|---|---|", *dict.fromkeys(rows)])


def _source(source: str) -> str:
    return source if source.startswith("RFC ") else "[Events](events.md#the-answer)"


def _short(module: str) -> str:
    return module.removeprefix("rrpy.")


def _fenced(diagram: str) -> str:
    return f"```mermaid\n{diagram}\n```"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
