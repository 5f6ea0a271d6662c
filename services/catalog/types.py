"""Values of the catalog: assets, the sources they came from, names of collections."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.errors import InvalidInput
from indexer.types import AssetKind
from services.database.text import sanitize

_MAX_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset as the catalog knows it. `looked_at` counts frames, `file_time` and `indexed_at` are Unix times.

    `name` and `file_time` are those of a source: of the first, by collection and place, in the collections asked about.
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

    @property
    def sampled_fps(self) -> float | None:
        """How much of a video was looked at, in frames a second; None for what has no duration."""
        return round(self.sampled_frames / self.duration_s, 4) if self.duration_s and self.width else None


@dataclass(frozen=True, slots=True)
class Source:
    """A source in a collection: where it is (`uri`), what it points to, and the state of its files when indexed; what
    it is called there, and the Unix time of its file."""

    collection: str
    uri: str
    asset_id: str
    state: str
    name: str
    file_time: float | None


def validate_collection_name(collection: str) -> str:
    """The name of a collection: 1 to 200 printable characters that can stand in an address. Errors: QueryError."""
    if not collection.strip() or len(collection) > _MAX_NAME_LENGTH:
        raise InvalidInput(f"a collection's name has 1 to {_MAX_NAME_LENGTH} characters")
    if not collection.isprintable() or "/" in collection or collection in (".", ".."):
        raise InvalidInput(f"{sanitize(collection)!r} cannot be a collection's name")
    return collection
