"""Indexing as a whole: nothing twice, nothing lost, nothing half."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.errors import AssetNotFound, InvalidInput, WriteLockTimeout
from indexer.types import SegmentFilter
from services.catalog.errors import CollectionNotFound
from services.container import Container
from services.ingest.locks.files import FileLocks
from services.ingest.types import FileReport, Outcome
from services.search.types import Query
from tests.support.containers import MakeContainer

NO_FILTERS = SegmentFilter()
pytestmark = pytest.mark.slow


def _index(container: Container, *paths: Path, collection: str = "default") -> dict[str, FileReport]:
    return {line.name: line for line in container.indexing.index_paths(list(paths), collection)}


def _search_names(container: Container, text: str, filters: SegmentFilter = NO_FILTERS) -> list[str]:
    return [moment.asset.name for moment in container.retrieval.search(Query(text), filters, 10)]


@pytest.fixture
def photos(archive: Path, tmp_path: Path) -> Path:
    for name in ("2023/label.jpg", "2024/label.jpg", "street_sign.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(archive / "photos" / name, tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_running_again_changes_nothing(make_container: MakeContainer, photos: Path) -> None:
    first = _index(make_container(), photos)
    container = make_container()
    before = container.index.generation()
    again = _index(container, photos)
    assert {line.outcome for line in first.values()} == {Outcome.INDEXED}
    assert {line.outcome for line in again.values()} == {Outcome.UNCHANGED}
    assert container.index.generation() == before


def test_a_touched_file_is_hashed_and_found_unchanged(make_container: MakeContainer, photos: Path) -> None:
    container = make_container()
    _index(container, photos)
    (photos / "street_sign.jpg").touch()
    assert _index(container, photos)["street_sign.jpg"].outcome is Outcome.UNCHANGED


def test_two_files_of_one_name_are_two_assets(make_container: MakeContainer, photos: Path) -> None:
    container = make_container()
    lines = _index(container, photos)
    labels = [lines["2023/label.jpg"].asset, lines["2024/label.jpg"].asset]
    assert len({asset.asset_id for asset in labels if asset}) == 2
    with pytest.raises(AssetNotFound, match="fits 2 assets"):
        container.catalog.find("label.jpg")


def test_a_changed_file_replaces_its_old_version_everywhere(
    make_container: MakeContainer, photos: Path, archive: Path
) -> None:
    container = make_container()
    old = _index(container, photos)["2023/label.jpg"].asset
    assert old is not None
    assert "2023/label.jpg" in _search_names(container, "TERNFLOAT inflatable lifejacket")
    shutil.copy(archive / "photos" / "lost_property.png", photos / "2023" / "label.jpg")
    line = _index(container, photos)["2023/label.jpg"]
    assert line.outcome is Outcome.UPDATED
    assert _search_names(container, "TERNFLOAT inflatable lifejacket") == []
    assert old.asset_id not in container.index.segment_counts()
    assert container.artifacts.list_versions(old.asset_id) == []
    with pytest.raises(AssetNotFound):
        container.catalog.find(old.asset_id)


def test_one_file_in_two_collections_is_stored_once_and_goes_with_the_last(
    make_container: MakeContainer, photos: Path
) -> None:
    container, sign = make_container(), photos / "street_sign.jpg"
    asset = _index(container, sign, collection="one")["street_sign.jpg"].asset
    assert asset is not None
    counts = container.index.segment_counts()
    assert _index(container, sign, collection="two")["street_sign.jpg"].outcome is Outcome.INDEXED
    assert container.index.segment_counts() == counts
    for name in ("one", "two"):
        assert _search_names(container, "Lightkeeper Lane", SegmentFilter(collections=frozenset({name})))
    deletion = container.deletion.delete_asset("street_sign.jpg", "one")
    assert (deletion.collections, deletion.segments) == (("one",), 0)
    assert not _search_names(container, "Lightkeeper Lane", SegmentFilter(collections=frozenset({"one"})))
    assert _search_names(container, "Lightkeeper Lane", SegmentFilter(collections=frozenset({"two"})))
    deletion = container.deletion.delete_asset("street_sign.jpg", None)
    assert deletion.segments == asset.segments
    assert deletion.files > 0
    assert container.index.segment_counts() == {}
    assert container.artifacts.list_assets() == []
    assert container.catalog.assets() == []


def test_one_file_is_called_what_each_collection_calls_it(make_container: MakeContainer, photos: Path) -> None:
    container, other = make_container(), photos / "elsewhere" / "lane.jpg"
    _index(container, photos / "street_sign.jpg", collection="one")
    other.parent.mkdir()
    shutil.copy(photos / "street_sign.jpg", other)
    _index(container, other, collection="two")
    for collection, name in (("one", "street_sign.jpg"), ("two", "lane.jpg")):
        assert _search_names(container, "Lightkeeper Lane", SegmentFilter(collections=frozenset({collection}))) == [
            name
        ]
    assert container.deletion.delete_asset("lane.jpg", "one").asset.name == "street_sign.jpg"
    assert _search_names(container, "Lightkeeper Lane") == ["lane.jpg"]


def test_a_file_is_called_what_the_last_run_called_it(make_container: MakeContainer, photos: Path) -> None:
    container = make_container()
    _index(container, photos / "2023" / "label.jpg")
    again = _index(container, photos / "2023", photos)["2023/label.jpg"]
    assert again.outcome is Outcome.UNCHANGED
    assert container.catalog.find("2023/label.jpg").name == "2023/label.jpg"


def test_a_warning_names_no_file(make_container: MakeContainer, archive: Path, tmp_path: Path) -> None:
    """The same bytes may have another name where somebody else sees them."""
    shutil.copy(archive / "videos" / "slipway_2022.webm", tmp_path / "secret.webm")
    (tmp_path / "secret.en.srt").write_text("no subtitles at all")
    line = _index(make_container(), tmp_path / "secret.webm")["secret.webm"]
    assert line.asset is not None
    assert line.asset.warnings == ("subtitles of its .en.srt: is not a subtitle file",)


def test_a_running_reader_sees_what_another_process_indexed_and_deleted(
    make_container: MakeContainer, photos: Path
) -> None:
    reader, writer = make_container(), make_container()
    assert _search_names(reader, "Lightkeeper Lane") == []
    _index(writer, photos / "street_sign.jpg")
    assert _search_names(reader, "Lightkeeper Lane") == ["street_sign.jpg"]
    writer.deletion.delete_asset("street_sign.jpg", None)
    assert _search_names(reader, "Lightkeeper Lane") == []


def test_only_one_process_writes_at_a_time(make_container: MakeContainer, photos: Path, tmp_path: Path) -> None:
    with (
        FileLocks(tmp_path / "home").write_lock(None),
        pytest.raises(WriteLockTimeout, match=r"process \d+ is writing"),
    ):
        _index(make_container(), photos)
    assert _index(make_container(), photos / "street_sign.jpg")["street_sign.jpg"].outcome is Outcome.INDEXED


def test_another_sampling_makes_the_asset_anew_and_keeps_one_version(
    make_container: MakeContainer, archive: Path
) -> None:
    film = archive / "videos" / "slipway_2022.webm"
    first = _index(make_container(), film)["slipway_2022.webm"].asset
    container = make_container(sampling__fps=2)
    second = _index(container, film)["slipway_2022.webm"]
    assert first is not None
    assert second.asset is not None
    assert second.outcome is Outcome.UPDATED
    assert second.asset.sampled_frames > 1.5 * first.sampled_frames
    assert container.artifacts.list_versions(first.asset_id) == [second.asset.version]


def test_another_sidecar_makes_another_asset(make_container: MakeContainer, archive: Path, tmp_path: Path) -> None:
    for name in ("slipway_2022.webm", "slipway_2022.srt"):
        shutil.copy(archive / "videos" / name, tmp_path / name)
    container = make_container()
    film, cues = tmp_path / "slipway_2022.webm", tmp_path / "slipway_2022.srt"
    first = _index(container, film)["slipway_2022.webm"].asset
    cues.write_text("1\n00:00:02,000 --> 00:00:05,000\nThe marmalade is kept in the engine room.\n")
    second = _index(container, film)["slipway_2022.webm"]
    assert second.outcome is Outcome.UPDATED
    assert first is not None
    assert second.asset is not None
    assert first.asset_id != second.asset.asset_id
    assert _search_names(container, "Where is the marmalade kept?") == ["slipway_2022.webm"]
    assert list(container.index.segment_counts()) == [second.asset.asset_id]


def test_what_a_reindex_left_out_as_damaged_is_indexed_again_from_its_source(
    make_container: MakeContainer, photos: Path
) -> None:
    container, sign = make_container(), photos / "street_sign.jpg"
    asset = _index(container, sign)["street_sign.jpg"].asset
    assert asset is not None
    container.index.remove(asset.asset_id)
    sign.touch()
    _index(container, sign)
    assert container.index.segment_counts() == {asset.asset_id: asset.segments}


def test_a_run_that_waits_is_let_in(make_container: MakeContainer, photos: Path, tmp_path: Path) -> None:
    container = make_container()
    with ThreadPoolExecutor(1) as threads:
        with FileLocks(tmp_path / "home").write_lock(None):
            lines = threads.submit(lambda: list(container.indexing.index_paths([photos], "default", timeout_s=60.0)))
        assert [line.outcome for line in lines.result()] == [Outcome.INDEXED] * 3


def test_workers_on_postgresql_index_different_assets_side_by_side(
    make_container: MakeContainer, photos: Path, postgres_url: str
) -> None:
    first, second = (make_container(catalog__url=postgres_url) for _ in range(2))
    sign, label = photos / "street_sign.jpg", photos / "2023" / "label.jpg"
    meanwhile: list[FileReport] = []

    def index_another(name: str, done: float, total: float | None) -> None:
        if meanwhile:  # it is told more than once, and last while scores are measured, after the lock
            return
        meanwhile.extend(second.indexing.index_paths([label], "default"))
        with pytest.raises(WriteLockTimeout):
            list(second.indexing.index_paths([sign], "default"))

    assert [line.outcome for line in first.indexing.index_paths([sign], "default", index_another)] == [Outcome.INDEXED]
    assert [line.outcome for line in meanwhile] == [Outcome.INDEXED]
    assert len(first.catalog.assets()) == len(first.index.segment_counts()) == 2


def test_what_another_worker_is_at_is_not_taken_for_a_leftover(
    make_container: MakeContainer, photos: Path, postgres_url: str
) -> None:
    """An asset that is in the index and not yet in the catalog is cleared away only when nobody holds it."""
    container = make_container(catalog__url=postgres_url)
    asset = _index(container, photos / "street_sign.jpg")["street_sign.jpg"].asset
    assert asset is not None
    container.catalog.remove_from_collection(asset.asset_id, None)
    container.catalog.delete_asset(asset.asset_id)
    later = make_container(catalog__url=postgres_url)
    with container.locks.write_lock(asset.asset_id):
        _index(later, photos / "2023" / "label.jpg")
        assert asset.asset_id in later.index.segment_counts()
    _index(later, photos / "2023" / "label.jpg")
    assert asset.asset_id not in later.index.segment_counts()


def test_a_collection_goes_with_what_it_alone_holds(make_container: MakeContainer, photos: Path) -> None:
    container = make_container()
    _index(container, photos, collection="trips")
    _index(container, photos / "street_sign.jpg", collection="signs")
    gone = container.deletion.delete_collection("trips")
    assert len(gone) == 3
    assert container.catalog.collections() == {"signs": 1}
    assert [asset.name for asset in container.catalog.assets()] == ["street_sign.jpg"]
    assert len(container.index.segment_counts()) == 1
    with pytest.raises(CollectionNotFound):
        container.deletion.delete_collection("trips")


def test_a_collection_with_a_name_that_none_can_have_takes_nothing_in(
    make_container: MakeContainer, photos: Path
) -> None:
    with pytest.raises(InvalidInput, match="collection's name"):
        _index(make_container(), photos, collection="a/b")
