"""A host without descriptors: it says so once, keeps none, and starts workers again when it has some."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from support.log import Log
from support.waiting import until
from support.worker_pool.descriptors import descriptors_left
from support.worker_pool.pools import beast, pool

from rrpy.worker_pool import Payload
from rrpy.worker_pool.errors import NoDescriptors, WorkerBootError

pytestmark = pytest.mark.anyio


CHANNELS = 3
"""Descriptors that the host has for a worker: its stdin, stdout and stderr."""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.backoff.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("rrpy.worker_pool.backoff.MAX_PAUSE", 0.001)


@pytest.mark.parametrize("left", [1, 3, 5, 7, 9, 11])
async def test_starts_that_fail_for_want_of_descriptors_keep_none_and_are_logged_once(left):
    log = Log()
    async with pool(beast("pids"), log, num_workers=1) as workers:
        (worker,) = workers.workers()
        with descriptors_left(left) as limit:
            before = psutil.Process().num_fds()
            os.kill(worker.pid, signal.SIGKILL)
            await log.seen("workers keep dying, next start after a pause", 10)
            assert psutil.Process().num_fds() == before - CHANNELS
        await until(lambda: workers.ready, "a worker that starts")
        assert (await workers.exec(Payload())).body
        errors = log.of("error")
    assert [(message, keys["limit"]) for message, keys in errors] == [("worker did not come up", limit)]
    assert f"no descriptors are left (the limit of the process is {limit})" in errors[0][1]["error"]


async def test_a_pool_that_cannot_start_for_want_of_descriptors_says_so_in_one_sentence():
    with descriptors_left(5), pytest.raises(WorkerBootError, match="no descriptors are left") as caught:
        async with pool(beast("pids"), num_workers=2):
            pytest.fail("the pool came up")
    assert isinstance(caught.value, NoDescriptors)
