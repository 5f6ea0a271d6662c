"""Progress and cancellation of MCP tool calls whose work runs in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import from_thread
from mcp.server.mcpserver import Context
from starlette.requests import Request

from services.cancellation import cancel_when

T = TypeVar("T")
ToolContext = Context[Any, Request]
ReportProgress = Callable[[float, float | None, str], None]


def run_cancellable(work: Callable[[], T]) -> T:
    """Run the work of a tool call; once the call is cancelled, it stops at its next cancellation check."""
    with cancel_when(_is_cancelled):
        return work()


def make_progress_reporter(context: ToolContext) -> ReportProgress:
    """Return a callback that reports progress from a tool's thread; it raises where the call is cancelled."""

    def report(done: float, total: float | None, message: str) -> None:
        from_thread.check_cancelled()
        from_thread.run(context.report_progress, done, total, message)

    return report


def _is_cancelled() -> bool:
    """Raise the cancellation of the call; return False where it is not cancelled."""
    from_thread.check_cancelled()
    return False
