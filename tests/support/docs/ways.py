"""How each block of the documentation is run: by its kind, or by the way that a comment above it names.

A page is run from its top to its end in a folder of its own: a block that shows a file writes it, the next ones find it
there. `<!-- test: way -->` above a block names a set-up that its kind alone does not tell (WAYS, in ways_named.py). A
block that is neither of a known kind (KINDS, in ways_kinds.py) nor has a way is run by nobody, and fails its page.
`<!-- not run: reason -->` is for what would change the whole system, or needs another one; what such a block says is
checked all the same.

Why not Sybil, or another of its like: each makes a test of every block, and passes over the blocks that it has no
parser for. Here the blocks of a page share a host, a prompt and files, which one test has and several processes of
pytest-xdist cannot share; and a block that nobody runs is the very thing to be found.
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
    """Run every block of these pages, one page after the other, in a folder that has what their reader begins with."""
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
    assert way is not None, f"nobody runs a block of the kind {block.kind!r} in the way {named!r}; see {__name__}"
    return way
