"""Errors of video memories."""

from __future__ import annotations

from indexer.errors import AfterimageError


class MemoryMismatch(AfterimageError, ValueError):
    """A video's memory was made by another model than the one that wants it."""
