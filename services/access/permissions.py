"""Permissions of a caller: scopes and collections, applied as filters of every query (decision 0059)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from indexer.types import SegmentFilter
from services.access.api_keys import ApiKey, Scope
from services.access.errors import InsufficientScope
from services.catalog.errors import CollectionNotFound


@dataclass(frozen=True, slots=True)
class Permissions:
    """Permissions of an API key, or of a caller without one (`key_id` None). `collections` None means all.

    Anything outside them is reported as not found, with the message of what does not exist.
    """

    key_id: str | None
    scopes: frozenset[Scope]
    collections: frozenset[str] | None

    @classmethod
    def of_key(cls, key: ApiKey) -> Permissions:
        """Return the permissions of a verified key."""
        return cls(key.id, key.scopes, key.collections)

    def require(self, scope: Scope) -> None:
        """Raise InsufficientScope unless the caller has a scope."""
        if scope not in self.scopes:
            raise InsufficientScope(f"this needs a key with the scope {scope}")

    def allows(self, collection: str) -> bool:
        """Return whether a collection is allowed, existing or not."""
        return self.collections is None or collection in self.collections

    def restrict(self, collections: Collection[str] | None) -> frozenset[str] | None:
        """Return the requested collections, or all allowed ones if None is requested; None means no restriction.

        Errors: CollectionNotFound for a collection that is not allowed.
        """
        if collections is None:
            return self.collections
        for name in sorted(collections):
            if not self.allows(name):
                raise CollectionNotFound(f"no collection {name!r}")
        return frozenset(collections)

    def scope_filters(self, filters: SegmentFilter) -> SegmentFilter:
        """Return the filters restricted to allowed collections. Errors: CollectionNotFound for another one."""
        return replace(filters, collections=self.restrict(filters.collections))


FULL_ACCESS = Permissions(None, frozenset(Scope), None)
"""Permissions of the archive's owner: the command line, and a server without keys."""
