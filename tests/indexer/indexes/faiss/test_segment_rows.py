"""Rows of segments: an index of an older layout is upgraded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from indexer.indexes.faiss.index import FaissIndex
from indexer.types import Lane
from tests.support.contract_segment_index import NO_FILTERS, put_archive


def test_an_index_of_before_contexts_is_upgraded(tmp_path: Path) -> None:
    index = FaissIndex(tmp_path)
    put_archive(index)
    before = index.search(Lane.KEYWORDS, "engine", 9, NO_FILTERS)
    index.close()
    with sqlite3.connect(tmp_path / "segments.sqlite") as connection:
        connection.executescript("ALTER TABLE segments DROP COLUMN context; PRAGMA user_version = 1")
    connection.close()
    assert FaissIndex(tmp_path).search(Lane.KEYWORDS, "engine", 9, NO_FILTERS) == before
