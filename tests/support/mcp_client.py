"""Sessions of the official client of the Model Context Protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias, TypeVar

import anyio
import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from tests.support.small_archive import WITHOUT_MODELS
from tests.support.waiting import TIMEOUT_S, wait_for

T = TypeVar("T")
Progress: TypeAlias = tuple[float, float | None, str | None]
"""Done, of how much (None: not known), and a message."""


@dataclass
class McpSession:
    """Client session, with the progress that its calls reported."""

    client: Client
    progress: list[Progress] = field(default_factory=list)
    _reported: anyio.Event = field(default_factory=anyio.Event)

    async def call(self, tool: str, **arguments: object) -> CallToolResult:
        """Call a tool; gives its result, an error too."""
        return await self.client.call_tool(tool, arguments, progress_callback=self._record_progress)

    async def call_structured(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Call a tool; gives the structured content of its result, which must be no error."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return result.structured_content

    async def call_for_error(self, tool: str, **arguments: object) -> str:
        """Call a tool that must fail; gives the message that the model reads."""
        result = await self.call(tool, **arguments)
        assert result.is_error and result.structured_content is None
        (content,) = result.content
        assert content.type == "text"
        return content.text.removeprefix(f"Error executing tool {tool}: ")

    async def _record_progress(self, done: float, total: float | None, message: str | None) -> None:
        self.progress.append((done, total, message))
        self._reported.set()
        self._reported = anyio.Event()

    async def wait_for_progress(self, expected: Progress) -> None:
        """Wait until a call has reported this progress."""
        with anyio.fail_after(TIMEOUT_S):
            while expected not in self.progress:
                await self._reported.wait()


def mcp_command(home: Path, **settings: str) -> StdioServerParameters:
    """Return the command that runs `afterimage mcp` over a home."""
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
    """Connect to a server in a process of its own."""
    async with Client(server, mode=mode) as client:
        yield McpSession(client)


@asynccontextmanager
async def connect_http(url: str, secret: str = "", mode: str = "auto") -> AsyncIterator[McpSession]:
    """Connect to a live server, with a key or without one."""
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_S) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield McpSession(client)


async def wait_in_thread(event: Event, description: str) -> None:
    """Wait for an event of another thread while the conversation goes on."""
    await anyio.to_thread.run_sync(wait_for, event, description, abandon_on_cancel=True)


def run_conversation(conversation: Callable[[], Awaitable[T]]) -> T:
    """Run a conversation to its end."""
    return anyio.run(conversation)
