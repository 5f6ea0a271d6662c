"""Errors of the catalog: collections that are missing, exist already, or are in use."""

from __future__ import annotations

from indexer.errors import AfterimageError


class CollectionNotFound(AfterimageError, LookupError):
    """No collection has this name, or none that the caller may see."""


class CollectionExists(AfterimageError, ValueError):
    """A collection with this name exists already."""


class CollectionInUse(AfterimageError, RuntimeError):
    """A collection that holds assets cannot be deleted."""
