"""Shadow index in Qdrant collections, promoted by moving an alias."""

from __future__ import annotations

from collections.abc import Callable

from indexer.indexes.qdrant.collections import (
    CollectionOptions,
    CollectionPair,
    activate_pair,
    create_collections,
    new_pair,
)
from indexer.indexes.qdrant.connection import QdrantConnection
from indexer.ports import SegmentIndex


class QdrantShadow:
    """`ShadowIndex` in Qdrant: a new pair of collections, opened by `open_index`; promotion moves the alias."""

    def __init__(
        self,
        connection: QdrantConnection,
        prefix: str,
        open_index: Callable[[CollectionPair], SegmentIndex],
        options: CollectionOptions | None = None,
    ) -> None:
        self._connection, self._prefix, self._open_index = connection, prefix, open_index
        self._options = options or CollectionOptions()
        self._shadow: CollectionPair | None = None

    def create(self) -> SegmentIndex:
        """Create an empty index in a new pair of collections."""
        self._shadow = new_pair(self._prefix)
        create_collections(self._connection, self._shadow, self._options)
        return self._open_index(self._shadow)

    def promote(self) -> None:
        """Move the alias to the new collections and delete all others. Errors: ValueError without a shadow index."""
        if self._shadow is None:
            raise ValueError("there is no shadow index to promote")
        activate_pair(self._connection, self._prefix, self._shadow)
        self._shadow = None
