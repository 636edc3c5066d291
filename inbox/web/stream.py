"""The feed as a response: text/event-stream (html.spec.whatwg.org, 9.2), until its reader or the host leaves."""

from __future__ import annotations

from contextlib import aclosing

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..feed import Feed
from .disconnect import cancel_on_disconnect

TYPE = "text/event-stream"


class EventStream(Response):
    """Follows the feed, beginning after the event `last_event_id`. Its reader sets the pace.

    `mailbox`: the one that the reader follows, None for all.
    """

    media_type = TYPE
    charset = "utf-8"

    def __init__(self, feed: Feed, last_event_id: str, mailbox: str | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._last_event_id = last_event_id
        self._mailbox = mailbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events."""
        following = self._feed.follow(self._last_event_id, self._mailbox)
        async with anyio.create_task_group() as group, aclosing(following) as events:
            group.start_soon(cancel_on_disconnect, receive, group.cancel_scope)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()
