"""Inverted file (FAISS IVF) of a large vector lane: written once, memory-mapped by every reader."""

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

faiss: Any = untyped_faiss  # its type stubs are incomplete
FaissObject: TypeAlias = Any

Chunks: TypeAlias = Callable[[], Iterable[tuple[NDArray[np.int64], Vectors]]]

_TRAINING_VECTORS_PER_CELL = 64
"""Chosen: k-means samples per centroid, within FAISS's recommended 39 to 256; more take longer to train."""

_MIN_VECTORS_PER_CELL = 39
"""Source: FAISS's `ClusteringParameters.min_points_per_centroid`."""

_MIN_FILTERED_CANDIDATES = 20_000
"""Chosen: sets of up to this many allowed vectors are searched exactly; more are slower."""

_TARGET_RECALL = 0.995
"""Chosen: above the recall@10 of 0.99 that the design asks for, since tuning queries are a sample; higher is slower.
`python -m benchmarks.search_recall` prints the resulting recall and time."""

_TUNING_QUERY_COUNT = 96
"""Chosen: 480 true neighbours for each noise level, a resolution of 0.002; more take longer to build."""

_TUNING_NOISE_LEVELS = (0.5, 1.5)
"""Chosen: queries at cosine 0.9 and 0.55 to a stored vector, near and far; farther ones need more cells."""

_CELLS_PER_ROOT = 4
"""Source: FAISS's guideline of 4 to 16 times the square root of the number of vectors."""


class FaissIvf:
    """Memory-mapped inverted file: vectors in cells around centroids; removed vectors are masked.

    A search scans the `nprobe` cells nearest to the query, a number that was tuned when the file was built. With a
    filter it scans the nearest cells with allowed vectors, until these are as many as an unfiltered search scans, and
    at least 20,000: small sets are searched exactly.
    """

    def __init__(self, path: Path) -> None:
        """Memory-map a file. Errors: OSError or RuntimeError where it is missing or not an inverted file."""
        self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
        self._lists = faiss.downcast_InvertedLists(self._index.invlists)
        self._lists.prefetch_nthread = 0  # starting threads costs more than it brings
        self._dead: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._dead_count = 0

    @property
    def faiss_index(self) -> FaissObject:
        """The mapped FAISS index."""
        return self._index

    @property
    def live_count(self) -> int:
        """Number of vectors that are not removed."""
        return int(self._index.ntotal) - self._dead_count

    def mask_removed(self, ranges: Sequence[tuple[int, int]], next_id: int) -> None:
        """Mask removed ids, given as half-open ranges."""
        if not ranges:
            return
        removed = np.zeros(next_id, dtype=np.bool_)
        for first, past in ranges:
            removed[first:past] = True
        ids, _ = self._ids_and_cells
        dead = np.zeros(next_id, dtype=np.bool_)
        dead[: len(self._dead)] = self._dead
        dead[ids[removed[ids]]] = True
        self._dead, self._dead_count = dead, int(dead.sum())

    def search(
        self, query: Vectors, count: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and ids of at most `count` nearest vectors to a query `[1, dim]`, best first."""
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
        cumulative = np.cumsum(in_cell[nearest[populated[nearest]]])
        enough = max(_MIN_FILTERED_CANDIDATES, index.ntotal * index.nprobe // index.nlist, 20 * count)
        nprobe = min(int(np.searchsorted(cumulative, enough)) + 1, len(cumulative))
        return faiss.SearchParametersIVF(
            nprobe=nprobe,
            sel=make_id_selector(allowed),
            quantizer_params=faiss.SearchParameters(sel=make_id_selector(populated)),
        )

    @cached_property
    def _ids_and_cells(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """All ids and their cells, in the order of the file."""
        sizes = [self._lists.list_size(cell) for cell in range(self._index.nlist)]
        ids = [faiss.rev_swig_ptr(self._lists.get_ids(cell), size) for cell, size in enumerate(sizes) if size]
        return np.concatenate(ids), np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)

    @cached_property
    def _centroids(self) -> Vectors:
        centroids: Vectors = self._index.quantizer.reconstruct_n(0, self._index.nlist)
        return centroids


def make_id_selector(mask: NDArray[np.bool_]) -> FaissObject:
    """Build a FAISS selector of the ids that are set in a mask."""
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def build_ivf(path: Path, chunks: Chunks, count: int) -> int:
    """Build an inverted file from `count` vectors, tune its `nprobe`, write it, and return its size in bytes.

    The vectors are streamed twice. The file appears under its name complete and durable, or not at all. Errors:
    OSError, or RuntimeError from FAISS.
    """
    nlist = max(1, min(int(_CELLS_PER_ROOT * count**0.5), count // _MIN_VECTORS_PER_CELL))
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
    """Exact ten nearest neighbours of queries, updated from a stream of vectors."""

    def __init__(self, queries: Vectors) -> None:
        self._queries = queries
        self._scores = np.full((len(queries), 10), -np.inf, dtype=np.float32)
        self.ids = np.full((len(queries), 10), -1, dtype=np.int64)

    def update(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Take a chunk of ids and vectors into account."""
        scores = np.concatenate([self._scores, self._queries @ vectors.T], axis=1)
        candidate_ids = np.concatenate([self.ids, np.broadcast_to(ids, (len(self.ids), len(ids)))], axis=1)
        best = np.argpartition(-scores, 9, axis=1)[:, :10]
        self._scores = np.take_along_axis(scores, best, axis=1)
        self.ids = np.take_along_axis(candidate_ids, best, axis=1)


def _tuning_queries(sample: Vectors) -> Vectors:
    """Return stored vectors with noise added, of the noise levels in turn: real queries are not stored vectors."""
    random = np.random.default_rng(0)
    near = sample[random.integers(0, len(sample), _TUNING_QUERY_COUNT)]
    noise = random.standard_normal(near.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    queries = near + noise * np.resize(np.array(_TUNING_NOISE_LEVELS, dtype=np.float32), (_TUNING_QUERY_COUNT, 1))
    return np.ascontiguousarray(queries / np.linalg.norm(queries, axis=1, keepdims=True), dtype=np.float32)


def _tune_nprobe(index: FaissObject, queries: Vectors, truth: NDArray[np.int64]) -> int:
    """Find the smallest `nprobe`, growing by a half, that reaches the target recall at every noise level."""
    nprobe = min(4, index.nlist)
    while nprobe < index.nlist:
        _, ids = index.search(queries, 10, params=faiss.SearchParametersIVF(nprobe=nprobe))
        hits = np.array([len(np.intersect1d(a, b)) for a, b in zip(ids, truth, strict=True)])
        if all(
            hits[level :: len(_TUNING_NOISE_LEVELS)].mean() >= 10 * _TARGET_RECALL
            for level in range(len(_TUNING_NOISE_LEVELS))
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
