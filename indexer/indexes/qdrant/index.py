"""Segment index of several machines in Qdrant, read and written by any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from indexer.errors import AfterimageError, ArtifactError, AssetNotFound
from indexer.indexes import vector_rows
from indexer.indexes.qdrant.collections import (
    CollectionOptions,
    CollectionPair,
    create_vector_space,
    ensure_active_pair,
)
from indexer.indexes.qdrant.commit_log import CommitLog, LogEntry, Snapshot
from indexer.indexes.qdrant.connection import QdrantCollectionMissing, QdrantConnection
from indexer.indexes.qdrant.filters import field_equals, passes_nothing
from indexer.indexes.qdrant.points import PointBuilder, space_of_other_assets, tags_payload
from indexer.indexes.qdrant.search import QdrantSearcher, SearchPrecision
from indexer.types import AssetTags, Hit, Lane, SegmentBatch, SegmentFilter

T = TypeVar("T")

_NO_MODEL_IDS: Mapping[Lane, str] = MappingProxyType({})
_MAX_POINTS_PER_UPSERT = 256  # Form: points of a request


@dataclass(frozen=True, slots=True)
class _OpenIndex:
    """Pair of collections with its commit log and searcher."""

    pair: CollectionPair
    log: CommitLog
    searcher: QdrantSearcher


class QdrantIndex:
    """`SegmentIndex` in Qdrant, of the collections that an alias names, or of a fixed `pair`.

    The caller ensures that one process at a time changes an asset; any number may change different assets, and search.
    `model_ids` names the encoder of each lane; vectors of another one are refused. Up to `exact_up_to` vectors a lane
    is searched exactly. Changes are atomic by `commit_log`. The caller closes the connection. Errors beside those of
    the port: IndexUnavailable, WriteLockTimeout.
    """

    def __init__(
        self,
        connection: QdrantConnection,
        prefix: str,
        model_ids: Mapping[Lane, str] = _NO_MODEL_IDS,
        options: CollectionOptions | None = None,
        *,
        exact_up_to: int = 100_000,
        pair: CollectionPair | None = None,
    ) -> None:
        self._connection, self._prefix, self._options = connection, prefix, options or CollectionOptions()
        self._model_ids, self._pair = model_ids, pair
        self._precision = SearchPrecision(exact_up_to, self._options.quantized)
        self._current: _OpenIndex | None = None

    def stored_model_ids(self) -> dict[Lane, str]:
        """Return the ids of the encoders whose vectors are stored, by lane."""
        snapshot = self._retry_when_replaced(lambda opened: opened.log.refresh())
        return {lane: space.model for lane, space in snapshot.spaces.items() if space.model}

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        """Replace all segments of an asset atomically; return their number."""
        opened = self._open_for_writing()
        self._finish_pending(opened, tags.asset_id)
        builder = PointBuilder(tags, opened.log.refresh(), self._model_ids)
        opened.log.commit(lambda snapshot: _pending_entry(snapshot, tags, builder.put))
        try:
            self._upload_points(opened, builder, batches)
            entry = opened.log.commit(lambda snapshot: self._visible_entry(snapshot, builder, tags.asset_id))
        except BaseException:
            with suppress(AfterimageError):  # remaining points are hidden, and deleted by the asset's next change
                self._finish_pending(opened, tags.asset_id)
            raise
        self._finish_pending(opened, tags.asset_id)
        return entry.segments

    def update_tags(self, tags: AssetTags) -> None:
        """Replace the filterable properties of an asset atomically. Errors: AssetNotFound."""
        opened = self._open_for_writing()
        self._finish_pending(opened, tags.asset_id)
        before = _visible_or_none(opened.log.refresh(), tags.asset_id)
        if before is None:
            raise AssetNotFound(f"the index has no asset {tags.asset_id}")
        opened.log.commit(lambda snapshot: replace(before, retagging=True, generation=snapshot.generation))
        self._update_point_tags(opened, before.put, tags_payload(tags, before.tags))
        opened.log.commit(
            lambda snapshot: replace(before, tags=tags, retagging=True, generation=snapshot.generation + 1)
        )
        self._finish_pending(opened, tags.asset_id)

    def remove(self, asset_id: str) -> int:
        """Remove an asset atomically; return its number of segments, 0 for an unknown asset."""
        opened = self._open_for_writing()
        self._finish_pending(opened, asset_id)
        before = _visible_or_none(opened.log.refresh(), asset_id)
        if before is None:
            return 0
        removal = LogEntry(before.tags, hidden=(before.put,))
        opened.log.commit(lambda snapshot: replace(removal, generation=snapshot.generation + 1))
        self._finish_pending(opened, asset_id)
        return before.segments

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        """Return at most `limit` hits, best first. Errors: InvalidInput, IndexMismatch."""
        if limit < 1 or passes_nothing(filters):
            return []
        return self._retry_when_replaced(lambda opened: opened.searcher.search(lane, query, limit, filters))

    def segment_counts(self) -> dict[str, int]:
        """Return the number of segments of every asset."""
        snapshot = self._retry_when_replaced(lambda opened: opened.log.refresh())
        return {key: entry.segments for key, (_, entry) in sorted(snapshot.entries.items()) if entry.put}

    def generation(self) -> int:
        """Return the number of the index state; every change increases it."""
        return self._retry_when_replaced(lambda opened: opened.log.refresh()).generation

    def verify_models(self) -> None:
        """Raise IndexMismatch if the vectors of a lane are not of the configured model."""
        self._current = None
        snapshot = self._retry_when_replaced(lambda opened: opened.log.refresh())
        for lane, space in snapshot.spaces.items():
            vector_rows.verify_model(lane, space.model, self._model_ids.get(lane, ""))

    def close(self) -> None:
        """Drop the cached log; the next use reads it again."""
        self._current = None

    def _open_for_reading(self) -> _OpenIndex:
        """Return the index that was opened last; readers notice when its collections are deleted."""
        return self._current or self._open_for_writing()

    def _open_for_writing(self) -> _OpenIndex:
        """Return the index that the alias names now, since a writer must not write into a replaced one."""
        opened = self._current
        pair = self._pair or ensure_active_pair(self._connection, self._prefix, self._options)
        if opened is None or opened.pair != pair:
            log = CommitLog(self._connection, pair.log)
            searcher = QdrantSearcher(self._connection, pair.segments, log, self._model_ids, self._precision)
            opened = _OpenIndex(pair, log, searcher)
            opened.log.refresh()
            self._current = opened
        return opened

    def _retry_when_replaced(self, read: Callable[[_OpenIndex], T]) -> T:
        try:
            return read(self._open_for_reading())
        except QdrantCollectionMissing:
            self._current = None
            return read(self._open_for_reading())

    def _upload_points(self, opened: _OpenIndex, builder: PointBuilder, batches: Iterable[SegmentBatch]) -> None:
        """Upload the points of a put and verify their number. Errors: ArtifactError where some have not arrived."""
        created_spaces: set[str] = set()
        sent_count = 0
        for batch in batches:
            for points in _batch_points(builder.build_points(batch)):
                for space in builder.spaces():
                    if space.name not in created_spaces:
                        create_vector_space(self._connection, opened.pair, space.name, space.dim)
                        created_spaces.add(space.name)
                with self._connection.client() as client:
                    client.upsert(opened.pair.segments, points)
                sent_count += len(points)
        with self._connection.client() as client:
            stored_count = client.count(opened.pair.segments, field_equals("put", builder.put), exact=True).count
        if stored_count != sent_count:
            raise ArtifactError(f"{stored_count} of {sent_count} segments have arrived in Qdrant")

    def _visible_entry(self, snapshot: Snapshot, builder: PointBuilder, asset_id: str) -> LogEntry:
        """Build the entry that makes a put visible. Errors: IndexMismatch where another writer's lane differs."""
        entry = builder.build_entry(snapshot.entry(asset_id))
        for lane, space in entry.spaces.items():
            other = space_of_other_assets(snapshot, lane, asset_id)
            if other is not None and other.name != space.name:
                vector_rows.verify_model(lane, f"{other.model} ({other.dim})", f"{space.model} ({space.dim})")
        return replace(entry, generation=snapshot.generation + 1)

    def _finish_pending(self, opened: _OpenIndex, asset_id: str) -> None:
        """Delete hidden points and finish retagging of an asset, after this change or one that was killed."""
        entry = opened.log.refresh().entry(asset_id)
        if entry is None or entry.is_settled:
            return
        for put in entry.hidden:
            with self._connection.client() as client:
                client.delete(opened.pair.segments, models.FilterSelector(filter=field_equals("put", put)))
        if entry.retagging:
            self._update_point_tags(opened, entry.put, tags_payload(entry.tags))
        opened.log.commit(lambda snapshot: replace(entry, hidden=(), retagging=False, generation=snapshot.generation))

    def _update_point_tags(self, opened: _OpenIndex, put: str, fields: dict[str, object]) -> None:
        with self._connection.client() as client:
            client.set_payload(opened.pair.segments, fields, field_equals("put", put))


def _pending_entry(snapshot: Snapshot, tags: AssetTags, put: str) -> LogEntry:
    """Build the asset's entry with a further, hidden put."""
    before = snapshot.entry(tags.asset_id) or LogEntry(tags)
    return replace(before, hidden=(*before.hidden, put), generation=snapshot.generation)


def _visible_or_none(snapshot: Snapshot, asset_id: str) -> LogEntry | None:
    entry = snapshot.entry(asset_id)
    return entry if entry is not None and entry.put else None


def _batch_points(points: Iterable[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    remaining = iter(points)
    while batch := list(islice(remaining, _MAX_POINTS_PER_UPSERT)):
        yield batch
