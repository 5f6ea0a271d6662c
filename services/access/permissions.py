"""What whoever asks may do: scopes, and collections, which go into every query instead of sorting out its results."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from indexer.types import SegmentFilter
from services.access.api_keys import ApiKey, Scope
from services.access.errors import InsufficientScope
from services.catalog.errors import CollectionNotFound


@dataclass(frozen=True, slots=True)
class Permissions:
    """The rights of a key, or (`key_id` None) of who needs none. `collections` None stands for all.

    What is outside of them is not found, in the same words as what is not there.
    """

    key_id: str | None
    scopes: frozenset[Scope]
    collections: frozenset[str] | None

    @classmethod
    def of_key(cls, key: ApiKey) -> Permissions:
        """The rights of a verified key."""
        return cls(key.id, key.scopes, key.collections)

    def require(self, scope: Scope) -> None:
        """Errors: RightMissing where it is not among the scopes."""
        if scope not in self.scopes:
            raise InsufficientScope(f"this needs a key with the scope {scope}")

    def allows(self, collection: str) -> bool:
        """Whether the collection is within them, be it there or not."""
        return self.collections is None or collection in self.collections

    def restrict(self, collections: Collection[str] | None) -> frozenset[str] | None:
        """Those collections, for a query; None: all that may be seen, and None again where those are all.

        Errors: CollectionNotFound for one outside.
        """
        if collections is None:
            return self.collections
        for name in sorted(collections):
            if not self.allows(name):
                raise CollectionNotFound(f"no collection {name!r}")
        return frozenset(collections)

    def scope_filters(self, filters: SegmentFilter) -> SegmentFilter:
        """The filter, narrowed to what may be seen. Errors: CollectionNotFound where it names a collection outside."""
        return replace(filters, collections=self.restrict(filters.collections))


FULL_ACCESS = Permissions(None, frozenset(Scope), None)
"""Of who owns the archive: the command line, and the open mode."""
