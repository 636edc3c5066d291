"""What TAB offers behind the shared options: files, folders, keys of the configuration; and the scripts of the shells.

The shells ask `rrpy` itself, with click's protocol. One thing in click's scripts is changed: no blank comes
behind a key, which ends in `=` (fish does so by itself).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from msgspec import Struct

SHELLS: Final = ("bash", "zsh", "fish")
_PLAIN: Final = {
    "bash": ("COMPREPLY+=($value)\n", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace\n"),
    "zsh": (
        'if [[ "$descr" == "_" ]]; then\n',
        """if [[ "$key" == *= ]]; then
                compadd -U -S '' -- "$key"
            elif [[ "$descr" == "_" ]]; then
""",
    ),
}


def script(command: click.Command, shell: str) -> str:
    """Return what a shell must run to complete `rrpy`. `shell`: one of SHELLS."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    old, new = _PLAIN.get(shell, ("", ""))
    return kind(command, {}, "rrpy", "_RRPY_COMPLETE").source().replace(old, new)


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer files."""
    return [CompletionItem(incomplete, type="file")]


def folders(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer folders."""
    return [CompletionItem(incomplete, type="dir")]


def override_keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the keys of the host's own plugins. The root context's `obj` is the function that makes these."""
    from .check import models_of

    make: Callable[[], Sequence[Any]] = context.find_root().obj
    found = [pair for name, model in models_of(make()).items() for pair in _keys(model, name)]
    return [CompletionItem(f"{key}=", help=text or None) for key, text in found if f"{key}=".startswith(incomplete)]


def _keys(model: type[Struct], path: str) -> Iterator[tuple[str, str]]:
    """Yield every key of a section in full, with what it means; a section below gives its keys."""
    from msgspec import Struct
    from msgspec.structs import fields

    from .config import options_of
    from .descriptions import descriptions

    texts = descriptions(model)
    for field in fields(model):
        below = f"{path}.{field.encode_name}"
        sections = [each for each in options_of(field.type) if isinstance(each, type) and issubclass(each, Struct)]
        if sections:
            yield from _keys(sections[0], below)
        else:
            yield below, texts.get(field.encode_name, "")
