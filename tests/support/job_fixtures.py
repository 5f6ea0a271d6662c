"""Jobs as tests ask for them."""

from __future__ import annotations

from services.jobs.types import IndexedFile, IndexRequest, IndexResult, NewJob

INDEX_RESULT = IndexResult((IndexedFile("film.mp4", "a" * 64, ""),))


def new_index_job(collection: str | None = "default", webhook: str | None = None) -> NewJob:
    """To take a film in."""
    return NewJob(IndexRequest("file:///srv/film.mp4", "film.mp4"), collection, webhook=webhook)
