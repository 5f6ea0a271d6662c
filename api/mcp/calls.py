"""A call of a tool while blocking work is done for it in a thread: it is told of progress, and may be given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import from_thread
from mcp.server.mcpserver import Context
from starlette.requests import Request

from services.stopping import until

T = TypeVar("T")
Call = Context[Any, Request]
Report = Callable[[float, float | None, str], None]


def until_given_up(work: Callable[[], T]) -> T:
    """The work; where its call is cancelled, it ends at its next word."""
    with until(_cancelled):
        return work()


def reporter(call: Call) -> Report:
    """Reports progress from the thread of a tool, which ends there where its call is cancelled."""

    def report(done: float, total: float | None, message: str) -> None:
        from_thread.check_cancelled()
        from_thread.run(call.report_progress, done, total, message)

    return report


def _cancelled() -> bool:
    from_thread.check_cancelled()  # raises
    return False
