"""Completions for TAB after the shared options: files, folders, keys of the configuration; and the shells' scripts.

The shells ask `rrpy` itself, with click's protocol. Two things in click's scripts are changed. No blank follows a key,
which ends in `=` (fish does so by itself). And bash, which splits words at `:` and `=`, passes the line as it is, so
that `--address tcp://...` and `-o key=value` may stand before the cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
_CHANGES: Final = {
    "bash": (
        ("COMPREPLY+=($value)\n", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace\n"),
        (
            'env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD',
            """IFS=' '; line="${COMP_LINE:0:$COMP_POINT}"; read -ra typed <<< "${line}x"
        env COMP_WORDS="$line" COMP_CWORD=$((${#typed[@]} - 1))""",
        ),
    ),
    "zsh": (
        (
            'if [[ "$descr" == "_" ]]; then\n',
            """if [[ "$key" == *= ]]; then
                compadd -U -S '' -- "$key"
            elif [[ "$descr" == "_" ]]; then
""",
        ),
    ),
}
"""By shell, the parts of click's script to replace, each with its replacement."""


def script(command: click.Command, shell: str) -> str:
    """Return the script that a shell runs to complete `rrpy`. `shell`: one of SHELLS."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    text = kind(command, {}, "rrpy", "_RRPY_COMPLETE").source()
    for old, new in _CHANGES.get(shell, ()):
        text = text.replace(old, new)
    return text


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer files."""
    return [CompletionItem(incomplete, type="file")]


def folders(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer folders."""
    return [CompletionItem(incomplete, type="dir")]


def override_keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the keys of the host's own plugins. The root context's `obj` is the function that makes the plugins."""
    from ..container.config.model import EVERY, description_of, section_of, walk
    from .check import models_of
    from .describe import first_sentence, plain

    if "=" in incomplete:
        return []
    make: Callable[[], Sequence[Any]] = context.find_root().obj
    keys = [part for name, model in models_of(make()).items() for part in walk(model, EVERY, name)]
    return [
        CompletionItem(f"{part.path}=", help=plain(first_sentence(description_of(part.kind))) or None)
        for part in keys
        if not section_of(part.kind) and f"{part.path}=".startswith(incomplete)
    ]
