from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ArtifactError, IndexMismatch, StorageFull
from indexer.indexes.exact import ExactIndex
from indexer.indexes.faiss.index import FaissIndex
from indexer.types import Lane, SegmentBatch, SegmentFilter, Vectors
from tests.support.contract_segment_index import (
    DIM,
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


class TestFaissIndex(SegmentIndexContract):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[FaissIndex]:
        index = FaissIndex(tmp_path / "index")
        yield index
        index.close()


class TestFaissIndexWithMainFiles(SegmentIndexContract):
    """The same, with an inverted file from the eleventh vector on."""

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[FaissIndex]:
        index = FaissIndex(tmp_path / "index", exact_up_to=10)
        yield index
        index.close()


@pytest.fixture
def index_folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def clustered_vectors(random: np.random.Generator, count: int) -> Vectors:
    centres = unit_vectors(np.random.default_rng(99), 40)
    rows = centres[random.integers(0, 40, count)] + 0.1 * random.standard_normal((count, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ivf_files(index_folder: Path) -> list[str]:
    return sorted(path.name for path in index_folder.glob("*.faiss"))


def test_an_index_opened_again_is_the_same(index_folder: Path) -> None:
    first = FaissIndex(index_folder)
    put_archive(first)
    hits = first.search(Lane.VISUAL, axis_vector(0), 9, NO_FILTERS)
    first.close()
    again = FaissIndex(index_folder)
    assert again.search(Lane.VISUAL, axis_vector(0), 9, NO_FILTERS) == hits
    assert (again.segment_counts(), again.generation()) == (first.segment_counts(), first.generation())


def test_two_instances_on_one_folder_see_each_others_changes(index_folder: Path) -> None:
    first, second = FaissIndex(index_folder), FaissIndex(index_folder)
    first.put(make_tags("a"), [picture_batch(np.eye(2, DIM, dtype=np.float32))])
    assert hit_ids(second.search(Lane.VISUAL, axis_vector(0), 9, NO_FILTERS)) == [("a", 0), ("a", 1)]
    second.put(make_tags("b"), [picture_batch(axis_vector(0)[None])])
    assert hit_ids(first.search(Lane.VISUAL, axis_vector(0), 2, NO_FILTERS)) == [("a", 0), ("b", 0)]
    first.remove("a")
    assert hit_ids(second.search(Lane.VISUAL, axis_vector(0), 9, NO_FILTERS)) == [("b", 0)]
    second.update_tags(make_tags("b", "red"))
    assert first.search(Lane.VISUAL, axis_vector(0), 9, SegmentFilter(collections=frozenset({"red"})))


def test_a_change_is_taken_in_without_reading_the_rest_again(
    index_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from indexer.indexes import vector_rows

    index = FaissIndex(index_folder)
    random = np.random.default_rng(0)
    index.put(make_tags("a"), [picture_batch(unit_vectors(random, 300))])
    index.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS)
    loaded: list[int] = []
    chunks = vector_rows.iter_chunks

    def counted(connection: sqlite3.Connection, lane: Lane, after_id: int) -> Iterator[tuple[object, Vectors]]:
        for ids, rows in chunks(connection, lane, after_id):
            loaded.append(len(ids))
            yield ids, rows

    monkeypatch.setattr(vector_rows, "iter_chunks", counted)
    index.put(make_tags("b"), [picture_batch(unit_vectors(random, 7))])
    index.update_tags(make_tags("a", "red"))
    index.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS)
    index.remove("a")
    assert len(index.search(Lane.VISUAL, axis_vector(0), 999, NO_FILTERS)) == 7
    assert loaded == [7]


def test_searches_in_threads_beside_a_writer_always_see_a_whole_state(index_folder: Path) -> None:
    index = FaissIndex(index_folder, exact_up_to=300)
    random = np.random.default_rng(0)
    batches = [picture_batch(clustered_vectors(random, 50)) for _ in range(20)]
    index.put(make_tags("a0"), [batches[0]])

    def watch() -> set[int]:
        return {len(index.search(Lane.VISUAL, axis_vector(0), 5000, NO_FILTERS)) % 50 for _ in range(25)}

    with ThreadPoolExecutor(4) as pool:
        watchers = [pool.submit(watch) for _ in range(4)]
        for number, batch in enumerate(batches):
            index.put(make_tags(f"a{number}"), [batch])
        index.remove("a3")
        assert set().union(*(watcher.result() for watcher in watchers)) == {0}
    assert len(index.search(Lane.VISUAL, axis_vector(0), 5000, NO_FILTERS)) == 950


def test_a_killed_put_leaves_the_old_state(index_folder: Path) -> None:
    index = FaissIndex(index_folder)
    put_archive(index)
    before = index.segment_counts(), index.generation(), index.search(Lane.VISUAL, axis_vector(0), 500, NO_FILTERS)
    script = """
        import sys
        from pathlib import Path
        import numpy as np
        from tests.support.contract_segment_index import make_tags, picture_batch, unit_vectors
        from indexer.indexes.faiss.index import FaissIndex

        def batches():
            for first in range(0, 100_000, 2000):
                yield picture_batch(unit_vectors(np.random.default_rng(first), 2000), first)
                if first == 40_000:
                    print("half way", flush=True)
                    sys.stdin.read()

        FaissIndex(Path(sys.argv[1])).put(make_tags("a0"), batches())
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    command = [sys.executable, "-c", textwrap.dedent(script), str(index_folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half way\n"
        process.send_signal(signal.SIGKILL)
    for survivor in (index, FaissIndex(index_folder)):
        after = (
            survivor.segment_counts(),
            survivor.generation(),
            survivor.search(Lane.VISUAL, axis_vector(0), 500, NO_FILTERS),
        )
        assert after == before
    assert index.put(make_tags("a0"), [picture_batch(axis_vector(0)[None])]) == 1


def test_a_full_disk_is_named_and_changes_nothing(index_folder: Path) -> None:
    index = FaissIndex(index_folder)
    index.put(make_tags("a"), [page_batch("fire truck")])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StorageFull):
            index.put(
                make_tags("b"),
                (picture_batch(unit_vectors(np.random.default_rng(0), 2000), n) for n in range(0, 100_000, 2000)),
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert search_texts(index, "truck") == ["fire truck"]
    assert index.segment_counts() == {"a": 1}
    assert index.put(make_tags("b"), [page_batch("harbour")]) == 1


@pytest.mark.parametrize("damage", ["no database", "holes"])
def test_a_damaged_file_says_what_mends_it(index_folder: Path, damage: str) -> None:
    index = FaissIndex(index_folder)
    put_archive(index)
    index.close()
    path = index_folder / "segments.sqlite"
    whole = path.read_bytes()
    path.write_bytes(b"x" * 4096 if damage == "no database" else whole[:20_000] + os.urandom(len(whole) - 20_000))
    with pytest.raises(ArtifactError, match="afterimage reindex rebuilds it"):
        FaissIndex(index_folder).search(Lane.VISUAL, axis_vector(0), 9, NO_FILTERS)


def test_a_layout_of_another_version_is_refused(index_folder: Path) -> None:
    FaissIndex(index_folder).close()
    with sqlite3.connect(index_folder / "segments.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ArtifactError, match="layout 99"):
        FaissIndex(index_folder)


def test_another_models_vectors_are_refused_and_both_models_named(index_folder: Path) -> None:
    index = FaissIndex(index_folder, {Lane.VISUAL: "siglip", Lane.TEXT: "minilm"})
    index.put(make_tags("a"), [picture_batch(axis_vector(0)[None])])
    other = FaissIndex(index_folder, {Lane.VISUAL: "clip", Lane.TEXT: "minilm"})
    for use in (
        lambda: other.put(make_tags("b"), [picture_batch(axis_vector(0)[None])]),
        lambda: other.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS),
        other.verify_models,
    ):
        with pytest.raises(IndexMismatch, match=r"siglip.*clip"):
            use()
    assert (
        other.put(
            make_tags("b"),
            [
                picture_batch(axis_vector(0)[None], lane=Lane.TEXT),
            ],
        )
        == 1
    )
    assert (
        other.put(make_tags("a"), [picture_batch(axis_vector(0)[None])]) == 1
    )  # the lane was emptied by this very change
    other.verify_models()
    with pytest.raises(IndexMismatch):
        index.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS)


@pytest.mark.parametrize("by_link", [False, True])
def test_a_swapped_folder_is_noticed(index_folder: Path, tmp_path: Path, by_link: bool) -> None:
    home = tmp_path / "index-0" if by_link else index_folder
    if by_link:
        home.mkdir()
        index_folder.symlink_to(home.name)
    index, reader = FaissIndex(index_folder), FaissIndex(index_folder)
    index.put(make_tags("a"), [picture_batch(np.eye(3, DIM, dtype=np.float32))])
    assert hit_ids(reader.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS)) == [("a", 0)]

    shadow = FaissIndex(tmp_path / "shadow")
    shadow.put(make_tags("b"), [picture_batch(np.eye(2, DIM, dtype=np.float32))])
    shadow.close()
    if by_link:
        (tmp_path / "link").symlink_to("shadow")
        (tmp_path / "link").replace(index_folder)
    else:
        index_folder.rename(tmp_path / "old")
        (tmp_path / "shadow").rename(index_folder)
    writer = FaissIndex(index_folder)
    writer.put(
        make_tags("c"), [picture_batch(np.eye(1, DIM, dtype=np.float32))]
    )  # lies in the log of the new file only
    for instance in (index, reader):
        assert hit_ids(instance.search(Lane.VISUAL, axis_vector(0), 9, NO_FILTERS)) == [("b", 0), ("c", 0), ("b", 1)]
        instance.close()
    shutil.rmtree(home if by_link else tmp_path / "old")
    assert FaissIndex(index_folder).segment_counts() == {"b": 2, "c": 1}
    assert index.put(make_tags("d"), [page_batch("word")]) == 1
    assert search_texts(reader, "word") == ["word"]


def test_a_folder_that_went_away_is_named(index_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.indexes.faiss.database._PROMOTE_TIMEOUT_S", 0.01)
    index = FaissIndex(index_folder)
    shutil.rmtree(index_folder)
    with pytest.raises(ArtifactError, match="is missing"):
        index.segment_counts()


class TestMainFile:
    """A lane above `exact_up_to`: an inverted file, a tail, removals and filters."""

    @pytest.fixture
    def batches(self) -> dict[str, SegmentBatch]:
        random = np.random.default_rng(5)
        return {f"a{number}": picture_batch(clustered_vectors(random, 400)) for number in range(10)}

    @pytest.fixture
    def index_and_oracle(self, index_folder: Path, batches: dict[str, SegmentBatch]) -> tuple[FaissIndex, ExactIndex]:
        index, oracle = FaissIndex(index_folder, exact_up_to=2000), ExactIndex()
        for number, (asset_id, batch) in enumerate(batches.items()):
            for each in (index, oracle):
                each.put(make_tags(asset_id, "red" if number % 2 else "blue"), [batch])
        return index, oracle

    def measure_recall(
        self, index_and_oracle: tuple[FaissIndex, ExactIndex], filters: SegmentFilter = NO_FILTERS
    ) -> float:
        queries = clustered_vectors(np.random.default_rng(11), 60)
        shares = []
        for query in queries:
            hits, expected = (set(hit_ids(each.search(Lane.VISUAL, query, 10, filters))) for each in index_and_oracle)
            assert len(hits) == len(expected)
            shares.append(len(hits & expected) / len(expected) if expected else 1.0)
        return float(np.mean(shares))

    def test_there_is_one_file_and_recall_is_kept(
        self, index_folder: Path, index_and_oracle: tuple[FaissIndex, ExactIndex]
    ) -> None:
        assert len(ivf_files(index_folder)) == 1
        assert self.measure_recall(index_and_oracle) >= 0.99

    def test_a_tail_and_removals_are_seen(self, index_and_oracle: tuple[FaissIndex, ExactIndex]) -> None:
        random = np.random.default_rng(6)
        late = picture_batch(clustered_vectors(random, 30))
        for each in index_and_oracle:
            each.remove("a2")
            each.put(make_tags("late", "red"), [late])
            each.put(make_tags("a4", "blue"), [late])
        assert self.measure_recall(index_and_oracle) >= 0.99
        assert self.measure_recall((FaissIndex(index_and_oracle[0]._folder), index_and_oracle[1])) >= 0.99

    @pytest.mark.parametrize(
        "filters",
        [
            SegmentFilter(collections=frozenset({"red"})),
            SegmentFilter(assets=frozenset({"a7"})),
            SegmentFilter(start_s=10.0, end_s=12.0),
            SegmentFilter(collections=frozenset()),
        ],
    )
    def test_small_sets_are_searched_exactly(
        self, index_and_oracle: tuple[FaissIndex, ExactIndex], filters: SegmentFilter
    ) -> None:
        assert self.measure_recall(index_and_oracle, filters) == 1.0

    def test_large_sets_keep_recall(
        self, index_and_oracle: tuple[FaissIndex, ExactIndex], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("indexer.indexes.faiss.ivf._MIN_FILTERED_CANDIDATES", 0)
        assert self.measure_recall(index_and_oracle, SegmentFilter(collections=frozenset({"red"}))) >= 0.98

    def test_more_hits_than_the_nearest_cells_hold_are_all_found(
        self, index_and_oracle: tuple[FaissIndex, ExactIndex]
    ) -> None:
        assert len(index_and_oracle[0].search(Lane.VISUAL, axis_vector(0), 3990, NO_FILTERS)) == 3990

    @pytest.mark.parametrize("damage", ["missing", "cut short", "garbage"])
    def test_without_a_fitting_file_the_search_is_flat(
        self, index_folder: Path, index_and_oracle: tuple[FaissIndex, ExactIndex], damage: str
    ) -> None:
        path = index_folder / ivf_files(index_folder)[0]
        size = path.stat().st_size
        path.unlink()
        if damage != "missing":
            path.write_bytes(b"x" * (size if damage == "garbage" else size // 2))
        index = FaissIndex(index_folder)
        assert self.measure_recall((index, index_and_oracle[1])) == 1.0
        for each in (index, index_and_oracle[1]):
            each.remove("a1")
        assert self.measure_recall((index, index_and_oracle[1])) == 1.0

    def test_a_tail_that_grows_becomes_part_of_a_new_file(
        self, index_folder: Path, index_and_oracle: tuple[FaissIndex, ExactIndex]
    ) -> None:
        index, oracle = index_and_oracle
        reader = FaissIndex(index_folder)
        before = ivf_files(index_folder)
        reader.search(Lane.VISUAL, axis_vector(0), 1, NO_FILTERS)
        random = np.random.default_rng(8)
        more = picture_batch(clustered_vectors(random, 2000))
        for each in index_and_oracle:
            each.put(make_tags("more"), [more])
        assert len(ivf_files(index_folder)) == 1
        assert ivf_files(index_folder) != before
        assert self.measure_recall((index, oracle)) >= 0.99
        assert self.measure_recall((reader, oracle)) >= 0.99

    def test_when_little_is_left_the_file_goes(
        self, index_folder: Path, index_and_oracle: tuple[FaissIndex, ExactIndex]
    ) -> None:
        for number in range(8):
            for each in index_and_oracle:
                each.remove(f"a{number}")
        assert ivf_files(index_folder) == []
        assert self.measure_recall(index_and_oracle) == 1.0

    def test_a_file_that_cannot_be_written_costs_time_only(
        self, index_folder: Path, batches: dict[str, SegmentBatch], caplog: pytest.LogCaptureFixture
    ) -> None:
        index, oracle = FaissIndex(index_folder, exact_up_to=100), ExactIndex()
        (index_folder / "visual-1.writing").mkdir()
        for each in (index, oracle):
            each.put(make_tags("a0"), [batches["a0"]])
        assert "keeps its tail" in caplog.text
        assert self.measure_recall((index, oracle)) == 1.0
