"""Values of the catalog: assets, sources, and names of collections."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.errors import InvalidInput
from indexer.types import AssetKind
from services.database.text import sanitize

_MAX_NAME_LENGTH = 200
"""Source: the width of the name columns in services/database/schema.py."""


@dataclass(frozen=True, slots=True)
class Asset:
    """Asset in the catalog. `sampled_frames` counts frames, `file_time` and `indexed_at` are Unix times.

    `name` and `file_time` are those of its first source, by collection and URI, in the requested collections; sources
    whose files are there come first. `missing_since` is the Unix time since when the files of all these sources are
    gone, None as long as one is there.
    """

    asset_id: str
    version: str
    kind: AssetKind
    name: str
    duration_s: float | None
    pages: int | None
    width: int | None
    height: int | None
    file_time: float | None
    segments: int
    sampled_frames: int
    warnings: tuple[str, ...]
    indexed_at: float
    missing_since: float | None = None

    @property
    def sampled_fps(self) -> float | None:
        """Sampled frames per second of a video; None without a duration or pictures."""
        return round(self.sampled_frames / self.duration_s, 4) if self.duration_s and self.width else None


@dataclass(frozen=True, slots=True)
class Source:
    """Source of an asset in a collection.

    `uri` is its location, `state` the fingerprint of its files when indexed, `name` its name for display, `file_time`
    the Unix time of its file, `missing_since` the Unix time at which its file was first found to be gone.
    """

    collection: str
    uri: str
    asset_id: str
    state: str
    name: str
    file_time: float | None
    missing_since: float | None = None


def validate_collection_name(collection: str) -> str:
    """Return a collection's name if valid: 1 to 200 printable characters without a slash. Errors: InvalidInput."""
    if not collection.strip() or len(collection) > _MAX_NAME_LENGTH:
        raise InvalidInput(f"a collection's name has 1 to {_MAX_NAME_LENGTH} characters")
    if not collection.isprintable() or "/" in collection or collection in (".", ".."):
        raise InvalidInput(f"{sanitize(collection)!r} cannot be a collection's name")
    return collection
