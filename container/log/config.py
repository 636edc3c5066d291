"""The section `logs` of rr.yaml, and the levels as numbers."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

DEBUG, INFO, WARNING, ERROR, OFF = 10, 20, 30, 40, 100
LEVELS: Final = {"debug": DEBUG, "info": INFO, "warn": WARNING, "warning": WARNING, "error": ERROR}
"""The numbers of the levels in rr.yaml."""
LEVEL_NAMES: Final = {DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error"}
"""The words for the levels in a line."""

Mode = Literal["development", "production", "raw", "none", "off"]
Level = Literal["debug", "info", "warn", "warning", "error"]
Encoding = Literal["console", "json"]


class ChannelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One channel of the log, or the whole: what is absent is taken from the mode, or from the whole.

    `mode`: development (level debug, for people), production (level info, JSON), raw (the message alone), none or off.
    `level`: the lowest that is written. `encoding`: console (for people) or json (one object a line).
    `output`: stderr, stdout, a file's path, or a list of them.
    """

    mode: Mode | None = None
    level: Level | None = None
    encoding: Encoding | None = None
    output: str | list[str] | None = None


class LogConfig(ChannelConfig, frozen=True, forbid_unknown_fields=True):
    """The log. `channels`: a plugin's name -> the keys that are different for it."""

    channels: dict[str, ChannelConfig] = {}
