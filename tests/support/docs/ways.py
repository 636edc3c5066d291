"""Run each block of the documentation: by its kind, or in the way that a comment above it names.

A page runs from its top to its end in a folder of its own. A block that shows a file writes it, and later blocks use
it. `<!-- test: way -->` above a block names a set-up (WAYS, in ways_named.py). A block without a way, and of no known
kind (KINDS, in ways_kinds.py), fails its page. `<!-- not run: reason -->` is for a block that changes the whole system,
or needs another system; its content is checked anyway.

Why not Sybil or a similar tool: each makes a test of every block, and skips blocks without a parser. Here the blocks of
a page share a host, a prompt and files, which processes of pytest-xdist cannot share. And no block may be skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from support.docs.pages import ROOT, Block, blocks
from support.docs.transcript import Transcript
from support.docs.ways_kinds import KINDS, Way, elsewhere
from support.docs.ways_named import WAYS

__all__ = ["WAYS", "run_pages", "way_of"]


def run_pages(paths: Sequence[Path], folder: Path) -> None:
    """Run every block of these pages in order, in a folder with the files that a reader begins with."""
    if paths[0].parent.parent.name == "examples":
        shutil.copytree(paths[0].parent, folder, dirs_exist_ok=True)
    else:
        shutil.copy(ROOT / "rr.yaml", folder)
    with Transcript(folder) as transcript:
        for path in paths:
            for block in blocks(path.read_text(encoding="utf-8")):
                try:
                    way_of(block)(transcript, block)
                except BaseException as error:
                    error.add_note(f"in the block at {os.path.relpath(path, ROOT)}:{block.line}")
                    raise
        transcript.stop()


def way_of(block: Block) -> Way:
    if block.way.startswith("not run: "):
        return elsewhere
    named = block.way.removeprefix("test: ") if block.way.startswith("test: ") else ""
    known = WAYS if named else KINDS
    way = known.get(named or block.kind)
    assert way is not None, f"there is no way to run a block of the kind {block.kind!r}, way {named!r}; see {__name__}"
    return way
