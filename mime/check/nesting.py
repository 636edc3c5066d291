"""Tags that are not closed, or closed without a beginning, in time proportional to their number. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

CLOSED: Final = frozenset(
    re.findall(
        r"\w+",
        """a abbr address article aside b bdi bdo big blockquote button center cite code del dfn div dl em fieldset
        figcaption figure font footer form h1 h2 h3 h4 h5 h6 header i ins kbd label main map mark nav ol pre q s samp
        section select small span strike strong sub sup table tt u ul var""",
    )
)
"""Elements whose end tag the HTML Standard asks for. `p`, `li`, `td` and their like may lack it."""


class Nesting:
    """The open elements. `report`: called with the position of a wrong tag, and with its text."""

    def __init__(self, report: Callable[[int, str], None]) -> None:
        self._report = report
        self._open: list[tuple[str, int]] = []
        self._counts: dict[str, int] = {}

    def begin(self, name: str, at: int) -> None:
        """Take a begin tag."""
        if name in CLOSED:
            self._open.append((name, at))
            self._counts[name] = self._counts.get(name, 0) + 1

    def end(self, name: str, at: int) -> None:
        """Take an end tag. It closes the elements in it too."""
        if name not in CLOSED:
            return
        if not self._counts.get(name):
            self._report(at, f"</{name}> without its beginning")
            return
        while True:
            opened, begin = self._open.pop()
            self._counts[opened] -= 1
            if opened == name:
                return
            self._report(begin, f"<{opened}> without its end")

    def finish(self) -> None:
        """Report what is still open."""
        for name, begin in self._open:
            self._report(begin, f"<{name}> without its end")
