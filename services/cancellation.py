"""Work that nobody waits for any more ends at its next word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from indexer.errors import AfterimageError

_IS_CANCELLED: ContextVar[Callable[[], bool]] = ContextVar("ended", default=lambda: False)


@contextmanager
def cancel_when(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """What is done inside, in this thread, ends with Stopped at the first `check` after `ended` has become true."""
    token = _IS_CANCELLED.set(is_cancelled)
    try:
        yield
    finally:
        _IS_CANCELLED.reset(token)


def raise_if_cancelled() -> None:
    """To be called between words, pages and the like. Errors: Stopped."""
    if _IS_CANCELLED.get()():
        raise Cancelled("nobody waits for this any more")


class Cancelled(AfterimageError, RuntimeError):
    """The work was given up because nobody waits for it any more."""
