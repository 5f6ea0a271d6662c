from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract import SegmentIndexContract

from indexer.indexes.faiss import FaissIndex


class TestFaissIndex(SegmentIndexContract):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[FaissIndex]:
        index = FaissIndex(tmp_path / "index")
        yield index
        index.close()


class TestFaissIndexWithMainFiles(SegmentIndexContract):
    """The same, with an inverted file from the first vectors on."""

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[FaissIndex]:
        index = FaissIndex(tmp_path / "index", exact_up_to=10)
        yield index
        index.close()
