"""The plugin gives its settings to the listener and to the rules of the dialogs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.log import Log

from rrpy.container.config import Config
from rrpy.smtp_plugin.plugin import SMTPPlugin
from rrpy.smtp_plugin.server.deadlines import Timeouts
from rrpy.smtp_plugin.server.listener import Listener

pytestmark = pytest.mark.anyio


def listener_of(**section: Any) -> Listener:
    plugin = SMTPPlugin()
    pools = SimpleNamespace(new_pool=lambda *args, **options: None)  # no pool starts before `serve`
    plugin.init(Config.from_dict({"smtp": section}), Log(), pools)  # type: ignore[arg-type]
    listener = plugin._new_listener()
    listener.retire()
    return listener


@pytest.mark.parametrize(
    ("section", "timeouts"),
    [
        ({}, Timeouts(read=300, write=10, data=180, rate=50, opening=60)),
        (
            {"read_timeout": "30s", "write_timeout": "2s", "data_timeout": "1h", "min_data_rate": 0},
            Timeouts(read=30, write=2, data=3600, rate=0, opening=30),
        ),
    ],
)
async def test_the_times_are_the_configured_ones(section: dict[str, Any], timeouts: Timeouts) -> None:
    assert listener_of(**section).timeouts == timeouts


@pytest.mark.parametrize(
    ("section", "normalize", "strict"),
    [
        ({}, True, False),
        ({"line_endings": "normalize"}, True, False),
        ({"line_endings": "guard"}, False, False),
        ({"line_endings": "strict"}, False, True),
    ],
)
async def test_the_ends_of_line_are_the_configured_ones(section: dict[str, Any], normalize: bool, strict: bool) -> None:
    rules = listener_of(**section).rules
    assert (rules.normalize, rules.strict) == (normalize, strict)
