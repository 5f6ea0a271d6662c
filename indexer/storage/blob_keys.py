"""What may be the key of a blob."""

from __future__ import annotations

from pathlib import PurePosixPath

from indexer.errors import ArtifactError


def validate_key(key: str) -> str:
    """Errors: ArtifactError for a key that would lead out of the store."""
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts:
        raise ArtifactError(f"{key!r} is not a key")
    return key
