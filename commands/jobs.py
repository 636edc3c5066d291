"""`rrpy jobs`: the pipelines of a running host, and their dead jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ..container.text import printable, size_text
from .console import fail, say, to_json
from .running import RunningHost

ANSWER_TIMEOUT: Final = 60.0
"""Seconds that a host has for each answer."""
ACTIONS: Final = ("dead", "retry", "purge")
_PAGE: Final = 1000
"""Dead jobs of one call."""


def run_jobs(
    host: RunningHost, action: str | None, pipeline: str | None, changes: Mapping[str, str], *, as_json: bool
) -> None:
    """Do what the arguments ask for. `changes`: `pause`, `resume`, `destroy`, each with a list of names with commas.

    Raises HostError; ends with a sentence for arguments that do not go together.
    """
    if action is None:
        if changes:
            _change_pipelines(host, changes)
        else:
            _show_pipelines(host, as_json=as_json)
    elif pipeline is None:
        fail(f"say the pipeline: rrpy jobs {action} PIPELINE", 2)
    elif changes:
        fail(f"--pause, --resume and --destroy do not go with {action}", 2)
    else:
        _change_dead(host, action, pipeline, as_json=as_json)


def _change_pipelines(host: RunningHost, changes: Mapping[str, str]) -> None:
    with host.connect(ANSWER_TIMEOUT) as client:
        for change, value in changes.items():
            names = [name for each in value.split(",") if (name := each.strip())]
            client.call(f"jobs.{change.capitalize()}", {"pipelines": names})
            for name in names:
                say(printable(f"{name}: {_DONE[change]}"))


_DONE: Final = {"pause": "paused", "resume": "resumed", "destroy": "destroyed"}


def _show_pipelines(host: RunningHost, *, as_json: bool) -> None:
    with host.connect(ANSWER_TIMEOUT) as client:
        stats = client.call("jobs.Stat")["stats"]
    if as_json:
        say(to_json(stats))
        return
    from .pipelines import pipelines_table
    from .table import printed

    say(printed(pipelines_table(stats)) if stats else "This host has no pipelines.")


def _change_dead(host: RunningHost, action: str, pipeline: str, *, as_json: bool) -> None:
    """Print the dead jobs of a pipeline, retry them, or purge them."""
    with host.connect(ANSWER_TIMEOUT) as client:
        if action != "dead":
            count = client.call(f"jobs.{action.capitalize()}", {"pipeline": pipeline})
            say(f"{count:,} job{'' if count == 1 else 's'} {_CHANGED[action]}")
            return
        found: list[dict[str, Any]] = []
        while page := client.call("jobs.Dead", {"pipeline": pipeline, "limit": _PAGE, "after": _last(found)})["jobs"]:
            found += page
    if as_json:
        say(to_json(found))
        return
    for job in found:
        say(_dead_text(job))
    if not found:
        say("No job is dead.")


def _dead_text(job: Mapping[str, Any]) -> str:
    """Return two lines about a dead job."""
    died = datetime.fromtimestamp(job["at"], UTC).isoformat(timespec="seconds")
    attempts = f"{job['attempts']:,} attempt{'' if job['attempts'] == 1 else 's'}"
    head = f"{job['id']}  {job['name']}  {died}  {attempts}  {size_text(job['size'])}"
    return f"{printable(head)}\n  {printable(job['reason'])}"


_CHANGED: Final = {"retry": "in the queue again", "purge": "deleted"}


def _last(found: Sequence[Mapping[str, Any]]) -> str:
    return str(found[-1]["id"]) if found else ""
