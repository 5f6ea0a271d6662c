"""Benchmark of vector search: recall of FAISS against exact search, and overhead over the bare FAISS call.

Two kinds of vectors: clustered, as embeddings of an archive are, with queries near the data; and uniform on the sphere,
where nothing is near anything, the worst case. One tenth of the vectors is added after the inverted file was built and
lies in the flat tail.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Figure, make_parser, report
from indexer.indexes.exact import ExactIndex
from indexer.indexes.faiss.index import FaissIndex
from indexer.ports import SegmentIndex
from indexer.types import AssetKind, AssetTags, Lane, Origin, Segment, SegmentBatch, SegmentFilter, Vectors

DIMENSIONS = 384
RESULT_LIMIT = 10
QUERY_COUNT = 60
SEGMENTS_PER_ASSET = 2000
NO_FILTERS = SegmentFilter()
HALF_OF_ASSETS = SegmentFilter(collections=frozenset({"even"}))


@dataclass(frozen=True, slots=True)
class RecallCase:
    """Vectors to index, generated asset by asset from a seed, and queries `[QUERY_COUNT, DIMENSIONS]`."""

    name: str
    vectors: Callable[[int], Vectors]
    queries: Vectors


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--size", type=int, default=200_000, help="vectors (default: 200,000)")
    options = parser.parse_args()
    figures = [
        figure for case in (_make_clustered_case(), _make_uniform_case()) for figure in _measure(case, options.size)
    ]
    return report(
        f"search over {options.size:,} vectors of {DIMENSIONS} dimensions", figures, options.check, options.json
    )


def _measure(case: RecallCase, size: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        index, oracle = FaissIndex(Path(folder), exact_up_to=int(0.9 * size)), ExactIndex()
        started = time.perf_counter()
        _fill_index(index, case, size)
        yield Figure(f"{case.name}: time to index", time.perf_counter() - started, "s")
        _fill_index(oracle, case, size)
        for name, filters in (("", NO_FILTERS), (", half of the assets", HALF_OF_ASSETS)):
            yield Figure(
                f"{case.name}{name}: recall@10", _measure_recall(index, oracle, case.queries, filters), target=0.99
            )
        own_ms, bare_ms = _measure_search_ms(index, case.queries)
        yield Figure(f"{case.name}: search", own_ms, "ms")
        yield Figure(f"{case.name}: bare FAISS", bare_ms, "ms")
        yield Figure(f"{case.name}: search over bare FAISS", own_ms / bare_ms, "×", target=1.3, at_least=False)
        for structure in index.faiss_indexes(Lane.TEXT):
            if hasattr(structure, "nprobe"):
                yield Figure(f"{case.name}: cells probed", 100 * structure.nprobe / structure.nlist, "%")
        index.close()


def _fill_index(index: SegmentIndex, case: RecallCase, size: int) -> None:
    for number, first in enumerate(range(0, size, SEGMENTS_PER_ASSET)):
        vectors = case.vectors(number)[: size - first]
        segments = tuple(Segment(i, Origin.PICTURE, float(i), float(i + 1)) for i in range(len(vectors)))
        batch = SegmentBatch(segments, {Lane.TEXT: np.arange(len(vectors))}, {Lane.TEXT: vectors})
        collections = frozenset({"odd" if number % 2 else "even"})
        index.put(AssetTags(f"asset{number:05}", AssetKind.VIDEO, collections), [batch])


def _measure_recall(index: SegmentIndex, oracle: SegmentIndex, queries: Vectors, filters: SegmentFilter) -> float:
    shares = []
    for query in queries:
        results, truth = (
            {(hit.asset_id, hit.segment.ordinal) for hit in searched.search(Lane.TEXT, query, RESULT_LIMIT, filters)}
            for searched in (index, oracle)
        )
        shares.append(len(results & truth) / len(truth))
    return float(np.mean(shares))


def _measure_search_ms(index: FaissIndex, queries: Vectors) -> tuple[float, float]:
    """Return the times of a search and of the bare calls on the same structures, the best of three alternating rounds.

    Each round goes over all queries, so that neither finds in the processor's cache what the other has just read.
    """
    structures = index.faiss_indexes(Lane.TEXT)

    def search_bare(query: Vectors) -> None:
        for structure in structures:
            structure.search(query[None], RESULT_LIMIT)

    def search_index(query: Vectors) -> None:
        index.search(Lane.TEXT, query, RESULT_LIMIT, NO_FILTERS)

    rounds = [(_median_ms(search_index, queries), _median_ms(search_bare, queries)) for _ in range(3)]
    return min(own_ms for own_ms, _ in rounds), min(bare_ms for _, bare_ms in rounds)


def _median_ms(search: Callable[[Vectors], None], queries: Vectors) -> float:
    times = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))


def _make_clustered_case() -> RecallCase:
    """Make a mixture of 2,000 Gaussians on the sphere, of uneven size; queries lie beside stored vectors."""
    random = np.random.default_rng(0)
    centres = _normalize(random.standard_normal((2000, DIMENSIONS)))
    chances = random.pareto(1.5, 2000) + 0.1
    chances /= chances.sum()

    def vectors(number: int) -> Vectors:
        generator = np.random.default_rng((1, number))
        chosen = centres[generator.choice(2000, SEGMENTS_PER_ASSET, p=chances)]
        return _normalize(chosen + generator.standard_normal(chosen.shape) * (0.9 / DIMENSIONS**0.5))

    beside = np.concatenate([vectors(number)[: QUERY_COUNT // 20] for number in range(20)])
    return RecallCase(
        "clustered", vectors, _normalize(beside + random.standard_normal(beside.shape) * (0.7 / DIMENSIONS**0.5))
    )


def _make_uniform_case() -> RecallCase:
    def vectors(number: int) -> Vectors:
        return _normalize(np.random.default_rng((2, number)).standard_normal((SEGMENTS_PER_ASSET, DIMENSIONS)))

    return RecallCase(
        "uniform", vectors, _normalize(np.random.default_rng(3).standard_normal((QUERY_COUNT, DIMENSIONS)))
    )


def _normalize(rows: np.ndarray) -> Vectors:
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


if __name__ == "__main__":
    sys.exit(main())
