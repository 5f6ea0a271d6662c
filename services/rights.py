"""What whoever asks may do: scopes, and collections, which go into every query instead of sorting out its results."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from indexer.errors import CollectionNotFound, RightMissing
from indexer.types import SegmentFilter
from services.keys import Key, Scope


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of a key, or (`key_id` None) of who needs none. `collections` None stands for all.

    What is outside of them is not found, in the same words as what is not there.
    """

    key_id: str | None
    scopes: frozenset[Scope]
    collections: frozenset[str] | None

    @classmethod
    def of(cls, key: Key) -> Rights:
        """The rights of a verified key."""
        return cls(key.id, key.scopes, key.collections)

    def needs(self, scope: Scope) -> None:
        """Errors: RightMissing where it is not among the scopes."""
        if scope not in self.scopes:
            raise RightMissing(f"this needs a key with the scope {scope}")

    def sees(self, collection: str) -> bool:
        """Whether the collection is within them, be it there or not."""
        return self.collections is None or collection in self.collections

    def among(self, collections: Collection[str] | None) -> frozenset[str] | None:
        """Those collections, for a query; None: all that may be seen, and None again where those are all.

        Errors: CollectionNotFound for one outside.
        """
        if collections is None:
            return self.collections
        for name in sorted(collections):
            if not self.sees(name):
                raise CollectionNotFound(f"no collection {name!r}")
        return frozenset(collections)

    def within(self, where: SegmentFilter) -> SegmentFilter:
        """The filter, narrowed to what may be seen. Errors: CollectionNotFound where it names a collection outside."""
        return replace(where, collections=self.among(where.collections))


EVERYTHING = Rights(None, frozenset(Scope), None)
"""Of who owns the archive: the command line, and the open mode."""
