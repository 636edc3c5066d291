"""The states of a queue on a real server, against the model of tests/property/test_jobs_model.py."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from support.jobs.model import QueueMachine
from support.jobs.nats_server import nats_server
from support.jobs.places import Place

from rrpy.jobs.drivers.nats.config import NatsConfig
from rrpy.jobs.drivers.nats.driver import NatsDriver


class NatsMachine(QueueMachine):
    """A stream of its own for each example. The server knows an id for two minutes, and its figures are late."""

    durable = True
    remembers = True
    counts = False
    address: ClassVar[str]
    numbers: ClassVar = count()

    def make(self, folder: Path) -> Place:
        servers = NatsConfig(addr=self.address)
        return Place(lambda: NatsDriver(servers), {"stream": f"model-{next(self.numbers)}"}, durable=True)


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        NatsMachine.address = running.address
        yield


TestNats = NatsMachine.TestCase
TestNats.settings = settings(max_examples=5, stateful_step_count=30)
