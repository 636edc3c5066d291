"""Keys that RoadRunner has and rrpy has not: an error about one says what to use instead."""

from __future__ import annotations

import pytest

from rrpy.cli import default_plugins
from rrpy.commands.check import models_of
from rrpy.container.config.decode import unknown_key
from rrpy.container.config.model import settings
from rrpy.container.config.roadrunner import KEYS, SECTIONS

KNOWN = ("output", "level", "logs", "listen")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        (
            "http",
            "RoadRunner has it, rrpy does not: run RoadRunner beside rrpy for it (docs/how-to/from-",
        ),
        ("logs.err_output", "RoadRunner has it, rrpy does not: logs.output takes lines of every level"),
        ("logs.channels.rpc.err_output", "RoadRunner has it, rrpy does not: logs.output takes lines of every level"),
        ("smtp.err_output", "did you mean output?"),
        ("log", "did you mean logs?"),
        ("rpc.http", "known are level, listen, logs, output"),
    ],
)
def test_an_unknown_key_of_roadrunner_names_what_to_use(key: str, hint: str) -> None:
    assert unknown_key(key, KNOWN).hint.startswith(hint)


def test_a_key_that_rrpy_has_is_in_no_table() -> None:
    models = models_of(default_plugins())
    assert not set(SECTIONS) & {*models, "version", "plugins"}
    for section, key in KEYS:
        assert key not in {setting.key for setting in settings(models[section])}
