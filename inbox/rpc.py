"""The inbox's methods on the RPC bus, served under its name: `inbox.Wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import anyio.to_thread
import msgspec

from ..container.errors import HostError

if TYPE_CHECKING:
    from .mailbox import Mailbox

from .wait_request import WaitFailed, WaitRequest, wait


class Serving(Protocol):
    """The plugin. `mailbox`: raises HostError while there is none."""

    @property
    def mailbox(self) -> Mailbox: ...  # noqa: D102 - described by the class


class InboxRPC:
    """The methods, for tests and for workers."""

    def __init__(self, inbox: Serving) -> None:
        self._inbox = inbox

    async def wait(self, request: WaitRequest | bool) -> Any:
        """Return the message that fits, as `GET /wait` has it; with `count` a list, with `none` null.

        `true`, the argument of a call without one, asks for any message. The error says what came instead.
        """
        wanted = WaitRequest() if isinstance(request, bool) else request
        mailbox = self._inbox.mailbox
        try:
            found = await wait(mailbox, wanted)
        except WaitFailed as failed:
            raise HostError(failed.report()) from None
        messages = []
        for each in found:
            stored = each.message or await mailbox.read(each.id)
            if stored is None:
                raise HostError("the message that fits was deleted")
            messages.append(msgspec.json.decode(await anyio.to_thread.run_sync(stored.detail)))
        return messages if wanted.count is not None else messages[0] if messages else None
