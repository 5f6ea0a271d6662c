"""A backup holds all of an archive at one moment, whatever happens meanwhile, and brings it back elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from indexer.errors import ArtifactError, InvalidInput
from indexer.types import SegmentFilter
from services.access.api_keys import Scope
from services.catalog.types import Source
from services.container import Container
from services.jobs.types import IndexRequest, NewJob
from services.search.types import Query
from tests.support.containers import MakeContainer

QUESTION = "What is the notice period?"


def _stay_silent(*_: object) -> None:
    pass


def _describe(container: Container) -> tuple[object, ...]:
    """All that a user sees of an archive: assets, sources, what is found with its scores, the answer."""
    catalog = container.catalog
    assets = sorted(catalog.assets(), key=lambda asset: asset.asset_id)
    results = container.retrieval.search(Query(QUESTION), SegmentFilter(), 5)
    answer = container.answering.ask(QUESTION, SegmentFilter())
    found = [(one.asset.asset_id, one.start_s, one.end_s, round(one.score, 4)) for one in results]
    return assets, [catalog.sources(asset.asset_id) for asset in assets], found, answer.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "monday"


@pytest.fixture
def small_home(make_container: MakeContainer, tmp_path: Path) -> Iterator[Container]:
    """An archive of three pictures."""
    container = make_container(tmp_path / "small")
    _index_pictures(container, tmp_path, "red", "green", "blue")
    return container


def _index_pictures(container: Container, tmp_path: Path, *colours: str) -> None:
    paths = [tmp_path / f"{colour}.png" for colour in colours]
    for colour, path in zip(colours, paths, strict=True):
        Image.new("RGB", (64, 48), colour).save(path)
    assert [line.outcome for line in container.indexing.index_paths(paths, "default")] == ["indexed"] * len(paths)


def _names(container: Container) -> list[str]:
    return sorted(asset.name for asset in container.catalog.assets())


@pytest.mark.slow
def test_an_archive_comes_back_with_other_servers_as_it_was(
    make_container: MakeContainer, home_copy: Path, folder: Path, tmp_path: Path, postgres_url: str
) -> None:
    """From SQLite and FAISS to PostgreSQL and Qdrant, and from there to SQLite and FAISS again."""
    first = make_container(home_copy)
    media = tmp_path / "sent.png"
    Image.new("RGB", (9, 9), "red").save(media)
    uri = first.source_resolver.store_upload(media, "sent.png")
    job = first.background.jobs.submit(NewJob(IndexRequest(uri, name="sent.png"), "default"))
    key, secret = first.api_keys.create("reader", [Scope.READ], ["default"])
    expected = _describe(first)
    assert first.backup.write(folder, _stay_silent).damaged == ()

    second = make_container(tmp_path / "second", catalog__url=postgres_url, index__kind="qdrant", index__url="")
    report = second.restore.read(folder, _stay_silent)
    assert (report.damaged_assets, report.unfinished_jobs) == ((), 1)
    assert _describe(second) == expected
    assert second.api_keys.verify(secret) == key
    assert second.background.jobs.get(job.id) == job
    later = second.background.jobs.submit(NewJob(IndexRequest(uri, name="again.png"), "default"))
    assert second.background.jobs.get(later.id) == later

    back = tmp_path / "back"
    second.backup.write(back, _stay_silent)
    third = make_container(tmp_path / "third")
    assert third.restore.read(back, _stay_silent).unfinished_jobs == 2
    assert _describe(third) == expected
    key_of_media = third.source_resolver.media_key("default", uri)
    assert key_of_media is not None
    assert third.blobs.get(key_of_media) == media.read_bytes()


def test_what_changes_while_it_is_copied_is_in_it_as_it_was_at_one_moment(
    small_home: Container, make_container: MakeContainer, folder: Path, tmp_path: Path
) -> None:
    changes = iter(["blue.png", "green.png"])

    def change_the_archive(*_: object) -> None:
        if (name := next(changes, None)) is not None:
            small_home.deletion.delete_asset(small_home.catalog.find(name).asset_id, None)
            _index_pictures(small_home, tmp_path, {"blue.png": "white", "green.png": "black"}[name])

    contents = small_home.backup.write(folder, change_the_archive)
    assert (contents.assets, contents.damaged) == (3, ())
    restored = make_container(tmp_path / "restored")
    assert restored.restore.read(folder, _stay_silent).assets == 3
    assert _names(restored) == _names(small_home) == ["black.png", "red.png", "white.png"]


def test_one_that_was_cut_off_is_no_backup_and_is_gone_on_with(
    small_home: Container, make_container: MakeContainer, folder: Path, tmp_path: Path
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_home.backup.write(folder, stop)
    restored = make_container(tmp_path / "restored")
    with pytest.raises(ArtifactError, match="cut off"):
        restored.restore.read(folder, _stay_silent)
    small_home.backup.write(folder, _stay_silent)
    restored.restore.read(folder, _stay_silent)
    assert _names(restored) == _names(small_home)


def test_a_restoration_that_is_cut_off_leaves_nothing_and_is_gone_on_with(
    small_home: Container, make_container: MakeContainer, folder: Path, tmp_path: Path
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    small_home.backup.write(folder, _stay_silent)
    restored = make_container(tmp_path / "restored")
    with pytest.raises(KeyboardInterrupt):
        restored.restore.read(folder, stop)
    assert _names(restored) == []
    restored.restore.read(folder, _stay_silent)
    assert _names(restored) == _names(small_home)


def test_what_is_damaged_in_the_archive_is_named_and_the_rest_is_in_it(
    small_home: Container, make_container: MakeContainer, folder: Path, tmp_path: Path
) -> None:
    asset = small_home.catalog.find("green.png")
    (tmp_path / "small" / "artifacts" / asset.asset_id / asset.version / "00000.json").write_text("{")
    contents = small_home.backup.write(folder, _stay_silent)
    assert len(contents.damaged) == 1
    assert asset.asset_id in contents.damaged[0]
    report = make_container(tmp_path / "restored").restore.read(folder, _stay_silent)
    assert (report.assets, len(report.damaged_assets)) == (2, 1)


def test_an_upload_that_somebody_took_away_is_named(small_home: Container, folder: Path, tmp_path: Path) -> None:
    uri = small_home.source_resolver.store_upload(tmp_path / "red.png", "red.png")
    (asset,) = (one for one in small_home.catalog.assets() if one.name == "red.png")
    small_home.catalog.upsert_source(Source("sent", uri, asset.asset_id, "s", "sent.png", None), asset)
    assert small_home.backup.write(folder, _stay_silent).damaged == ()
    key = small_home.source_resolver.media_key("sent", uri)
    assert key is not None
    (tmp_path / "small" / key).unlink()
    damaged = small_home.backup.write(tmp_path / "tuesday", _stay_silent).damaged
    assert damaged == (f"sent.png: its file is missing ({key})",)


def test_nothing_is_overwritten(small_home: Container, folder: Path, tmp_path: Path) -> None:
    small_home.backup.write(folder, _stay_silent)
    for place, reason in ((folder, "holds a backup already"), (tmp_path, "is not empty")):
        with pytest.raises(InvalidInput, match=reason):
            small_home.backup.write(place, _stay_silent)
    with pytest.raises(InvalidInput, match="is no folder"):
        small_home.backup.write(tmp_path / "red.png", _stay_silent)
    with pytest.raises(InvalidInput, match="the archive is not empty"):
        small_home.restore.read(folder, _stay_silent)


def test_what_is_no_whole_backup_is_refused_before_anything_is_written(
    small_home: Container, make_container: MakeContainer, folder: Path, tmp_path: Path
) -> None:
    small_home.backup.write(folder, _stay_silent)
    restored = make_container(tmp_path / "restored")
    description = folder / "backup.json"
    whole = msgspec.json.decode(description.read_bytes())
    for change, reason in (({"format": 9}, "has format 9"), ({"revision": "9999"}, "newer version")):
        description.write_bytes(msgspec.json.encode(whole | change))
        with pytest.raises(ArtifactError, match=reason):
            restored.restore.read(folder, _stay_silent)
    description.write_bytes(msgspec.json.encode(whole))
    shutil.rmtree(next((folder / "blobs" / "artifacts").iterdir()))
    with pytest.raises(ArtifactError, match="is not whole"):
        restored.restore.read(folder, _stay_silent)
    assert _names(restored) == []
