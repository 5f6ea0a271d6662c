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

from indexer.errors import QueryError
from indexer.indexes import keywords, segments, vectors
from indexer.indexes.database import Database
from indexer.indexes.faiss_lane import FaissLane
from indexer.indexes.faiss_main import build_main
from indexer.indexes.ranking import DECIMALS, best_first
from indexer.indexes.shared_lock import SharedLock
from indexer.types import AssetTags, Hit, Lane, SegmentBatch, SegmentFilter

_LOG = logging.getLogger(__name__)
_NO_MODELS: Mapping[Lane, str] = MappingProxyType({})
_SPARE = 8
_MOST_TIED = 4096
_TIED = 2e-6


class FaissIndex:
    """`SegmentIndex` in a folder. One process writes at a time (the caller sees to that), any number may search.

    `models` names the encoder of each lane; vectors of another one are refused. Up to `exact_up_to` vectors a lane is
    searched exactly. A folder that is swapped by renaming is noticed at the next use. FAISS holds copies only: what
    another process changed is taken in, row by row, at the next search.
    """

    def __init__(self, folder: Path, models: Mapping[Lane, str] = _NO_MODELS, *, exact_up_to: int = 100_000) -> None:
        self._folder = folder
        self._models = models
        self._exact_up_to = exact_up_to
        self._database = Database(folder / "segments.sqlite", segments.SCHEMA + vectors.SCHEMA, segments.VERSION)
        self._lanes: dict[Lane, FaissLane] = {}
        self._lock = SharedLock()

    def made_by(self) -> dict[Lane, str]:
        """The encoders whose vectors are stored, whatever `models` names now."""
        with self._database.reading() as connection:
            states = {lane: vectors.lane_state(connection, lane) for lane in vectors.LANES}
        return {lane: state.model for lane, state in states.items() if state.model}

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        with self._database.writing() as connection:
            gone = segments.delete_asset(connection, tags.asset_id)
            if gone:
                vectors.delete(connection, gone)
            writer = segments.AssetWriter(connection, tags)
            for batch in batches:
                first = writer.add(batch.segments)
                for lane in batch.vectors:
                    vectors.insert(connection, lane, batch, first, self._models.get(lane, ""))
            count = writer.finish()
            segments.move_on(connection)
        self._settle()
        return count

    def tag(self, tags: AssetTags) -> None:
        with self._database.writing() as connection:
            segments.retag(connection, tags)
            segments.move_on(connection)

    def remove(self, asset_id: str) -> int:
        with self._database.writing() as connection:
            gone = segments.delete_asset(connection, asset_id)
            if gone is None:
                return 0
            vectors.delete(connection, gone)
            segments.move_on(connection)
        self._settle()
        return len(gone)

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter) -> list[Hit]:
        if limit < 1:
            return []
        if lane is Lane.KEYWORDS:
            return self._with_words(query, limit, where)
        while True:
            with self._lock.reading(), self._database.reading() as connection:
                state = vectors.lane_state(connection, lane)
                if not state.vectors:
                    return []
                vectors.require_model(lane, state.model, self._models.get(lane, ""))
                point = vectors.checked_query(query, lane, state.dim)
                cached = self._lanes.get(lane)
                if cached and cached.shows(state):
                    allowed = segments.allowed_ids(connection, where)
                    near = _nearest(connection, cached, point, limit, allowed, lane)
                    return _hits(connection, near, limit, lane)
            self._refresh(lane)

    def counts(self) -> dict[str, int]:
        with self._database.reading() as connection:
            return segments.counts(connection)

    def generation(self) -> int:
        with self._database.reading() as connection:
            return segments.generation(connection)

    def check(self) -> None:
        with self._database.reading() as connection:
            for lane in vectors.LANES:
                state = vectors.lane_state(connection, lane)
                if state.vectors:
                    vectors.require_model(lane, state.model, self._models.get(lane, ""))

    def structures(self, lane: Lane) -> list[Any]:
        """The FAISS indexes that the latest search of a lane asked, to measure beside it."""
        with self._lock.reading():
            return self._lanes[lane].structures if lane in self._lanes else []

    def close(self) -> None:
        """Let go of the folder's files; the next use opens them again."""
        with self._lock.writing():
            self._lanes.clear()
            self._database.close()

    def _with_words(self, query: NDArray[np.float32] | str, limit: int, where: SegmentFilter) -> list[Hit]:
        if not isinstance(query, str):
            raise QueryError("the keywords lane is searched with words, not with a vector")
        with self._database.reading() as connection:
            return _hits(connection, keywords.scores(connection, query, limit, where), limit, Lane.KEYWORDS)

    def _refresh(self, lane: Lane) -> None:
        """Bring the lane's cache to the latest generation. A main file may be replaced while it is being opened, so
        the second try looks again; where there is none to be had, everything goes into the tail."""
        with self._lock.writing():
            cached = self._lanes.pop(lane, None)  # put back only when it is whole
            for last_try in (False, True):
                with self._database.reading() as connection:
                    state = vectors.lane_state(connection, lane)
                    if cached is None or not cached.fits(state):
                        cached = FaissLane(lane, state)
                    if cached.take_main(connection, state, self._folder) or last_try:
                        cached.take_rows(connection, state)
                        self._lanes[lane] = cached
                        return

    def _settle(self) -> None:
        """Move the tails that have grown too long into main files. A lane is whole without: failure only costs time."""
        for lane in vectors.LANES:
            with self._database.reading() as connection:
                state = vectors.lane_state(connection, lane)
            try:
                if state.main and state.vectors < self._exact_up_to // 2:
                    self._point_to_main(lane, "", 0, state)
                elif state.vectors > self._exact_up_to and _unsettled(state, self._exact_up_to):
                    self._build_main(lane)
            except (OSError, RuntimeError) as error:
                _LOG.warning("the %s lane keeps its tail: %s", lane, error)

    def _build_main(self, lane: Lane) -> None:
        with self._database.reading() as connection:
            state = vectors.lane_state(connection, lane)
            name = f"{lane}-{state.generation}.faiss"
            size = build_main(self._folder / name, lambda: vectors.chunks(connection, lane, 0), state.vectors)
        self._point_to_main(lane, name, size, state)

    def _point_to_main(self, lane: Lane, name: str, size: int, built_from: vectors.LaneState) -> None:
        with self._database.writing() as connection:
            vectors.set_main(connection, lane, name, size, built_from)
        for path in self._folder.glob(f"{lane}-*"):
            if path.name != name:
                path.unlink(missing_ok=True)


def _unsettled(state: vectors.LaneState, exact_up_to: int) -> bool:
    settled = state.vectors - state.tail + state.dead if state.main else 0
    return not settled or state.tail > max(exact_up_to // 4, settled // 4) or state.dead > settled // 4


def _nearest(
    connection: sqlite3.Connection,
    cached: FaissLane,
    point: NDArray[np.float64],
    limit: int,
    allowed: NDArray[np.bool_] | None,
    lane: Lane,
) -> dict[int, float]:
    """Exact scores of the nearest segments, and of all that are tied with the last of them (up to 4,096)."""
    query = point.astype(np.float32)[None]
    count = limit + _SPARE
    scores, ids = cached.search(query, count, allowed)
    while len(ids) >= count and scores[limit - 1] - scores[-1] < _TIED and count < limit + _MOST_TIED:
        count *= 2
        scores, ids = cached.search(query, count, allowed)
    if len(ids) > limit:
        ids = ids[scores > scores[limit - 1] - _TIED]
    if not len(ids):
        return {}
    stored = vectors.by_id(connection, lane, ids.tolist())
    exact = np.round(np.stack(list(stored.values())).astype(np.float64) @ point, DECIMALS)
    return dict(zip(stored, exact.tolist(), strict=True))


def _hits(connection: sqlite3.Connection, scores: Mapping[int, float], limit: int, lane: Lane) -> list[Hit]:
    least = sorted(scores.values(), reverse=True)[:limit][-1:]
    found = segments.fetch(connection, [id_ for id_, score in scores.items() if score >= least[0]])
    hits = [Hit(f.asset_id, f.kind, lane, f.segment, scores[id_]) for id_, f in found.items()]
    return best_first(hits)[:limit]
