"""QdrantIndex in Qdrant's local mode: the contract, agreement with FAISS, changes that die, readers beside writers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from indexer.errors import IndexMismatch, IndexUnavailable
from indexer.indexes.exact import ExactIndex
from indexer.indexes.faiss.index import FaissIndex
from indexer.indexes.qdrant.connection import QdrantConnection
from indexer.indexes.qdrant.index import QdrantIndex
from indexer.indexes.qdrant.shadow import QdrantShadow
from indexer.ports import SegmentIndex
from indexer.types import AssetKind, Lane, Origin, Segment, SegmentBatch, SegmentFilter
from tests.support.contract_segment_index import (
    DIM,
    FILTERS,
    NO_FILTERS,
    SegmentIndexContract,
    axis_vector,
    hit_ids,
    make_tags,
    page_batch,
    picture_batch,
    put_archive,
    search_texts,
    unit_vectors,
)


class TestQdrantInMemory(SegmentIndexContract):
    @pytest.fixture
    def index(self, connection: QdrantConnection) -> QdrantIndex:
        return QdrantIndex(connection, "afterimage")


class TestQdrantInAFolder(SegmentIndexContract):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[QdrantIndex]:
        server = QdrantConnection.in_folder(tmp_path / "qdrant")
        yield QdrantIndex(server, "afterimage")
        server.close()


KEYWORD_QUERY = (Lane.KEYWORDS, "new word of a fire truck")


@pytest.fixture
def connection() -> Iterator[QdrantConnection]:
    connection = QdrantConnection.in_memory()
    yield connection
    connection.close()


def count_points(connection: QdrantConnection) -> int:
    """How many segments are stored, seen or not."""
    with connection.client() as client:
        return client.count("afterimage-0").count


def visible_state(index: SegmentIndex) -> tuple[object, ...]:
    """All that can be seen of an index."""
    filters = (FILTERS[name] for name in ("everything", "one collection", "unknown collection", "kind"))
    searches = (
        (lane, query, where) for where in filters for lane, query in ((Lane.VISUAL, axis_vector(0)), KEYWORD_QUERY)
    )
    hits = [index.search(lane, query, 999, where) for lane, query, where in searches]
    return index.segment_counts(), [hit_ids(each) for each in hits], {hit.kind for each in hits for hit in each}


@pytest.fixture(scope="module")
def both_indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[QdrantIndex, FaissIndex]]:
    server = QdrantConnection.in_memory()
    qdrant, faiss = QdrantIndex(server, "afterimage"), FaissIndex(tmp_path_factory.mktemp("faiss") / "index")
    for number in range(30):
        for index in (qdrant, faiss):
            index.put(make_tags(f"a{number:02}", "red" if number % 2 else "blue"), [TestAgainstFaiss.batch(number)])
    yield qdrant, faiss
    faiss.close()
    server.close()


class TestAgainstFaiss:
    """The same random archive in both."""

    @staticmethod
    def batch(number: int) -> SegmentBatch:
        random = np.random.default_rng(number)
        usual = 1 / np.arange(1, 301)
        texts = (random.choice(300, random.integers(3, 40), p=usual / usual.sum()) for _ in range(50))
        segments = tuple(
            Segment(ordinal, Origin.SUBTITLE, float(ordinal), ordinal + 1.0, text=" ".join(f"w{w}x" for w in words))
            for ordinal, words in enumerate(texts)
        )
        vectors = {Lane.VISUAL: unit_vectors(random, 50, 96), Lane.TEXT: unit_vectors(random, 50, 48)}
        return SegmentBatch(segments, {lane: np.arange(50) for lane in vectors}, vectors)

    @pytest.mark.parametrize("filters", [NO_FILTERS, FILTERS["one collection"], FILTERS["between"]])
    def test_vectors_score_the_same(self, both_indexes: tuple[QdrantIndex, FaissIndex], filters: SegmentFilter) -> None:
        for query in unit_vectors(np.random.default_rng(99), 10, 96):
            ours, theirs = (index.search(Lane.VISUAL, query, 10, filters) for index in both_indexes)
            assert hit_ids(ours) == hit_ids(theirs)
            assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-4)

    @pytest.mark.parametrize("filters", [NO_FILTERS, FILTERS["one collection"]])
    def test_words_find_the_same(self, both_indexes: tuple[QdrantIndex, FaissIndex], filters: SegmentFilter) -> None:
        random = np.random.default_rng(5)
        shares = []
        for _ in range(10):
            query = " ".join(f"w{word}x" for word in random.integers(0, 320, 4))
            ours, theirs = (index.search(Lane.KEYWORDS, query, 10, filters) for index in both_indexes)
            assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-6)
            shares.append(len({*hit_ids(ours)} & {*hit_ids(theirs)}) / max(1, len(theirs)))
        assert np.mean(shares) >= 0.95


class _ProcessDied(BaseException):
    """Stands for SIGKILL: nothing that tidies up may run."""


class _DyingConnection(QdrantConnection):
    """The same Qdrant, for a process that dies before its request number `last`."""

    def __init__(self, connection: QdrantConnection, requests_left: int) -> None:
        super().__init__(connection._client, "dying", is_local=True)
        self._left = requests_left

    @contextmanager
    def client(self) -> Iterator[QdrantClient]:
        if not self._left:
            raise _ProcessDied
        self._left -= 1
        with super().client() as client:
            yield client


def index_changes() -> dict[str, object]:
    new = SegmentBatch(
        tuple(Segment(i, Origin.PICTURE, float(i), i + 1.0, text="new word") for i in range(5)),
        {Lane.VISUAL: np.arange(5)},
        {Lane.VISUAL: np.eye(5, DIM, dtype=np.float32)},
    )
    return {
        "put": lambda index: index.put(make_tags("a1", "red"), [new]),
        "put anew": lambda index: index.put(make_tags("new", "red"), [new]),
        "tag": lambda index: index.update_tags(make_tags("a1", "red", "green", kind=AssetKind.IMAGE)),
        "remove": lambda index: index.remove("a1"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", index_changes())
def test_a_change_that_dies_at_any_moment_is_seen_wholly_or_not_at_all(connection: QdrantConnection, name: str) -> None:
    change = index_changes()[name]
    states: dict[int, tuple[object, ...]] = {}
    for last in range(4, 100):
        with connection.client() as client:
            for each in client.get_collections().collections:
                client.delete_collection(each.name)
        index = QdrantIndex(connection, "afterimage")
        put_archive(index)
        old = visible_state(index)
        try:
            change(QdrantIndex(_DyingConnection(connection, last), "afterimage"))  # type: ignore[operator]
        except _ProcessDied:
            states[last] = visible_state(index)
            change(index)  # type: ignore[operator]  # what was left is done, or cleared away
            state_after_retry, points_after_retry = visible_state(index), count_points(connection)
            continue
        whole = visible_state(index)
        break
    assert len(states) >= 8
    assert whole != old
    assert set(map(repr, states.values())) == {repr(old), repr(whole)}
    assert state_after_retry == whole
    assert points_after_retry == count_points(connection)


def test_a_reader_beside_writers_always_sees_whole_assets(connection: QdrantConnection) -> None:
    index = QdrantIndex(connection, "afterimage")
    random = np.random.default_rng(0)
    batches = [[picture_batch(unit_vectors(random, 25), first) for first in (0, 25)] for _ in range(6)]
    index.put(make_tags("a0"), batches[0])

    def watch() -> set[int]:
        reader = QdrantIndex(connection, "afterimage")
        return {len(reader.search(Lane.VISUAL, axis_vector(0), 5000, NO_FILTERS)) % 50 for _ in range(8)}

    def write(number: int) -> None:
        writer = QdrantIndex(connection, "afterimage")
        for again in range(2):
            writer.put(make_tags(f"a{number}"), batches[(number + again) % 6])
        if number == 3:
            writer.remove("a3")

    with ThreadPoolExecutor(7) as pool:
        watchers = [pool.submit(watch) for _ in range(2)]
        for writer in [pool.submit(write, number) for number in range(5)]:
            writer.result()
        assert set().union(*(watcher.result() for watcher in watchers)) == {0}
    assert index.segment_counts() == {f"a{number}": 50 for number in (0, 1, 2, 4)}
    assert index.generation() == 1 + 5 * 2 + 1


def test_an_index_opened_again_is_the_same(tmp_path: Path) -> None:
    first = QdrantConnection.in_folder(tmp_path)
    index = QdrantIndex(first, "afterimage")
    put_archive(index)
    before = visible_state(index), index.generation()
    first.close()
    second = QdrantConnection.in_folder(tmp_path)
    index = QdrantIndex(second, "afterimage")
    assert (visible_state(index), index.generation()) == before
    second.close()


def test_a_folder_is_for_one_process(tmp_path: Path) -> None:
    server = QdrantConnection.in_folder(tmp_path)
    script = f"""
        from pathlib import Path
        from indexer.indexes.qdrant.connection import QdrantConnection
        QdrantConnection.in_folder(Path({str(tmp_path)!r}))
    """
    other = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert "WriteLockTimeout" in other.stderr
    assert "in use" in other.stderr
    server.close()
    QdrantConnection.in_folder(tmp_path).close()


def test_another_models_vectors_are_refused_and_both_models_named(connection: QdrantConnection) -> None:
    index = QdrantIndex(connection, "p", {Lane.VISUAL: "siglip", Lane.TEXT: "minilm"})
    index.put(make_tags("a"), [picture_batch(axis_vector(0)[None])])
    other = QdrantIndex(connection, "p", {Lane.VISUAL: "clip", Lane.TEXT: "minilm"})
    assert other.stored_model_ids() == {Lane.VISUAL: "siglip"}
    for use in (
        lambda: other.put(make_tags("b"), [picture_batch(axis_vector(0)[None])]),
        lambda: other.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS),
        other.verify_models,
    ):
        with pytest.raises(IndexMismatch, match=r"siglip.*clip"):
            use()
    assert other.put(make_tags("b"), [picture_batch(axis_vector(0)[None], lane=Lane.TEXT)]) == 1
    assert (
        other.put(make_tags("a"), [picture_batch(axis_vector(0)[None])]) == 1
    )  # the lane was emptied by this very change
    other.verify_models()
    with pytest.raises(IndexMismatch):
        index.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS)


def test_two_indexes_on_one_server_do_not_meet(connection: QdrantConnection) -> None:
    first, second = QdrantIndex(connection, "one"), QdrantIndex(connection, "one-2")
    first.put(make_tags("a"), [page_batch("a word")])
    QdrantShadow(connection, "one", lambda place: QdrantIndex(connection, "one", pair=place)).create()
    assert search_texts(second, "word") == []
    second.put(make_tags("b"), [page_batch("another word")])
    shadow = QdrantShadow(connection, "one", lambda place: QdrantIndex(connection, "one", pair=place))
    shadow.create().put(make_tags("c"), [page_batch("third word")])
    shadow.promote()
    assert (search_texts(first, "word"), search_texts(second, "word")) == (["third word"], ["another word"])


def test_a_large_put_arrives_whole(connection: QdrantConnection) -> None:
    index, oracle = QdrantIndex(connection, "afterimage"), ExactIndex()
    for each in (index, oracle):
        random = np.random.default_rng(3)
        assert each.put(make_tags("a"), (picture_batch(unit_vectors(random, 400), first) for first in (0, 400))) == 800
    query = unit_vectors(np.random.default_rng(4), 1)[0]
    hits = index.search(Lane.VISUAL, query, 20, NO_FILTERS)
    assert hit_ids(hits) == hit_ids(oracle.search(Lane.VISUAL, query, 20, NO_FILTERS))


def test_a_server_that_is_not_there_is_named() -> None:
    index = QdrantIndex(QdrantConnection.connect("http://127.0.0.1:9", "key"), "afterimage")
    with pytest.raises(IndexUnavailable, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        index.segment_counts()
