"""The table of `rrpy workers`: ages, colours, columns."""

from __future__ import annotations

import pytest
from support.commands.views import NOW, STAT, drawn, row

from rrpy.commands.pipelines import pipelines_table
from rrpy.commands.table import STYLES, age_text, workers_table, workers_view
from rrpy.worker_pool.states import TRANSITIONS, State


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s ago"),
        (0.9, "0 s ago"),
        (59.9, "59 s ago"),
        (60, "1 minute ago"),
        (119, "1 minute ago"),
        (120, "2 minutes ago"),
        (3600, "1 hour ago"),
        (86399, "23 hours ago"),
        (86400, "1 day ago"),
        (1234 * 86400, "1,234 days ago"),
    ],
)
def test_an_age_is_written_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def test_every_state_has_its_colour() -> None:
    assert set(STYLES) == {state.text for state in State}
    assert STYLES["ready"] == "green"
    assert STYLES["working"] == "cyan"
    leaving = {"stopping", "maxJobsReached", "idleTTLReached", "ttlReached", "maxMemoryReached"}
    assert {state for state, style in STYLES.items() if style == "yellow"} == leaving
    dead = {state.text for state, after in TRANSITIONS.items() if not after} | {"invalid", "execTTLReached"}
    assert {state for state, style in STYLES.items() if style == "red"} == dead


def test_a_state_is_written_in_its_colour() -> None:
    table = workers_table([row(status=State.WORKING), row(status=State.ERRORED)], NOW)
    text = drawn(table, colours=True)
    assert "\x1b[36mworking\x1b[0m" in text
    assert "\x1b[31merrored" in text
    assert "\x1b" not in drawn(table)


def test_a_state_that_is_not_ours_is_written_all_the_same() -> None:
    assert "[red]napping" in drawn(workers_table([row(statusStr="[red]napping")], NOW))


def test_the_columns_are_roadrunners() -> None:
    workers = [row(pid=7, numExecs=12345, memoryUsage=1500, CPUPercent=12.3456)]
    head, _, line = (text for text in drawn(workers_table(workers, NOW)).splitlines() if text)
    assert head.split() == ["PID", "STATUS", "EXECS", "MEMORY", "CPU%", "CREATED"]
    assert line.split() == ["7", "ready", "12,345", "1.5", "KB", "12.35", "5", "s", "ago"]


def test_every_plugin_has_its_table_under_its_name() -> None:
    text = drawn(workers_view({"smtp": [row(pid=11)], "[http]": [row(pid=22)], "idle": []}, [], NOW))
    assert text.index("Workers of smtp:") < text.index("11 ") < text.index("Workers of [http]:") < text.index("22 ")
    assert text.endswith("idle has no workers.")


def test_without_plugins_it_says_so() -> None:
    assert drawn(workers_view({}, [], NOW)) == "No plugin of this host owns workers."


def test_pipelines_are_the_last_table_also_without_workers() -> None:
    lines = drawn(workers_view({}, [STAT], NOW)).splitlines()
    assert lines[:2] == ["No plugin of this host owns workers.", "Pipelines of jobs:"]
    head, _, line = (text for text in lines[2:] if text)
    assert head.split() == [
        *("STATUS", "PIPELINE", "DRIVER", "QUEUE", "PRIORITY", "WAITING", "DELAYED", "RUNNING", "DEAD")
    ]
    assert line.split() == ["READY", "mail", "sqlite", "spool/mail.db", "10", "1,234", "2", "3", "4"]
    assert "Pipelines" not in drawn(workers_view({"smtp": [row()]}, [], NOW))


def test_a_pipeline_has_the_colour_of_its_status_and_its_texts_do_no_harm() -> None:
    hostile = {"pipeline": "[red]x\x1b[2J", "driver": "a\nb", "queue": "\u202eq"}
    for keys, start in (
        ({}, "\x1b[32mREADY"),
        ({"ready": False}, "\x1b[33mPAUSED"),
        ({"ready": False, "connected": False}, "\x1b[31mAWAY"),
    ):
        assert start in drawn(pipelines_table([STAT | keys]), colours=True)
    text = drawn(pipelines_table([STAT | hostile]), width=200)
    assert r"[red]x\x1b[2J" in text
    assert r"a\nb" in text
    assert "\u202e" not in text
    assert "PAUSED" in drawn(pipelines_table([{"pipeline": "of another plugin"}]))
