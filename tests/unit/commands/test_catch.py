"""The configuration of `rrpy catch`."""

from __future__ import annotations

from support.log import Log

from rrpy.commands.catch import configuration
from rrpy.container.config import Config
from rrpy.inbox.plugin import InboxPlugin


def test_the_option_that_names_an_address_permits_it() -> None:
    config = configuration("localhost:1025", "0.0.0.0:8025", "", None, verbose=False)
    InboxPlugin().init(Config.from_dict(config, "the command line"), Log())
