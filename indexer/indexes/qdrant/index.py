"""The segment index of several machines: Qdrant holds everything, any number of processes read and write it."""

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
_MAX_POINTS_PER_UPSERT = 256


@dataclass(frozen=True, slots=True)
class _OpenIndex:
    pair: CollectionPair
    log: CommitLog
    searcher: QdrantSearcher


class QdrantIndex:
    """`SegmentIndex` in Qdrant, below an alias (or at a fixed `place`). One process at a time changes one asset (the
    caller sees to that); any number change different assets, and search.

    `models_of` names the encoder of each lane; vectors of another one are refused. Up to `exact_up_to` vectors a lane
    is searched exactly. What makes a change whole is told in `changes.py`. The server is the caller's, who closes it.
    Errors beside those of the port: IndexUnavailable, IndexBusy.
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
        """The encoders whose vectors are stored, whatever `models_of` names now."""
        view = self._retry_when_replaced(lambda opened: opened.log.refresh())
        return {lane: space.model for lane, space in view.spaces.items() if space.model}

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        opened = self._open_current(reread_alias=True)
        self._finish_pending(opened, tags.asset_id)
        draft = PointBuilder(tags, opened.log.refresh(), self._model_ids)
        opened.log.commit(lambda view: _pending_entry(view, tags, draft.put))
        try:
            self._upload_points(opened, draft, batches)
            entry = opened.log.commit(lambda view: self._visible_entry(view, draft, tags.asset_id))
        except BaseException:
            with suppress(AfterimageError):  # what is left is hidden, and goes with the asset's next change
                self._finish_pending(opened, tags.asset_id)
            raise
        self._finish_pending(opened, tags.asset_id)
        return entry.segments

    def update_tags(self, tags: AssetTags) -> None:
        opened = self._open_current(reread_alias=True)
        self._finish_pending(opened, tags.asset_id)
        before = _visible_or_none(opened.log.refresh(), tags.asset_id)
        if before is None:
            raise AssetNotFound(f"the index has no asset {tags.asset_id}")
        opened.log.commit(lambda view: replace(before, retagging=True, generation=view.generation))
        self._update_point_tags(opened, before.put, tags_payload(tags, before.tags))
        opened.log.commit(lambda view: replace(before, tags=tags, retagging=True, generation=view.generation + 1))
        self._finish_pending(opened, tags.asset_id)

    def remove(self, asset_id: str) -> int:
        opened = self._open_current(reread_alias=True)
        self._finish_pending(opened, asset_id)
        before = _visible_or_none(opened.log.refresh(), asset_id)
        if before is None:
            return 0
        gone = LogEntry(before.tags, hidden=(before.put,))
        opened.log.commit(lambda view: replace(gone, generation=view.generation + 1))
        self._finish_pending(opened, asset_id)
        return before.segments

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        if limit < 1 or passes_nothing(filters):
            return []
        return self._retry_when_replaced(lambda opened: opened.searcher.search(lane, query, limit, filters))

    def segment_counts(self) -> dict[str, int]:
        view = self._retry_when_replaced(lambda opened: opened.log.refresh())
        return {key: entry.segments for key, (_, entry) in sorted(view.entries.items()) if entry.put}

    def generation(self) -> int:
        return self._retry_when_replaced(lambda opened: opened.log.refresh()).generation

    def verify_models(self) -> None:
        self._current = None
        view = self._retry_when_replaced(lambda opened: opened.log.refresh())
        for lane, space in view.spaces.items():
            vector_rows.verify_model(lane, space.model, self._model_ids.get(lane, ""))

    def close(self) -> None:
        """Forget what was read; the next use reads it again."""
        self._current = None

    def _open_current(self, *, reread_alias: bool = False) -> _OpenIndex:
        """The collections in use. A writer looks at the alias each time: it must not write into an index that is out
        of use; a reader notices when its collections are gone."""
        opened = self._current
        if opened is None or reread_alias:
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
            return read(self._open_current())
        except QdrantCollectionMissing:
            self._current = None
            return read(self._open_current())

    def _upload_points(self, opened: _OpenIndex, draft: PointBuilder, batches: Iterable[SegmentBatch]) -> None:
        """Write the points of a put, and count what has arrived. Errors: ArtifactError where some have not."""
        created_spaces: set[str] = set()
        sent_count = 0
        for batch in batches:
            for points in _batch_points(draft.build_points(batch)):
                for space in draft.spaces():
                    if space.name not in created_spaces:
                        create_vector_space(self._connection, opened.pair, space.name, space.dim)
                        created_spaces.add(space.name)
                with self._connection.client() as client:
                    client.upsert(opened.pair.segments, points)
                sent_count += len(points)
        with self._connection.client() as client:
            stored_count = client.count(opened.pair.segments, field_equals("put", draft.put), exact=True).count
        if stored_count != sent_count:
            raise ArtifactError(f"{stored_count} of {sent_count} segments have arrived in Qdrant")

    def _visible_entry(self, snapshot: Snapshot, draft: PointBuilder, asset_id: str) -> LogEntry:
        """The entry that shows a put, unless another writer has filled a lane with another model meanwhile."""
        entry = draft.build_entry(snapshot.entry(asset_id))
        for lane, space in entry.spaces.items():
            other = space_of_other_assets(snapshot, lane, asset_id)
            if other is not None and other.name != space.name:
                vector_rows.verify_model(lane, f"{other.model} ({other.dim})", f"{space.model} ({space.dim})")
        return replace(entry, generation=snapshot.generation + 1)

    def _finish_pending(self, opened: _OpenIndex, asset_id: str) -> None:
        """Do what is left to be done for an asset, by this change or by one that was killed."""
        entry = opened.log.refresh().entry(asset_id)
        if entry is None or entry.is_settled:
            return
        for put in entry.hidden:
            with self._connection.client() as client:
                client.delete(opened.pair.segments, models.FilterSelector(filter=field_equals("put", put)))
        if entry.retagging:
            self._update_point_tags(opened, entry.put, tags_payload(entry.tags))
        opened.log.commit(lambda view: replace(entry, hidden=(), retagging=False, generation=view.generation))

    def _update_point_tags(self, opened: _OpenIndex, put: str, fields: dict[str, object]) -> None:
        with self._connection.client() as client:
            client.set_payload(opened.pair.segments, fields, field_equals("put", put))


def _pending_entry(snapshot: Snapshot, tags: AssetTags, put: str) -> LogEntry:
    """The asset as it is, with a put to come that is not to be seen."""
    before = snapshot.entry(tags.asset_id) or LogEntry(tags)
    return replace(before, hidden=(*before.hidden, put), generation=snapshot.generation)


def _visible_or_none(snapshot: Snapshot, asset_id: str) -> LogEntry | None:
    entry = snapshot.entry(asset_id)
    return entry if entry is not None and entry.put else None


def _batch_points(points: Iterable[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    remaining = iter(points)
    while some := list(islice(remaining, _MAX_POINTS_PER_UPSERT)):
        yield some
