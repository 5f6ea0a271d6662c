"""Segment index of one machine: SQLite is the source of truth, FAISS a cache of its vectors (decision 0003)."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidInput
from indexer.indexes import vector_rows
from indexer.indexes.faiss import full_text, segment_rows
from indexer.indexes.faiss.database import SqliteDatabase
from indexer.indexes.faiss.ivf import build_ivf
from indexer.indexes.faiss.lane import FaissLane
from indexer.indexes.ranking import (
    EXTRA_CANDIDATES,
    MAX_TIED_CANDIDATES,
    SCORE_DECIMALS,
    TIE_TOLERANCE,
    sort_best_first,
)
from indexer.indexes.readers_writer_lock import ReadersWriterLock
from indexer.types import AssetTags, Hit, Lane, SegmentBatch, SegmentFilter

_LOG = logging.getLogger(__name__)
_NO_MODEL_IDS: Mapping[Lane, str] = MappingProxyType({})


class FaissIndex:
    """`SegmentIndex` in a folder. The caller ensures that one process writes at a time; any number may search.

    `model_ids` names the encoder of each lane; vectors of another one are refused. Up to `exact_up_to` vectors a lane
    is searched exactly. A promoted shadow index is noticed at the next use; rows that another process changed are
    copied into the FAISS structures at the next search.
    """

    def __init__(
        self, folder: Path, model_ids: Mapping[Lane, str] = _NO_MODEL_IDS, *, exact_up_to: int = 100_000
    ) -> None:
        self._folder = folder
        self._model_ids = model_ids
        self._exact_up_to = exact_up_to
        self._database = SqliteDatabase(
            folder / "segments.sqlite",
            segment_rows.SCHEMA + vector_rows.SCHEMA,
            segment_rows.SCHEMA_VERSION,
            segment_rows.UPGRADES,
        )
        self._lanes: dict[Lane, FaissLane] = {}
        self._lock = ReadersWriterLock()

    def stored_model_ids(self) -> dict[Lane, str]:
        """Return the ids of the encoders whose vectors are stored, by lane."""
        with self._database.read() as connection:
            states = {lane: vector_rows.read_lane_state(connection, lane) for lane in vector_rows.VECTOR_LANES}
        return {lane: state.model for lane, state in states.items() if state.model}

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        """Replace all segments of an asset in one transaction; return their number."""
        with self._database.write() as connection:
            deleted_ids = segment_rows.delete_asset(connection, tags.asset_id)
            if deleted_ids:
                vector_rows.delete(connection, deleted_ids)
            writer = segment_rows.AssetWriter(connection, tags)
            for batch in batches:
                first = writer.add(batch.segments)
                for lane in batch.vectors:
                    vector_rows.insert(connection, lane, batch, first, self._model_ids.get(lane, ""))
            count = writer.finish()
            segment_rows.bump_generation(connection)
        self._compact_lanes()
        return count

    def update_tags(self, tags: AssetTags) -> None:
        """Replace the filterable properties of an asset. Errors: AssetNotFound."""
        with self._database.write() as connection:
            segment_rows.update_tags(connection, tags)
            segment_rows.bump_generation(connection)

    def remove(self, asset_id: str) -> int:
        """Remove an asset; return its number of segments, 0 for an unknown asset."""
        with self._database.write() as connection:
            deleted_ids = segment_rows.delete_asset(connection, asset_id)
            if deleted_ids is None:
                return 0
            vector_rows.delete(connection, deleted_ids)
            segment_rows.bump_generation(connection)
        self._compact_lanes()
        return len(deleted_ids)

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        """Return at most `limit` hits, best first. Errors: InvalidInput, IndexMismatch."""
        if limit < 1:
            return []
        if lane is Lane.KEYWORDS:
            return self._search_keywords(query, limit, filters)
        while True:
            with self._lock.read_lock(), self._database.read() as connection:
                state = vector_rows.read_lane_state(connection, lane)
                if not state.vectors:
                    return []
                vector_rows.verify_model(lane, state.model, self._model_ids.get(lane, ""))
                point = vector_rows.validate_query(query, lane, state.dim)
                cached = self._lanes.get(lane)
                if cached and cached.is_current(state):
                    allowed = segment_rows.allowed_id_mask(connection, filters)
                    scores = _nearest_scores(connection, cached, point, limit, allowed, lane)
                    return _hits(connection, scores, limit, lane)
            self._refresh(lane)

    def segment_counts(self) -> dict[str, int]:
        """Return the number of segments of every asset."""
        with self._database.read() as connection:
            return segment_rows.segment_counts(connection)

    def generation(self) -> int:
        """Return the number of the index state; every change increases it."""
        with self._database.read() as connection:
            return segment_rows.current_generation(connection)

    def verify_models(self) -> None:
        """Raise IndexMismatch if the vectors of a lane are not of the configured model."""
        with self._database.read() as connection:
            for lane in vector_rows.VECTOR_LANES:
                state = vector_rows.read_lane_state(connection, lane)
                if state.vectors:
                    vector_rows.verify_model(lane, state.model, self._model_ids.get(lane, ""))

    def faiss_indexes(self, lane: Lane) -> list[Any]:
        """Return the FAISS indexes that the latest search of a lane used, for benchmarks."""
        with self._lock.read_lock():
            return self._lanes[lane].faiss_indexes if lane in self._lanes else []

    def close(self) -> None:
        """Release the folder's files and the caches; the next use opens them again."""
        with self._lock.write_lock():
            self._lanes.clear()
            self._database.close()

    def _search_keywords(self, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        if not isinstance(query, str):
            raise InvalidInput("the keywords lane is searched with words, not with a vector")
        with self._database.read() as connection:
            return _hits(connection, full_text.search_keywords(connection, query, limit, filters), limit, Lane.KEYWORDS)

    def _refresh(self, lane: Lane) -> None:
        """Bring a lane's cache to the latest generation.

        An inverted file may be replaced while it is opened, so there is a second try; where that fails too, all vectors
        go into the tail.
        """
        with self._lock.write_lock():
            cached = self._lanes.pop(lane, None)  # put back only when it is whole
            for last_try in (False, True):
                with self._database.read() as connection:
                    state = vector_rows.read_lane_state(connection, lane)
                    if cached is None or not cached.can_advance_to(state):
                        cached = FaissLane(lane, state)
                    if cached.open_ivf(connection, state, self._folder) or last_try:
                        cached.apply_changes(connection, state)
                        self._lanes[lane] = cached
                        return

    def _compact_lanes(self) -> None:
        """Build inverted files for lanes with too long a tail.

        A lane is complete without one, so that a failure is logged and costs search time only.
        """
        for lane in vector_rows.VECTOR_LANES:
            with self._database.read() as connection:
                state = vector_rows.read_lane_state(connection, lane)
            try:
                if state.main and state.vectors < self._exact_up_to // 2:
                    self._set_ivf_file(lane, "", 0, state)
                elif state.vectors > self._exact_up_to and _needs_compaction(state, self._exact_up_to):
                    self._build_ivf(lane)
            except (OSError, RuntimeError) as error:
                _LOG.warning("the %s lane keeps its tail: %s", lane, error)

    def _build_ivf(self, lane: Lane) -> None:
        with self._database.read() as connection:
            state = vector_rows.read_lane_state(connection, lane)
            name = f"{lane}-{state.generation}.faiss"
            size = build_ivf(self._folder / name, lambda: vector_rows.iter_chunks(connection, lane, 0), state.vectors)
        self._set_ivf_file(lane, name, size, state)

    def _set_ivf_file(self, lane: Lane, name: str, size: int, built_from: vector_rows.VectorLaneState) -> None:
        with self._database.write() as connection:
            vector_rows.set_ivf_file(connection, lane, name, size, built_from)
        for path in self._folder.glob(f"{lane}-*"):
            if path.name != name:
                path.unlink(missing_ok=True)


def _needs_compaction(state: vector_rows.VectorLaneState, exact_up_to: int) -> bool:
    """Return True if there is no inverted file yet, or about a quarter of its vectors are new or removed."""
    compacted = state.vectors - state.tail + state.dead if state.main else 0
    return not compacted or state.tail > max(exact_up_to // 4, compacted // 4) or state.dead > compacted // 4


def _nearest_scores(
    connection: sqlite3.Connection,
    cached: FaissLane,
    point: NDArray[np.float64],
    limit: int,
    allowed: NDArray[np.bool_] | None,
    lane: Lane,
) -> dict[int, float]:
    """Return exact scores of the nearest segments, and of those that are tied with the last of them (up to 4,096)."""
    query = point.astype(np.float32)[None]
    count = limit + EXTRA_CANDIDATES
    scores, ids = cached.search(query, count, allowed)
    while len(ids) >= count and scores[limit - 1] - scores[-1] < TIE_TOLERANCE and count < limit + MAX_TIED_CANDIDATES:
        count *= 2
        scores, ids = cached.search(query, count, allowed)
    if len(ids) > limit:
        ids = ids[scores > scores[limit - 1] - TIE_TOLERANCE]
    if not len(ids):
        return {}
    stored = vector_rows.fetch_by_id(connection, lane, ids.tolist())
    exact = np.round(np.stack(list(stored.values())).astype(np.float64) @ point, SCORE_DECIMALS)
    return dict(zip(stored, exact.tolist(), strict=True))


def _hits(connection: sqlite3.Connection, scores: Mapping[int, float], limit: int, lane: Lane) -> list[Hit]:
    min_score = sorted(scores.values(), reverse=True)[:limit][-1:]
    segments = segment_rows.fetch_segments(connection, [id_ for id_, score in scores.items() if score >= min_score[0]])
    hits = [Hit(stored.asset_id, stored.kind, lane, stored.segment, scores[id_]) for id_, stored in segments.items()]
    return sort_best_first(hits)[:limit]
