"""The segment index of one machine: SQLite holds the truth, FAISS what makes it quick."""

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
from indexer.indexes.ranking import SCORE_DECIMALS, sort_best_first
from indexer.indexes.readers_writer_lock import ReadersWriterLock
from indexer.types import AssetTags, Hit, Lane, SegmentBatch, SegmentFilter

_LOG = logging.getLogger(__name__)
_NO_MODEL_IDS: Mapping[Lane, str] = MappingProxyType({})
_EXTRA_CANDIDATES = 8
_MAX_TIED_CANDIDATES = 4096
_TIE_TOLERANCE = 2e-6


class FaissIndex:
    """`SegmentIndex` in a folder. One process writes at a time (the caller sees to that), any number may search.

    `models` names the encoder of each lane; vectors of another one are refused. Up to `exact_up_to` vectors a lane is
    searched exactly. A folder that is swapped by renaming is noticed at the next use. FAISS holds copies only: what
    another process changed is taken in, row by row, at the next search.
    """

    def __init__(
        self, folder: Path, model_ids: Mapping[Lane, str] = _NO_MODEL_IDS, *, exact_up_to: int = 100_000
    ) -> None:
        self._folder = folder
        self._model_ids = model_ids
        self._exact_up_to = exact_up_to
        self._database = SqliteDatabase(
            folder / "segments.sqlite", segment_rows.SCHEMA + vector_rows.SCHEMA, segment_rows.SCHEMA_VERSION
        )
        self._lanes: dict[Lane, FaissLane] = {}
        self._lock = ReadersWriterLock()

    def stored_model_ids(self) -> dict[Lane, str]:
        """The encoders whose vectors are stored, whatever `models` names now."""
        with self._database.read() as connection:
            states = {lane: vector_rows.read_lane_state(connection, lane) for lane in vector_rows.VECTOR_LANES}
        return {lane: state.model for lane, state in states.items() if state.model}

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        with self._database.write() as connection:
            gone = segment_rows.delete_asset(connection, tags.asset_id)
            if gone:
                vector_rows.delete(connection, gone)
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
        with self._database.write() as connection:
            segment_rows.update_tags(connection, tags)
            segment_rows.bump_generation(connection)

    def remove(self, asset_id: str) -> int:
        with self._database.write() as connection:
            gone = segment_rows.delete_asset(connection, asset_id)
            if gone is None:
                return 0
            vector_rows.delete(connection, gone)
            segment_rows.bump_generation(connection)
        self._compact_lanes()
        return len(gone)

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
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
                    near = _nearest_scores(connection, cached, point, limit, allowed, lane)
                    return _hits(connection, near, limit, lane)
            self._refresh(lane)

    def segment_counts(self) -> dict[str, int]:
        with self._database.read() as connection:
            return segment_rows.segment_counts(connection)

    def generation(self) -> int:
        with self._database.read() as connection:
            return segment_rows.current_generation(connection)

    def verify_models(self) -> None:
        with self._database.read() as connection:
            for lane in vector_rows.VECTOR_LANES:
                state = vector_rows.read_lane_state(connection, lane)
                if state.vectors:
                    vector_rows.verify_model(lane, state.model, self._model_ids.get(lane, ""))

    def faiss_indexes(self, lane: Lane) -> list[Any]:
        """The FAISS indexes that the latest search of a lane asked, to measure beside it."""
        with self._lock.read_lock():
            return self._lanes[lane].faiss_indexes if lane in self._lanes else []

    def close(self) -> None:
        """Let go of the folder's files; the next use opens them again."""
        with self._lock.write_lock():
            self._lanes.clear()
            self._database.close()

    def _search_keywords(self, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        if not isinstance(query, str):
            raise InvalidInput("the keywords lane is searched with words, not with a vector")
        with self._database.read() as connection:
            return _hits(connection, full_text.search_keywords(connection, query, limit, filters), limit, Lane.KEYWORDS)

    def _refresh(self, lane: Lane) -> None:
        """Bring the lane's cache to the latest generation. A main file may be replaced while it is being opened, so
        the second try looks again; where there is none to be had, everything goes into the tail."""
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
        """Move the tails that have grown too long into main files. A lane is whole without: failure only costs time."""
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
    settled = state.vectors - state.tail + state.dead if state.main else 0
    return not settled or state.tail > max(exact_up_to // 4, settled // 4) or state.dead > settled // 4


def _nearest_scores(
    connection: sqlite3.Connection,
    cached: FaissLane,
    point: NDArray[np.float64],
    limit: int,
    allowed: NDArray[np.bool_] | None,
    lane: Lane,
) -> dict[int, float]:
    """Exact scores of the nearest segments, and of all that are tied with the last of them (up to 4,096)."""
    query = point.astype(np.float32)[None]
    count = limit + _EXTRA_CANDIDATES
    scores, ids = cached.search(query, count, allowed)
    while (
        len(ids) >= count and scores[limit - 1] - scores[-1] < _TIE_TOLERANCE and count < limit + _MAX_TIED_CANDIDATES
    ):
        count *= 2
        scores, ids = cached.search(query, count, allowed)
    if len(ids) > limit:
        ids = ids[scores > scores[limit - 1] - _TIE_TOLERANCE]
    if not len(ids):
        return {}
    stored = vector_rows.fetch_by_id(connection, lane, ids.tolist())
    exact = np.round(np.stack(list(stored.values())).astype(np.float64) @ point, SCORE_DECIMALS)
    return dict(zip(stored, exact.tolist(), strict=True))


def _hits(connection: sqlite3.Connection, scores: Mapping[int, float], limit: int, lane: Lane) -> list[Hit]:
    least = sorted(scores.values(), reverse=True)[:limit][-1:]
    found = segment_rows.fetch_segments(connection, [id_ for id_, score in scores.items() if score >= least[0]])
    hits = [Hit(f.asset_id, f.kind, lane, f.segment, scores[id_]) for id_, f in found.items()]
    return sort_best_first(hits)[:limit]
