"""Cooperative cancellation: work that its caller no longer waits for ends at its next check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from indexer.errors import AfterimageError

_IS_CANCELLED: ContextVar[Callable[[], bool]] = ContextVar("is_cancelled", default=lambda: False)


@contextmanager
def cancel_when(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Cancel the work inside, in this thread, at its first `raise_if_cancelled` after `is_cancelled` returns True."""
    token = _IS_CANCELLED.set(is_cancelled)
    try:
        yield
    finally:
        _IS_CANCELLED.reset(token)


def raise_if_cancelled() -> None:
    """Raise Cancelled if the work of this thread is cancelled; call it between tokens, pages and the like."""
    if _IS_CANCELLED.get()():
        raise Cancelled("nobody waits for this any more")


class Cancelled(AfterimageError, RuntimeError):
    """The work was cancelled because its caller no longer waits for it."""
