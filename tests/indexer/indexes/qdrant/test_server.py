"""QdrantIndex on a server, where AFTERIMAGE_TEST_QDRANT_URL names one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from indexer.indexes.exact import ExactIndex
from indexer.indexes.qdrant.collections import CollectionOptions
from indexer.indexes.qdrant.connection import QdrantConnection
from indexer.indexes.qdrant.index import QdrantIndex
from indexer.indexes.qdrant.shadow import QdrantShadow
from indexer.types import Lane
from tests.support.contract_segment_index import (
    NO_FILTERS,
    SegmentIndexContract,
    axis_vector,
    hit_ids,
    make_tags,
    picture_batch,
    put_archive,
    unit_vectors,
)

SERVER_URL = os.environ.get("AFTERIMAGE_TEST_QDRANT_URL", "")
if not SERVER_URL:
    pytest.skip("AFTERIMAGE_TEST_QDRANT_URL names no server", allow_module_level=True)


@pytest.fixture
def connection() -> Iterator[QdrantConnection]:
    connection = QdrantConnection.connect(SERVER_URL)
    yield connection
    connection.close()


@pytest.fixture
def prefix(connection: QdrantConnection) -> Iterator[str]:
    prefix = f"test{uuid.uuid4().hex}"
    yield prefix
    with connection.client() as client:
        for collection in client.get_collections().collections:
            if collection.name.startswith(prefix):
                client.delete_collection(collection.name)


class TestQdrantOnAServer(SegmentIndexContract):
    @pytest.fixture
    def index(self, connection: QdrantConnection, prefix: str) -> QdrantIndex:
        return QdrantIndex(connection, prefix)


class TestQdrantWithInt8Copies(SegmentIndexContract):
    @pytest.fixture
    def index(self, connection: QdrantConnection, prefix: str) -> QdrantIndex:
        return QdrantIndex(connection, prefix, options=CollectionOptions(quantized=True, shards=2))


def test_a_large_lane_keeps_recall(connection: QdrantConnection, prefix: str) -> None:
    index, oracle = QdrantIndex(connection, prefix, exact_up_to=10), ExactIndex()
    random = np.random.default_rng(0)
    for number in range(10):
        batch = picture_batch(unit_vectors(random, 400))
        for each in (index, oracle):
            each.put(make_tags(f"a{number}"), [batch])
    shares = []
    for query in unit_vectors(random, 30):
        hits, expected = (set(hit_ids(each.search(Lane.VISUAL, query, 10, NO_FILTERS))) for each in (index, oracle))
        shares.append(len(hits & expected) / 10)
    assert np.mean(shares) >= 0.99


def test_a_shadow_takes_the_place_of_the_index_in_use(connection: QdrantConnection, prefix: str) -> None:
    reader = QdrantIndex(connection, prefix)
    put_archive(reader)
    shadow = QdrantShadow(connection, prefix, lambda place: QdrantIndex(connection, prefix, pair=place))
    shadow.create().put(make_tags("only"), [picture_batch(axis_vector(0)[None])])
    assert len(reader.segment_counts()) == 8
    shadow.promote()
    assert hit_ids(reader.search(Lane.VISUAL, axis_vector(0), 5, NO_FILTERS)) == [("only", 0)]
