from __future__ import annotations

import pytest

from indexer.indexes.exact import ExactIndex
from tests.support.contract_segment_index import SegmentIndexContract


class TestExactIndex(SegmentIndexContract):
    @pytest.fixture
    def index(self) -> ExactIndex:
        return ExactIndex()
