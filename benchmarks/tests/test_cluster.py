"""Equivalence of one process and a cluster (PostgreSQL, Redis, Celery, Qdrant) on a few files."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.cluster import compare, index_in_one_process, index_on_cluster, make_figures
from demoworld.world.photos import write_photos
from demoworld.world.reports import write_report
from indexer.types import SegmentFilter
from services.search.types import Query

_FAST_SETTINGS = {"ocr__enabled": "false", "generator__kind": "extractive", "threads": "1"}
_QUERIES = ["a sighting in the harbour", "the page with the report", "a dog", "who was there at night?"]


@pytest.mark.slow
def test_a_cluster_finds_and_answers_what_one_process_does(tmp_path: Path) -> None:
    files, no_filters = tmp_path / "archive", SegmentFilter()
    write_photos(files / "photos", seed=7, count=4)
    write_report(files / "sightings.pdf", seed=7, pages=2)
    with (
        closing(index_in_one_process(tmp_path / "one", files, _FAST_SETTINGS)) as single_process,
        index_on_cluster(tmp_path, files, _FAST_SETTINGS) as cluster,
    ):
        assert cluster.database.dialect == "postgresql"
        assert single_process.index.segment_counts() == cluster.index.segment_counts()
        assert any(single_process.retrieval.search(Query(words), no_filters, 10) for words in _QUERIES)
        comparison = compare(single_process, cluster, _QUERIES, [(words, no_filters) for words in _QUERIES])
    assert comparison.differing_answers == []
    assert all(figure.ok for figure in make_figures(comparison)), comparison
