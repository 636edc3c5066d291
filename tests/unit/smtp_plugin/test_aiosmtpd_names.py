"""The members of aiosmtpd's class that we use and that it does not document: `AIOSMTPD_NAMES` names them all."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import aiosmtpd.smtp
import pytest

import rrpy.smtp_plugin
from rrpy.smtp_plugin.handlers.smtp import AIOSMTPD_NAMES

FOLDER = Path(rrpy.smtp_plugin.__file__).parent


def private_names(source: str) -> set[str]:
    """Return the names with one leading underscore that a source reads, sets or defines on an object."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


THEIRS = private_names(inspect.getsource(aiosmtpd.smtp.SMTP))


@pytest.mark.parametrize("name", AIOSMTPD_NAMES)
def test_aiosmtpd_has_every_member_that_we_use(name: str) -> None:
    assert name in THEIRS


def test_every_such_member_is_listed() -> None:
    sources = [*FOLDER.glob("handlers/*.py"), FOLDER / "server/connection.py"]
    used = set().union(*(private_names(path.read_text(encoding="utf-8")) for path in sources))
    assert used & THEIRS == set(AIOSMTPD_NAMES)
