"""Validation of blob keys against path traversal."""

from __future__ import annotations

from pathlib import PurePosixPath

from indexer.errors import ArtifactError


def validate_key(key: str) -> str:
    """Return a relative key unchanged. Errors: ArtifactError for one that would lead out of the store."""
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts:
        raise ArtifactError(f"{key!r} is not a key")
    return key
