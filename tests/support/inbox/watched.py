"""A store whose operations a test sees and holds up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from support.waiting import TIMEOUT

from rrpy.inbox.records import MessageList, Record
from rrpy.inbox.store.store import Batch, Found, Store


class Watched(Store):
    """A store that notes its operations. `gate`: the first operation waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def add(self, *records: Record) -> Batch:
        return self._noted("add", lambda: super(Watched, self).add(*records))

    def list_messages(self, **options: Any) -> MessageList:
        return self._noted("list", lambda: super(Watched, self).list_messages(**options))

    def find(self, *place: Any, **options: Any) -> Found:
        return self._noted("find", lambda: super(Watched, self).find(*place, **options))

    def _noted(self, name: str, work: Callable[[], Any]) -> Any:
        self.begun.set()
        assert self.gate.wait(TIMEOUT)
        self.done.append(name)
        return work()
