"""The bulk of a large lane: an inverted file of FAISS, written once, mapped by every reader."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from indexer.types import Vectors

faiss: Any = untyped_faiss  # its stubs lack most of what it has
FaissObject: TypeAlias = Any

Chunks: TypeAlias = Callable[[], Iterable[tuple[NDArray[np.int64], Vectors]]]

_TRAINING_VECTORS_PER_CELL = 64  # vectors a cell
_MIN_VECTORS_PER_CELL = 39
_MIN_FILTERED_CANDIDATES = 20_000
_TARGET_RECALL = 0.995
_TUNING_QUERY_COUNT = 96
_TUNING_NOISE_LEVELS = (0.5, 1.5)


class FaissIvf:
    """Vectors of one lane in cells around centroids; removal is by mask.

    A search looks into the `nprobe` cells nearest to the query, a number that was measured when the file was built.
    With a filter it looks into the nearest cells that hold something allowed, until they hold as many allowed vectors
    as an unfiltered search looks at, and at least 20,000: small sets are searched exactly.
    """

    def __init__(self, path: Path) -> None:
        """Map a file. Errors: OSError or RuntimeError where it is missing or not an inverted file."""
        self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
        self._lists = faiss.downcast_InvertedLists(self._index.invlists)
        self._lists.prefetch_nthread = 0  # starting threads costs more than it brings
        self._dead: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._dead_count = 0

    @property
    def faiss_index(self) -> FaissObject:
        return self._index

    @property
    def live_count(self) -> int:
        return int(self._index.ntotal) - self._dead_count

    def mask_removed(self, ranges: Sequence[tuple[int, int]], next_id: int) -> None:
        """Mask removed ids, given as half-open ranges."""
        if not ranges:
            return
        gone = np.zeros(next_id, dtype=np.bool_)
        for first, past in ranges:
            gone[first:past] = True
        ids, _ = self._ids_and_cells
        dead = np.zeros(next_id, dtype=np.bool_)
        dead[: len(self._dead)] = self._dead
        dead[ids[gone[ids]]] = True
        self._dead, self._dead_count = dead, int(dead.sum())

    def search(
        self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and ids, best first, of at most `count` vectors for a query `[1, dim]`."""
        index = self._index
        if allowed is not None:
            params = self._filtered_search_parameters(query, count, allowed)
            return _without_padding(index.search(query, count, params=params)) if params else _without_padding(None)
        nprobe = min(index.nlist, max(index.nprobe, index.nprobe * count // 100))
        result = _without_padding(index.search(query, count, params=self._search_parameters(nprobe)))
        if len(result[0]) < min(count, self.live_count):
            result = _without_padding(index.search(query, count, params=self._search_parameters(index.nlist)))
        return result

    def _search_parameters(self, nprobe: int) -> FaissObject:
        if not self._dead_count:
            return faiss.SearchParametersIVF(nprobe=nprobe)
        return faiss.SearchParametersIVF(nprobe=nprobe, sel=faiss.IDSelectorNot(make_id_selector(self._dead)))

    def _filtered_search_parameters(self, query: Vectors, count: int, allowed: NDArray[np.bool_]) -> FaissObject:
        ids, cells = self._ids_and_cells
        index = self._index
        in_cell = np.bincount(cells[allowed[ids]], minlength=index.nlist)
        populated = in_cell > 0
        if not populated.any():
            return None
        nearest = np.argsort(-(self._centroids @ query[0]), kind="stable")
        held = np.cumsum(in_cell[nearest[populated[nearest]]])
        enough = max(_MIN_FILTERED_CANDIDATES, index.ntotal * index.nprobe // index.nlist, 20 * count)
        nprobe = min(int(np.searchsorted(held, enough)) + 1, len(held))
        return faiss.SearchParametersIVF(
            nprobe=nprobe,
            sel=make_id_selector(allowed),
            quantizer_params=faiss.SearchParameters(sel=make_id_selector(populated)),
        )

    @cached_property
    def _ids_and_cells(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Every id and the cell that it is in."""
        sizes = [self._lists.list_size(cell) for cell in range(self._index.nlist)]
        ids = [faiss.rev_swig_ptr(self._lists.get_ids(cell), size) for cell, size in enumerate(sizes) if size]
        return np.concatenate(ids), np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)

    @cached_property
    def _centroids(self) -> Vectors:
        centroids: Vectors = self._index.quantizer.reconstruct_n(0, self._index.nlist)
        return centroids


def make_id_selector(mask: NDArray[np.bool_]) -> FaissObject:
    """Selects the ids that are set in a mask."""
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def build_ivf(path: Path, chunks: Chunks, count: int) -> int:
    """Write `count` vectors, streamed three times at most, as an inverted file; gives its size in bytes.

    The file appears under its name complete and durable, or not at all. Errors: OSError, or RuntimeError from FAISS.
    """
    nlist = max(1, min(int(4 * count**0.5), count // _MIN_VECTORS_PER_CELL))
    step = max(1, count // (_TRAINING_VECTORS_PER_CELL * nlist))
    sample = np.concatenate([vectors[::step] for _, vectors in chunks()])
    dim = sample.shape[1]
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, nlist, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1
    index.train(sample)
    queries = _tuning_queries(sample)
    del sample
    truth = _ExactNeighbours(queries)
    for ids, vectors in chunks():
        index.add_with_ids(vectors, ids)
        truth.update(ids, vectors)
    index.nprobe = _tune_nprobe(index, queries, truth.ids)
    return _write_durably(index, path)


class _ExactNeighbours:
    """The true ten nearest of some queries, found while the vectors stream by."""

    def __init__(self, queries: Vectors) -> None:
        self._queries = queries
        self._scores = np.full((len(queries), 10), -np.inf, dtype=np.float32)
        self.ids = np.full((len(queries), 10), -1, dtype=np.int64)

    def update(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        scores = np.concatenate([self._scores, self._queries @ vectors.T], axis=1)
        known = np.concatenate([self.ids, np.broadcast_to(ids, (len(self.ids), len(ids)))], axis=1)
        best = np.argpartition(-scores, 9, axis=1)[:, :10]
        self._scores = np.take_along_axis(scores, best, axis=1)
        self.ids = np.take_along_axis(known, best, axis=1)


def _tuning_queries(sample: Vectors) -> Vectors:
    """Stored vectors moved off their place, some a little, some far: a query is never one of the vectors itself."""
    random = np.random.default_rng(0)
    near = sample[random.integers(0, len(sample), _TUNING_QUERY_COUNT)]
    noise = random.standard_normal(near.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    queries = near + noise * np.resize(np.array(_TUNING_NOISE_LEVELS, dtype=np.float32), (_TUNING_QUERY_COUNT, 1))
    return np.ascontiguousarray(queries / np.linalg.norm(queries, axis=1, keepdims=True), dtype=np.float32)


def _tune_nprobe(index: FaissObject, queries: Vectors, truth: NDArray[np.int64]) -> int:
    """The fewest cells, in steps of a half, that find what an exact search finds, for queries near and far."""
    nprobe = min(4, index.nlist)
    while nprobe < index.nlist:
        _, found = index.search(queries, 10, params=faiss.SearchParametersIVF(nprobe=nprobe))
        hits = np.array([len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)])
        if all(
            hits[kind :: len(_TUNING_NOISE_LEVELS)].mean() >= 10 * _TARGET_RECALL
            for kind in range(len(_TUNING_NOISE_LEVELS))
        ):
            break
        nprobe += max(1, nprobe // 2)
    return int(min(nprobe, index.nlist))


def _write_durably(index: FaissObject, path: Path) -> int:
    temporary = path.with_suffix(".writing")
    try:
        faiss.write_index(index, str(temporary))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path.stat().st_size


def _without_padding(
    result: tuple[NDArray[np.float32], NDArray[np.int64]] | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    if result is None:
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
    scores, ids = result[0][0], result[1][0]
    return scores[ids >= 0], ids[ids >= 0]
