"""The states of a queue, against a model: any order of pushes, pulls and settlements, for the drivers that sort."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from support.jobs.model import QueueMachine
from support.jobs.places import Place

from rrpy.jobs.drivers.memory import MemoryDriver
from rrpy.jobs.drivers.sqlite.driver import SQLiteDriver


class MemoryMachine(QueueMachine):
    def make(self, folder: Path) -> Place:
        return Place(MemoryDriver, {}, durable=False)


class SpoolMachine(QueueMachine):
    durable = True

    def make(self, folder: Path) -> Place:
        return Place(SQLiteDriver, {"file": str(folder / "smtp.db")}, durable=True)


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=40, stateful_step_count=40)
TestSQLite = SpoolMachine.TestCase
TestSQLite.settings = settings(max_examples=10, stateful_step_count=30)
