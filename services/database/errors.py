"""Errors of the database and of idempotency keys."""

from __future__ import annotations

from indexer.errors import AfterimageError


class DatabaseUnavailable(AfterimageError, ConnectionError):
    """The database server cannot be reached, is too busy, or breaks off."""


class IdempotencyConflict(AfterimageError, RuntimeError):
    """A request under a name that another one has, or that is being answered right now."""
