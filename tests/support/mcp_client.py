"""Conversations with the official client of the Model Context Protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from tests.support.small_archive import WITHOUT_MODELS

T = TypeVar("T")


@dataclass
class McpSession:
    """A client, and the progress that it was told of."""

    client: Client
    progress: list[tuple[float, float | None, str | None]] = field(default_factory=list)

    async def call(self, tool: str, **arguments: object) -> CallToolResult:
        """What a tool gives, an error too."""
        return await self.client.call_tool(tool, arguments, progress_callback=self._record_progress)

    async def call_structured(self, tool: str, **arguments: object) -> dict[str, Any]:
        """The structured part of what a tool gives; it must be no error."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return result.structured_content

    async def call_for_error(self, tool: str, **arguments: object) -> str:
        """What the model reads of an error."""
        result = await self.call(tool, **arguments)
        assert result.is_error and result.structured_content is None
        (content,) = result.content
        assert content.type == "text"
        return content.text.removeprefix(f"Error executing tool {tool}: ")

    async def _record_progress(self, done: float, total: float | None, message: str | None) -> None:
        self.progress.append((done, total, message))


def mcp_command(home: Path, **settings: str) -> StdioServerParameters:
    """`afterimage mcp` over a home, in a process of its own."""
    settings = WITHOUT_MODELS | settings | {"home": str(home), "profile": "demo"}
    variables = {f"AFTERIMAGE_{name.upper()}": value for name, value in settings.items()}
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "api.cli", "mcp"],
        env=variables | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )


@asynccontextmanager
async def connect_stdio(server: StdioServerParameters, mode: str = "auto") -> AsyncIterator[McpSession]:
    """With a process of its own."""
    async with Client(server, mode=mode) as client:
        yield McpSession(client)


@asynccontextmanager
async def connect_http(url: str, secret: str = "", mode: str = "auto") -> AsyncIterator[McpSession]:
    """With a live server, with a key or without one."""
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield McpSession(client)


def run_conversation(conversation: Callable[[], Awaitable[T]]) -> T:
    """Run a conversation to its end."""
    return anyio.run(conversation)
