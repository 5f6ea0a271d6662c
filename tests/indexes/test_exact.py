from __future__ import annotations

import pytest
from contract import SegmentIndexContract

from indexer.indexes.exact import ExactIndex


class TestExactIndex(SegmentIndexContract):
    @pytest.fixture
    def index(self) -> ExactIndex:
        return ExactIndex()
