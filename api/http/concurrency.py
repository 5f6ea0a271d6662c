"""Turns: how much of one kind of work runs at once, so that slow work does not starve what is quick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio import to_thread

from indexer.errors import AfterimageError
from services.settings import ServeSettings

T = TypeVar("T")


class Overloaded(AfterimageError, RuntimeError):
    """More is waiting for its turn than the settings allow."""


class ConcurrencyLimit:
    """`at_once` pieces of blocking work run in threads, others wait in the order in which they came, `waiting` at most.

    Work that has begun is waited for, also where whoever asked for it is gone: it holds its turn until it has ended.
    """

    def __init__(self, name: str, max_running: int, max_queued: int) -> None:
        self._name, self._max_queued = name, max_queued
        self._limiter = anyio.CapacityLimiter(max_running)

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread, in turn. Errors: Overloaded, and those of the work."""
        self.raise_if_full()
        return await to_thread.run_sync(work, limiter=self._limiter)

    def raise_if_full(self) -> None:
        """Errors: Overloaded where nobody may wait any more."""
        if self.waiting >= self._max_queued:
            raise Overloaded(f"{self.waiting} {self._name} are waiting already; try again soon")

    @property
    def running(self) -> int:
        """How many run now."""
        return self._limiter.borrowed_tokens

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._limiter.statistics().tasks_waiting


@dataclass(frozen=True, slots=True)
class ConcurrencyLimits:
    """The kinds of work of a server. A stream of an answer holds one of `answers` and nothing else, so that searches,
    pictures and lists go on however many answers are written."""

    searches: ConcurrencyLimit
    answers: ConcurrencyLimit
    lookups: ConcurrencyLimit
    clips: ConcurrencyLimit

    @classmethod
    def from_settings(cls, settings: ServeSettings) -> ConcurrencyLimits:
        max_queued = settings.max_queued
        return cls(
            searches=ConcurrencyLimit("searches", settings.max_concurrent_searches, max_queued),
            answers=ConcurrencyLimit("questions", settings.max_concurrent_answers, max_queued),
            lookups=ConcurrencyLimit("requests", settings.max_concurrent_lookups, max_queued),
            clips=ConcurrencyLimit("clips", settings.max_concurrent_clips, max_queued),
        )
