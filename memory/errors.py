"""Errors of video memories."""

from __future__ import annotations

from indexer.errors import AfterimageError


class MemoryMismatch(AfterimageError, ValueError):
    """The video's memory was made by another model than the one that is to read it."""
