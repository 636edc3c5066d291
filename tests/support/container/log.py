"""A channel of the log that keeps its lines, for tests that look at what was logged."""

from __future__ import annotations


class Lines:
    """Satisfies the Logger protocol; `lines` holds (level, message, keys)."""

    def __init__(self, level: str = "DEBUG") -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []
        self._debug = level == "DEBUG"

    def debug(self, message: str, /, **keys: object) -> None:
        self.lines.append(("DEBUG", message, keys))

    def info(self, message: str, /, **keys: object) -> None:
        self.lines.append(("INFO", message, keys))

    def warning(self, message: str, /, **keys: object) -> None:
        self.lines.append(("WARNING", message, keys))

    def error(self, message: str, /, **keys: object) -> None:
        self.lines.append(("ERROR", message, keys))

    def exception(self, message: str, /, **keys: object) -> None:
        self.lines.append(("EXCEPTION", message, keys))

    def enabled(self, level: str) -> bool:
        return level != "DEBUG" or self._debug

    def named(self, message: str) -> list[dict[str, object]]:
        """Return the keys of every line with this message."""
        return [keys for _, said, keys in self.lines if said == message]
