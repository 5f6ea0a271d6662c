"""FAISS cache of a vector lane: an inverted file for the bulk of a large lane, and a flat index for its tail."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from indexer.indexes import vector_rows
from indexer.indexes.faiss import segment_rows
from indexer.indexes.faiss.ivf import FaissIvf, FaissObject, make_id_selector
from indexer.indexes.vector_rows import VectorLaneState
from indexer.types import Lane, Vectors

faiss: Any = untyped_faiss  # its type stubs are incomplete


class FaissLane:
    """Cache of the vectors of a lane as of one generation; `apply_changes` must not run beside `search`."""

    def __init__(self, lane: Lane, state: VectorLaneState) -> None:
        self._lane = lane
        self._identity = state.identity
        self._dim = state.dim
        self._generation = 0
        self._last_id = 0
        self._ivf: FaissIvf | None = None
        self._ivf_name = ""
        self._tail = faiss.IndexIDMap(faiss.IndexFlatIP(state.dim))

    def can_advance_to(self, state: VectorLaneState) -> bool:
        """Return True if the cache can be updated to a state; otherwise a new one is needed."""
        same_lane = (self._identity, self._dim) == (state.identity, state.dim)
        return same_lane and bool(state.main or not self._ivf)

    def is_current(self, state: VectorLaneState) -> bool:
        """Return True if the cache is up to date with a state."""
        same_generation = (self._generation, self._ivf_name) == (state.generation, state.main)
        return same_generation and self.can_advance_to(state)

    def open_ivf(self, connection: sqlite3.Connection, state: VectorLaneState, folder: Path) -> bool:
        """Open the inverted file that the state names, if it is not open; return False if it cannot be opened."""
        if state.main == self._ivf_name:
            return True
        path = folder / state.main
        try:
            if path.stat().st_size != state.main_bytes:
                return False
            ivf = FaissIvf(path)
        except (OSError, RuntimeError):
            return False
        ivf.mask_removed(segment_rows.removed_ranges(connection, state.main_generation), state.next_id)
        self._ivf, self._ivf_name = ivf, state.main
        self._tail.remove_ids(faiss.IDSelectorRange(0, state.main_last_id + 1))
        self._last_id = max(self._last_id, state.main_last_id)
        return True

    def apply_changes(self, connection: sqlite3.Connection, state: VectorLaneState) -> None:
        """Apply the removals and additions since the last update, and nothing else."""
        if self.live_count:
            self._remove_ids(segment_rows.removed_ranges(connection, self._generation), state.next_id)
        for ids, rows in vector_rows.iter_chunks(connection, self._lane, self._last_id):
            self._tail.add_with_ids(rows, ids)
        self._last_id = state.next_id - 1
        self._generation, self._ivf_name = state.generation, state.main

    def search(
        self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and ids of at most `count` nearest vectors to a query `[1, dim]`, best first."""
        count = max(1, min(count, self.live_count))
        results = [self._search_tail(query, count, allowed)] if self._tail.ntotal else []
        if self._ivf:
            results.append(self._ivf.search(query, count, allowed))
        if not results:
            return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
        if len(results) == 1:
            return results[0]
        scores, ids = (np.concatenate(parts) for parts in zip(*results, strict=True))
        order = np.argsort(-scores, kind="stable")[:count]
        return scores[order], ids[order]

    @property
    def live_count(self) -> int:
        """Number of vectors that are not removed."""
        return int(self._tail.ntotal) + (self._ivf.live_count if self._ivf else 0)

    @property
    def faiss_indexes(self) -> list[FaissObject]:
        """The FAISS indexes that a search uses, for benchmarks."""
        return ([self._ivf.faiss_index] if self._ivf else []) + ([self._tail] if self._tail.ntotal else [])

    def _remove_ids(self, ranges: Sequence[tuple[int, int]], next_id: int) -> None:
        mask = np.zeros(next_id, dtype=np.bool_)
        for first, past in ranges:
            mask[first:past] = True
        if ranges:
            self._tail.remove_ids(make_id_selector(mask))
        if self._ivf:
            self._ivf.mask_removed(ranges, next_id)

    def _search_tail(
        self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        params = None if allowed is None else faiss.SearchParameters(sel=make_id_selector(allowed))
        scores, ids = self._tail.search(query, min(count, self._tail.ntotal), params=params)
        return scores[0][ids[0] >= 0], ids[0][ids[0] >= 0]
