"""A few files in one process, and on PostgreSQL, Redis, Celery and Qdrant: the same is found, and the same answered."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.cluster import compare, figures, in_one_process, on_a_cluster
from demoworld.world.reports import print_report
from demoworld.world.snapshots import take_photos
from indexer.types import SegmentFilter
from services.types import Query

_QUICK = {"ocr__enabled": "false", "generator__kind": "extractive", "threads": "1"}
_SEARCHED = ["a sighting in the harbour", "the page with the report", "a dog", "who was there at night?"]


@pytest.mark.slow
def test_a_cluster_finds_and_answers_what_one_process_does(tmp_path: Path) -> None:
    files, nowhere = tmp_path / "archive", SegmentFilter()
    take_photos(files / "photos", seed=7, count=4)
    print_report(files / "sightings.pdf", seed=7, pages=2)
    with (
        closing(in_one_process(tmp_path / "one", files, _QUICK)) as one,
        on_a_cluster(tmp_path, files, _QUICK) as other,
    ):
        assert other.database.dialect == "postgresql"
        assert one.index.segment_counts() == other.index.segment_counts()
        assert any(one.retrieval.search(Query(words), nowhere, 10) for words in _SEARCHED)
        compared = compare(one, other, _SEARCHED, [(words, nowhere) for words in _SEARCHED])
    assert compared.different == []
    assert all(figure.ok for figure in figures(compared)), compared
