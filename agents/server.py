"""The tools as a server of the Model Context Protocol, with the official SDK: over stdio, and for one HTTP request.

The server keeps nothing between two requests. So any host answers any request, and nothing is left to end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..container.version import VERSION
from .api import connected
from .calls import CALLS, Call, call_tool, description_of, may_write, schema_of
from .protocols import Inbox, ToolFailed
from .results import Result, failure_of
from .untrusted import NOTICE

INSTRUCTIONS: Final = f"The mail that this program has caught. No mail left this machine. {NOTICE}"

InboxOf = Callable[[Request | None], Inbox]
"""Gives the inbox for an HTTP request, whose login counts; None for stdio."""


def new_server(inbox_of: InboxOf) -> Server[Any]:
    """Return a server."""

    async def list_tools(context: Any, _: Any) -> types.ListToolsResult:
        try:
            writes = await may_write(inbox_of(context.request))
        except ToolFailed:
            writes = False  # a client asks once, and the inbox may come later: each call says why it fails
        return types.ListToolsResult(
            tools=[_tool(name, call) for name, call in CALLS.items() if writes or not call.writes]
        )

    async def call(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            result = await call_tool(inbox_of(context.request), params.name, params.arguments or {})
        except ToolFailed as error:
            return _result(failure_of(error), failed=True)
        return _result(result)

    return Server("rrpy", version=VERSION, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call)


def _result(result: Result, *, failed: bool = False) -> types.CallToolResult:
    text = types.TextContent(text=result.text)
    return types.CallToolResult(content=[text], structured_content=dict(result.data), is_error=failed)


def _tool(name: str, call: type[Call]) -> types.Tool:
    return types.Tool(
        name=name,
        description=description_of(call),
        input_schema=schema_of(call),
        annotations=types.ToolAnnotations(
            read_only_hint=not call.writes, destructive_hint=call.writes, open_world_hint=True
        ),
    )


async def answer_request(server: Server[Any], scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request of a client, with JSON. Nothing of it is left after the return."""
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(scope, receive, send)


def serve_stdio(url: str, token: str) -> None:
    """Serve the tools for the inbox at a URL on stdin and stdout, until stdin ends. Raises ToolFailed."""

    async def serve() -> None:
        async with connected(url, token) as inbox, stdio_server() as (read, write):
            server = new_server(lambda _: inbox)
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)
