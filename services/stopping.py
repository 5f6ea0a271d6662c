"""Work that nobody waits for any more ends at its next word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from indexer.errors import Stopped

_ENDED: ContextVar[Callable[[], bool]] = ContextVar("ended", default=lambda: False)


@contextmanager
def until(ended: Callable[[], bool]) -> Iterator[None]:
    """What is done inside, in this thread, ends with Stopped at the first `check` after `ended` has become true."""
    token = _ENDED.set(ended)
    try:
        yield
    finally:
        _ENDED.reset(token)


def check() -> None:
    """To be called between words, pages and the like. Errors: Stopped."""
    if _ENDED.get()():
        raise Stopped("nobody waits for this any more")
