"""Bounded concurrency per kind of work; requests beyond `max_queued` are refused (503)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import TypeVar, TypeVarTuple

import anyio
from anyio import to_thread

from indexer.errors import AfterimageError
from services.settings import ServeSettings

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_RESERVED_THREADS = 40
"""Chosen: anyio's own default, for what holds no slot: media that is streamed, dependencies, writing of uploads."""


class Overloaded(AfterimageError, RuntimeError):
    """More requests wait for a slot than the settings allow."""


class ConcurrencyLimit:
    """Limit on how much blocking work of one kind runs at once; more waits in order of arrival, `max_queued` at most.

    A thread cannot be interrupted: work that has begun keeps its slot until it ends, even where its client is gone.
    """

    def __init__(self, name: str, max_running: int, max_queued: int) -> None:
        self.max_running = max_running
        self._name, self._max_queued = name, max_queued
        self._limiter = anyio.CapacityLimiter(max_running)

    async def run(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run blocking work in a thread, once a slot is free. Errors: Overloaded, and those of the work."""
        self.raise_if_full()
        return await to_thread.run_sync(work, *args, limiter=self._limiter)

    @asynccontextmanager
    async def hold_slot(self) -> AsyncIterator[None]:
        """Hold a slot while the block runs. Errors: Overloaded."""
        self.raise_if_full()
        borrower = object()
        await self._limiter.acquire_on_behalf_of(borrower)
        try:
            yield
        finally:
            self._limiter.release_on_behalf_of(borrower)

    def raise_if_full(self) -> None:
        """Raise Overloaded where `max_queued` requests wait already."""
        if self.waiting >= self._max_queued:
            raise Overloaded(f"{self.waiting} {self._name} are waiting already; try again soon")

    @property
    def running(self) -> int:
        """Number of slots that are taken."""
        return self._limiter.borrowed_tokens

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a slot."""
        return self._limiter.statistics().tasks_waiting


@dataclass(frozen=True, slots=True)
class ConcurrencyLimits:
    """The limits of a server, one for each kind of work.

    An answer that is streamed holds a slot of `answers` and no other, so that searches, pictures and lists go on
    however many answers are being written.
    """

    searches: ConcurrencyLimit
    answers: ConcurrencyLimit
    lookups: ConcurrencyLimit
    clips: ConcurrencyLimit
    query_images: ConcurrencyLimit
    embeddings: ConcurrencyLimit

    @classmethod
    def from_settings(cls, settings: ServeSettings) -> ConcurrencyLimits:
        """Build the limits from the settings of the server."""
        max_queued = settings.max_queued
        return cls(
            searches=ConcurrencyLimit("searches", settings.max_concurrent_searches, max_queued),
            answers=ConcurrencyLimit("questions", settings.max_concurrent_answers, max_queued),
            lookups=ConcurrencyLimit("requests", settings.max_concurrent_lookups, max_queued),
            clips=ConcurrencyLimit("clips", settings.max_concurrent_clips, max_queued),
            query_images=ConcurrencyLimit(
                "pictures of queries", settings.query_image_max_concurrent, settings.query_image_max_queued
            ),
            embeddings=ConcurrencyLimit("requests for embeddings", 1, settings.embedding_max_queued),
        )

    def size_thread_pool(self) -> None:
        """Give the event loop's default thread limiter a thread for every slot, and a reserve.

        FastAPI runs routes that are plain functions under that limiter: with anyio's 40 threads it, and not these
        limits, could be what requests wait for.
        """
        slots = sum(getattr(self, field.name).max_running for field in fields(self))
        to_thread.current_default_thread_limiter().total_tokens = slots + _RESERVED_THREADS
