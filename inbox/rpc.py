"""The inbox's methods on the RPC bus, served under its name: `inbox.Wait` and the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio.to_thread
import msgspec

from ..container.errors import HostError
from ..mime.message import Message, parse

if TYPE_CHECKING:
    from .mailbox import Mailbox

from .wait_request import WaitFailed, WaitRequest, wait

LATEST: Final = "latest"
"""Stands for the id of the newest message."""


class Serving(Protocol):
    """The plugin. `mailbox`: raises HostError while there is none."""

    @property
    def mailbox(self) -> Mailbox: ...  # noqa: D102 - described by the class


class LinksRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The links of a message. Without a condition all."""

    id: str = LATEST
    text: str | None = None
    host: str | None = None
    pattern: str | None = None


class CodeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code of a message. `length`: its characters; `pattern`: an expression of RE2 that the whole code fits."""

    id: str = LATEST
    length: int | None = None
    pattern: str | None = None


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

    async def links(self, request: LinksRequest | bool) -> Any:
        """Return the links of a message; with a condition the one that fits. The error lists the links."""
        from ..mime.extract.links import LinkError, link_of, links_of

        wanted = LinksRequest() if isinstance(request, bool) else request
        message = await self._message(wanted.id)
        if wanted.text is wanted.host is wanted.pattern is None:
            return await anyio.to_thread.run_sync(links_of, message)
        try:
            return [await anyio.to_thread.run_sync(link_of, message, wanted.text, wanted.host, wanted.pattern)]
        except LinkError as error:
            raise HostError(str(error)) from None

    async def code(self, request: CodeRequest | bool) -> str:
        """Return the code of a message: of a sign-in, a confirmation, a second factor. The error lists candidates."""
        from ..mime.extract.codes import CodeError, code_of  # a host without such calls does not load its words

        wanted = CodeRequest() if isinstance(request, bool) else request
        message = await self._message(wanted.id)
        try:
            return await anyio.to_thread.run_sync(code_of, message, wanted.length, wanted.pattern)
        except CodeError as error:
            raise HostError(str(error)) from None

    async def _message(self, message_id: str) -> Message:
        stored = await self._inbox.mailbox.read(message_id)
        if stored is None:
            raise HostError("the inbox is empty" if message_id == LATEST else f"there is no message {message_id}")
        return await anyio.to_thread.run_sync(parse, stored.content)
