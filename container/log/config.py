"""The section `logs` of rr.yaml, and the levels as numbers."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from ..config.fields import shown_default

DEBUG, INFO, WARNING, ERROR, OFF = 10, 20, 30, 40, 100
LEVELS: Final = {"debug": DEBUG, "info": INFO, "warn": WARNING, "warning": WARNING, "error": ERROR}
"""The numbers of the levels in rr.yaml."""
LEVEL_NAMES: Final = {DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error"}
"""The words for the levels in a line."""

Mode = Literal["development", "production", "raw", "none", "off"]
Level = Literal["debug", "info", "warn", "warning", "error"]
Encoding = Literal["console", "json"]


_Mode = Annotated[
    Mode | None,
    Meta(description="`production` is level info as JSON, `raw` the message alone, `none` and `off` nothing"),
]
_Level = Annotated[Level | None, Meta(description="the lowest level to write; in the mode `production` info")]
_Encoding = Annotated[
    Encoding | None, Meta(description="`console` is for people, `json` for programs; in the mode `production` json")
]
_Output = Annotated[str | list[str] | None, Meta(description="`stderr`, `stdout`, a file's path, or a list of them")]


class ChannelConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One channel of the log. A key that is absent is as in the section `logs`, or as the mode says."""

    mode: _Mode = None
    level: _Level = None
    encoding: _Encoding = None
    output: _Output = None


class LogConfig(ChannelConfig, frozen=True, forbid_unknown_fields=True):
    """The log. Without the section it is for people: every line, on stderr."""

    # None is for the mode to decide; what is shown holds for the mode that is the default.
    mode: Annotated[_Mode, shown_default("development")] = None
    level: Annotated[_Level, shown_default("debug")] = None
    encoding: Annotated[_Encoding, shown_default("console")] = None
    output: Annotated[_Output, shown_default("stderr")] = None
    channels: Annotated[
        dict[str, ChannelConfig], Meta(description="the keys that differ for one plugin: `{smtp: {level: info}}`")
    ] = {}
