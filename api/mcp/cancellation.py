"""A call of a tool while blocking work is done for it in a thread: it is told of progress, and may be given up."""

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
    """The work; where its call is cancelled, it ends at its next word."""
    with cancel_when(_is_cancelled):
        return work()


def make_progress_reporter(context: ToolContext) -> ReportProgress:
    """Reports progress from the thread of a tool, which ends there where its call is cancelled."""

    def report(done: float, total: float | None, message: str) -> None:
        from_thread.check_cancelled()
        from_thread.run(context.report_progress, done, total, message)

    return report


def _is_cancelled() -> bool:
    from_thread.check_cancelled()  # raises
    return False
