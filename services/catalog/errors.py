"""Errors of the catalog: collections that are missing, exist already, or are in use."""

from __future__ import annotations

from indexer.errors import AfterimageError


class CollectionNotFound(AfterimageError, LookupError):
    """No collection of that name."""


class CollectionExists(AfterimageError, ValueError):
    """A collection of that name is there already."""


class CollectionInUse(AfterimageError, RuntimeError):
    """A collection that holds assets cannot go."""
