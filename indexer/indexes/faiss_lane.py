"""One vector lane in FAISS: an inverted file for the bulk, once there is one, and a flat tail for what came since."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from indexer.indexes import segments, vectors
from indexer.indexes.faiss_main import FaissMain, FaissObject, selector
from indexer.indexes.vectors import LaneState
from indexer.types import Lane, Vectors

faiss: Any = untyped_faiss  # its stubs lack most of what it has


class FaissLane:
    """A cache of the vectors of one lane, as of one generation. Not safe against a `follow` beside a `search`."""

    def __init__(self, lane: Lane, state: LaneState) -> None:
        self._lane = lane
        self._identity = state.identity
        self._dim = state.dim
        self._generation = 0
        self._last_id = 0
        self._main: FaissMain | None = None
        self._main_name = ""
        self._tail = faiss.IndexIDMap(faiss.IndexFlatIP(state.dim))

    def fits(self, state: LaneState) -> bool:
        """Whether this can be brought to a state by steps; otherwise a new one is needed."""
        same = (self._identity, self._dim) == (state.identity, state.dim)
        return same and bool(state.main or not self._main)

    def shows(self, state: LaneState) -> bool:
        """Whether this is what the state says, so that it can be searched."""
        seen = (self._generation, self._main_name) == (state.generation, state.main)
        return seen and self.fits(state)

    def take_main(self, connection: sqlite3.Connection, state: LaneState, folder: Path) -> bool:
        """Open the main file that the state names, unless that is done; False where it cannot be opened."""
        if state.main == self._main_name:
            return True
        path = folder / state.main
        try:
            if path.stat().st_size != state.main_bytes:
                return False
            main = FaissMain(path)
        except (OSError, RuntimeError):
            return False
        main.drop(segments.removed_since(connection, state.main_generation), state.past_id)
        self._main, self._main_name = main, state.main
        self._tail.remove_ids(faiss.IDSelectorRange(0, state.main_last_id + 1))
        self._last_id = max(self._last_id, state.main_last_id)
        return True

    def take_rows(self, connection: sqlite3.Connection, state: LaneState) -> None:
        """Take in what was removed and added since the last time, and nothing else."""
        if self.alive:
            self._drop(segments.removed_since(connection, self._generation), state.past_id)
        for ids, rows in vectors.chunks(connection, self._lane, self._last_id):
            self._tail.add_with_ids(rows, ids)
        self._last_id = state.past_id - 1
        self._generation, self._main_name = state.generation, state.main

    def search(
        self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and ids of at most `count` vectors nearest to a query `[1, dim]`, best first."""
        count = max(1, min(count, self.alive))
        found = [self._search_tail(query, count, allowed)] if self._tail.ntotal else []
        if self._main:
            found.append(self._main.search(query, count, allowed))
        if not found:
            return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
        if len(found) == 1:
            return found[0]
        scores, ids = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(-scores, kind="stable")[:count]
        return scores[order], ids[order]

    @property
    def alive(self) -> int:
        return int(self._tail.ntotal) + (self._main.alive if self._main else 0)

    @property
    def structures(self) -> list[FaissObject]:
        """The FAISS indexes that a search asks, to measure beside it."""
        return ([self._main.structure] if self._main else []) + ([self._tail] if self._tail.ntotal else [])

    def _drop(self, ranges: Sequence[tuple[int, int]], past_id: int) -> None:
        mask = np.zeros(past_id, dtype=np.bool_)
        for first, past in ranges:
            mask[first:past] = True
        if ranges:
            self._tail.remove_ids(selector(mask))
        if self._main:
            self._main.drop(ranges, past_id)

    def _search_tail(
        self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        params = None if allowed is None else faiss.SearchParameters(sel=selector(allowed))
        scores, ids = self._tail.search(query, min(count, self._tail.ntotal), params=params)
        return scores[0][ids[0] >= 0], ids[0][ids[0] >= 0]
