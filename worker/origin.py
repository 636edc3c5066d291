"""Where an error of a handler comes from: the file and the line that a person looks for first."""

from __future__ import annotations

import os
from types import CodeType

from .messages import Handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_LIBRARIES = (os.path.dirname(os.__file__) + os.sep, os.path.dirname(__file__) + os.sep, "<frozen ")  # noqa: PTH120
_INSTALLED = f"{os.sep}site-packages{os.sep}"


def place_of(error: BaseException, handler: Handler) -> str:
    """Return `file:line` of the innermost step in the user's code, or else of the handler; empty for neither.

    Code of Python itself, of installed packages and of this package is not the user's.
    """
    found = ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if _is_users(file):
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    code = getattr(getattr(handler, "of", handler), "__code__", None)
    if not found and isinstance(code, CodeType) and _is_users(code.co_filename):
        found = f"{code.co_filename}:{code.co_firstlineno}"
    return found


def _is_users(file: str) -> bool:
    return not file.startswith(_LIBRARIES) and _INSTALLED not in file
