"""Errors of the database and of idempotency keys."""

from __future__ import annotations

from indexer.errors import AfterimageError


class DatabaseUnavailable(AfterimageError, ConnectionError):
    """The database server cannot be reached, is too busy, or closed the connection."""


class IdempotencyConflict(AfterimageError, RuntimeError):
    """An idempotency key belongs to another request, or its request is still being processed."""
