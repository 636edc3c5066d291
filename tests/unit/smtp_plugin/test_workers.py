"""The SMTP plugin's workers, as `informer` and `resetter` see them while no pool is up."""

from __future__ import annotations

import pytest

from rrpy.smtp_plugin.plugin import SMTPPlugin
from rrpy.smtp_plugin.workers_manager import WorkersManager
from rrpy.worker_pool import PoolError, Resettable, Scalable, WorkerOwner

pytestmark = pytest.mark.anyio


def test_the_plugin_can_be_shown_reset_and_scaled() -> None:
    for protocol in (WorkerOwner, Resettable, Scalable):
        assert isinstance(SMTPPlugin(), protocol)


def test_without_a_pool_there_is_nothing_to_show() -> None:
    assert WorkersManager().workers() == []
    assert WorkersManager().pool_info() is None


async def test_without_a_pool_a_reset_has_nothing_to_do() -> None:
    await WorkersManager().reset()


async def test_without_a_pool_adding_and_removing_is_a_clear_error() -> None:
    for change in (WorkersManager().add_worker, WorkersManager().remove_worker):
        with pytest.raises(PoolError, match=r"^the workers are not up: the plugin is starting or stopping$"):
            await change()
