"""Jobs for tests that need one, whatever its content."""

from __future__ import annotations

from services.jobs.types import IndexedFile, IndexRequest, IndexResult, NewJob

INDEX_RESULT = IndexResult((IndexedFile("film.mp4", "a" * 64, ""),))


def new_index_job(collection: str | None = "default", webhook: str | None = None) -> NewJob:
    """Return a job that indexes a film."""
    return NewJob(IndexRequest("file:///srv/film.mp4", "film.mp4"), collection, webhook=webhook)
