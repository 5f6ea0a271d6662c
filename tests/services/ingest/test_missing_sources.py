"""Files that move, go and come back: the archive keeps in step, and forgets nothing without being told to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from indexer.errors import AssetNotFound
from services.catalog.types import Asset
from services.container import Container
from services.ingest.types import FileReport, Outcome
from tests.support.containers import MakeContainer
from tests.support.pictures import draw_noise


@pytest.fixture
def container(make_container: MakeContainer) -> Container:
    return make_container(text__model="", ocr__enabled="false")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a/report.png", "b/report.png", "c.png")):
        draw_noise(tmp_path / "files" / name, number)
    return tmp_path / "files"


def index(container: Container, path: Path, collection: str = "default") -> dict[str, FileReport]:
    return {report.name: report for report in container.indexing.index_paths([path], collection)}


def outcomes(container: Container, path: Path) -> dict[str, str]:
    return {name: report.outcome.value for name, report in index(container, path).items()}


def asset_of(container: Container, name: str) -> Asset:
    return container.catalog.find(name)


@pytest.mark.parametrize("link_name", ["link.png", "0_first.png", "b/link.png"])
def test_a_link_never_takes_the_name_of_the_file_it_points_to(
    container: Container, folder: Path, link_name: str
) -> None:
    (folder / link_name).symlink_to(folder / "a" / "report.png")
    for _ in range(3):
        index(container, folder)
    assert sorted(asset.name for asset in container.catalog.assets()) == ["a/report.png", "b/report.png", "c.png"]
    with pytest.raises(AssetNotFound, match="fits 2 assets"):
        container.catalog.find("report.png")


def test_a_folder_behind_a_link_leaves_names_alone_too(container: Container, folder: Path) -> None:
    (folder / "0_link").symlink_to(folder / "a")
    for _ in range(2):
        index(container, folder)
    assert sorted(asset.name for asset in container.catalog.assets()) == ["a/report.png", "b/report.png", "c.png"]


def test_a_link_to_a_file_elsewhere_has_its_own_name(container: Container, folder: Path, tmp_path: Path) -> None:
    draw_noise(tmp_path / "elsewhere.png", 9)
    (folder / "link.png").symlink_to(tmp_path / "elsewhere.png")
    assert index(container, folder)["link.png"].outcome is Outcome.INDEXED


def test_a_moved_file_keeps_its_asset_and_gets_its_new_name(container: Container, folder: Path) -> None:
    index(container, folder)
    before = asset_of(container, "a/report.png")
    (folder / "a").rename(folder / "renamed")
    moved = index(container, folder)["renamed/report.png"]
    assert (moved.outcome, moved.reason) == (Outcome.MOVED, "was a/report.png")
    after = asset_of(container, "renamed/report.png")
    assert after.asset_id == before.asset_id and after.missing_since is None
    (source,) = container.catalog.sources(after.asset_id)
    assert source.uri == (folder / "renamed" / "report.png").as_uri()
    assert set(outcomes(container, folder).values()) == {"unchanged"}


def test_a_copy_is_another_place_and_no_move(container: Container, folder: Path) -> None:
    index(container, folder)
    shutil.copy(folder / "c.png", folder / "d.png")
    assert index(container, folder)["d.png"].outcome is Outcome.INDEXED
    assert len(container.catalog.sources(asset_of(container, "c.png").asset_id)) == 2


def test_a_file_that_is_gone_is_said_to_be_and_still_there_until_it_is_pruned(
    container: Container, folder: Path
) -> None:
    index(container, folder)
    (folder / "b" / "report.png").unlink()
    assert outcomes(container, folder)["b/report.png"] == "gone"
    assert asset_of(container, "b/report.png").missing_since is not None
    (entry,) = container.missing_sources.find(None)
    assert (entry.source.name, entry.is_last) == ("b/report.png", True)
    assert [done.source.name for done in container.missing_sources.prune([entry])] == ["b/report.png"]
    with pytest.raises(AssetNotFound):
        container.catalog.find("b/report.png")
    assert container.index.segment_counts().keys() == {asset.asset_id for asset in container.catalog.assets()}
    assert entry.asset.asset_id not in container.artifacts.list_assets()


def test_a_file_that_comes_back_is_as_it_was(container: Container, folder: Path, tmp_path: Path) -> None:
    index(container, folder)
    (folder / "c.png").rename(tmp_path / "away.png")
    assert outcomes(container, folder)["c.png"] == "gone"
    entries = container.missing_sources.find(["default"])
    (tmp_path / "away.png").rename(folder / "c.png")
    assert list(container.missing_sources.prune(entries)) == [], "it is back, so it is not removed"
    assert outcomes(container, folder)["c.png"] == "unchanged"
    assert asset_of(container, "c.png").missing_since is None


def test_what_another_place_or_collection_has_is_not_gone(container: Container, folder: Path, tmp_path: Path) -> None:
    index(container, folder)
    shutil.copy(folder / "c.png", tmp_path / "copy.png")
    index(container, tmp_path / "copy.png", "other")
    (folder / "c.png").unlink()
    index(container, folder)
    asset = container.catalog.find("copy.png")
    assert asset.missing_since is None and asset.name == "copy.png"
    assert container.catalog.get([asset.asset_id], ["default"])[asset.asset_id].missing_since is not None
    (entry,) = container.missing_sources.find(None)
    assert not entry.is_last
    list(container.missing_sources.prune([entry]))
    assert [source.collection for source in container.catalog.sources(asset.asset_id)] == ["other"]
    assert container.index.segment_counts()[asset.asset_id] == asset.segments


def test_a_disk_that_is_not_there_marks_nothing(container: Container, folder: Path, tmp_path: Path) -> None:
    index(container, folder)
    folder.rename(tmp_path / "unmounted")
    (report,) = index(container, folder).values()
    assert report.outcome is Outcome.FAILED
    assert all(asset.missing_since is None for asset in container.catalog.assets())


def test_where_every_file_is_gone_a_missing_disk_is_thought_of(container: Container, folder: Path) -> None:
    index(container, folder)
    shutil.rmtree(folder)
    folder.mkdir()
    index(container, folder)
    assert container.missing_sources.all_missing(None) == ["default"]
    assert container.missing_sources.all_missing(None, [folder]) == [str(folder)]
    draw_noise(folder / "new.png", 7)
    index(container, folder)
    assert container.missing_sources.all_missing(["default"]) == []


def test_pruning_can_be_kept_to_a_path(container: Container, folder: Path) -> None:
    index(container, folder)
    for name in ("a/report.png", "c.png"):
        (folder / name).unlink()
    entries = container.missing_sources.find(None, [folder / "a"])
    assert [entry.source.name for entry in entries] == ["a/report.png"]
