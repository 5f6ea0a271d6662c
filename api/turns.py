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


class Turn:
    """`at_once` pieces of blocking work run in threads, others wait in the order in which they came, `waiting` at most.

    Work that has begun is waited for, also where whoever asked for it is gone: it holds its turn until it has ended.
    """

    def __init__(self, name: str, at_once: int, waiting: int) -> None:
        self._name, self._waiting = name, waiting
        self._limiter = anyio.CapacityLimiter(at_once)

    async def take(self, work: Callable[[], T]) -> T:
        """Do the work in a thread, in turn. Errors: Overloaded, and those of the work."""
        self.check()
        return await to_thread.run_sync(work, limiter=self._limiter)

    def check(self) -> None:
        """Errors: Overloaded where nobody may wait any more."""
        if self.waits >= self._waiting:
            raise Overloaded(f"{self.waits} {self._name} are waiting already; try again soon")

    @property
    def runs(self) -> int:
        """How many run now."""
        return self._limiter.borrowed_tokens

    @property
    def waits(self) -> int:
        """How many wait now."""
        return self._limiter.statistics().tasks_waiting


@dataclass(frozen=True, slots=True)
class Turns:
    """The kinds of work of a server. A stream of an answer holds one of `answers` and nothing else, so that searches,
    pictures and lists go on however many answers are written."""

    searches: Turn
    answers: Turn
    lookups: Turn
    clips: Turn

    @classmethod
    def of(cls, settings: ServeSettings) -> Turns:
        waiting = settings.waiting
        return cls(
            searches=Turn("searches", settings.searches, waiting),
            answers=Turn("questions", settings.answers, waiting),
            lookups=Turn("requests", settings.lookups, waiting),
            clips=Turn("clips", settings.clips, waiting),
        )
