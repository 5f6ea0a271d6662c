"""Intake: what was sent, named or pointed to becomes files to index, and is kept as long as a source names it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from indexer.errors import ArtifactError, SourceError
from services.container import Container
from services.egress.errors import SourceForbidden
from services.ingest.file_discovery import DiscoveredFile
from tests.support.containers import MakeContainer
from tests.support.http_server import FakeWebServer, run_web_server

WITHOUT_MODELS = {"text__model": "", "visual__model": "", "ocr__enabled": "false", "speech__model": ""}


@pytest.fixture
def allowed_folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "open").mkdir()
    Image.new("RGB", (32, 24), "ivory").save(folder / "photo.png")
    return folder


@pytest.fixture
def web_server(allowed_folder: Path) -> Iterator[FakeWebServer]:
    with run_web_server() as web_server:
        web_server.files["/photo.png"] = (allowed_folder / "photo.png").read_bytes()
        yield web_server


@pytest.fixture
def container(make_container: MakeContainer, allowed_folder: Path) -> Container:
    return make_container(
        **WITHOUT_MODELS, ingest__allowed_roots=f'["{allowed_folder}"]', ingest__allowed_private_hosts='["127.0.0.1"]'
    )


def _resolve(container: Container, uri: str) -> list[DiscoveredFile | SourceError]:
    with container.source_resolver.resolve(uri, "photo.png", "default", _ignore_progress) as found:
        return list(found)


def _index_source(container: Container, uri: str, collection: str = "default") -> str:
    """Take a source in; gives the id of its asset."""
    with container.source_resolver.resolve(uri, "photo.png", collection, _ignore_progress) as found:
        (line,) = container.indexing.index_files(found, collection, None, 0.0)
    assert line.asset is not None, line
    return line.asset.asset_id


def _ignore_progress(name: str, done: float, total: float | None) -> None: ...


def test_files_below_the_open_folders_are_found(container: Container, allowed_folder: Path) -> None:
    (candidate,) = _resolve(container, allowed_folder.as_uri())
    assert isinstance(candidate, DiscoveredFile)
    assert (candidate.name, candidate.uri) == ("photo.png", (allowed_folder / "photo.png").as_uri())
    assert _resolve(container, (allowed_folder / "photo.png").as_uri()) == [
        DiscoveredFile(allowed_folder / "photo.png", "photo.png", True)
    ]


def test_nothing_outside_of_them_is_found_by_whatever_name(
    container: Container, allowed_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "open-too").mkdir()
    (allowed_folder / "link.png").symlink_to(tmp_path / "secret.png")
    (allowed_folder / "round").symlink_to(allowed_folder / "round")
    inside = allowed_folder.as_uri()
    for uri in (
        (tmp_path / "secret.png").as_uri(),
        (tmp_path / "missing.png").as_uri(),
        (tmp_path / "open-too").as_uri(),
        f"{inside}/../secret.png",
        f"{inside}/%2e%2e/secret.png",
        f"{inside}/link.png",
        f"{inside}/round",
        f"{inside}/nul%00",
        "file://elsewhere/open",
        "file:open",
        "file:///",
    ):
        with pytest.raises(
            SourceForbidden, match="is not below one of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS"
        ):
            container.source_resolver.validate(uri)


def test_a_link_that_leads_out_is_said_to_and_the_others_are_found(
    container: Container, allowed_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.srt").write_text("secret")
    (allowed_folder / "link.png").symlink_to("/etc/hostname")
    (allowed_folder / "film.mp4").touch()
    (allowed_folder / "film.srt").symlink_to(tmp_path / "secret.srt")
    (allowed_folder / "lone.srt").symlink_to(tmp_path / "secret.srt")
    Image.new("RGB", (32, 24), "red").save(allowed_folder / "red.png")
    found = {one.name: type(one) for one in _resolve(container, allowed_folder.as_uri())}
    leaving = dict.fromkeys(["link.png", "film.mp4", "lone.srt"], SourceError)
    assert found == leaving | {"photo.png": DiscoveredFile, "red.png": DiscoveredFile}


def _report_job(container: Container, uri: str) -> list[tuple[str, str]]:
    """What an import tells its client about each file: its name and what is wrong with it."""
    with container.source_resolver.resolve(uri, "films", "default", _ignore_progress) as found:
        lines = container.indexing.index_files(found, "default", None, 0.0)
        return sorted((line.name, line.reason) for line in lines)


def test_nothing_behind_a_link_that_leads_out_is_named_whether_it_is_there_or_not(
    container: Container, allowed_folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "deeper").mkdir(parents=True)
    Image.new("RGB", (32, 24), "red").save(outside / "deeper" / "secret.png")
    (outside / "closed").mkdir(mode=0)
    os.mkfifo(outside / "pipe")
    for name in ("folder", "closed", "pipe", "missing"):
        (allowed_folder / name).symlink_to(outside / ("" if name == "folder" else name))
    (allowed_folder / "inner").symlink_to(allowed_folder / "nowhere")
    told = dict(_report_job(container, allowed_folder.as_uri()))
    leads_out = "leads out of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS"
    assert {told.pop(name) for name in ("folder", "closed", "pipe", "missing")} == {leads_out}
    assert told == {"photo.png": "", "inner": "there is no such file"}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_sidecar_that_is_a_link_out_says_not_whether_it_leads_anywhere(
    container: Container, allowed_folder: Path, tmp_path: Path, is_there: bool
) -> None:
    if is_there:
        (tmp_path / "secret.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nsecret\n")
    (allowed_folder / "photo.srt").symlink_to(tmp_path / "secret.srt")
    told = _report_job(container, allowed_folder.as_uri())
    assert told == [("photo.png", "leads out of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS")]


def test_a_file_that_becomes_a_link_out_after_it_was_found_is_not_read(
    container: Container, allowed_folder: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (32, 24), "red").save(tmp_path / "secret.png")
    with container.source_resolver.resolve(allowed_folder.as_uri(), "films", "default", _ignore_progress) as found:
        files = list(found)
        (allowed_folder / "photo.png").unlink()
        (allowed_folder / "photo.png").symlink_to(tmp_path / "secret.png")
        (line,) = container.indexing.index_files(files, "default", None, 0.0)
    assert (line.asset, line.reason) == (None, "leads out of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS")


def test_without_open_folders_and_hosts_nothing_can_be_named(
    make_container: MakeContainer, allowed_folder: Path
) -> None:
    closed = make_container(**WITHOUT_MODELS)
    upload = closed.source_resolver.store_upload(
        allowed_folder / "photo.png", "photo.png"
    )  # whoever sent it named nothing
    for uri in (
        *((allowed_folder / "photo.png").as_uri(), "https://example.org/x.mp4", "http://127.0.0.1/x", upload),
        *("http://[", "file://[", "FILE:///etc/passwd", "file:", ":", ""),
    ):
        with pytest.raises(SourceForbidden):
            closed.source_resolver.validate(uri)


def test_an_upload_is_kept_until_the_last_source_that_names_it_is_deleted(
    container: Container, allowed_folder: Path
) -> None:
    uri = container.source_resolver.store_upload(allowed_folder / "photo.png", "../my holiday/Phöto 1.png")
    key = container.source_resolver.media_key("default", uri)
    assert key is not None
    assert key.endswith("/Ph_to_1.png")
    asset_id = _index_source(container, uri)
    assert [source.uri for source in container.catalog.sources(asset_id)] == [uri]
    with container.blobs.local_file(key) as path:
        assert path.read_bytes() == (allowed_folder / "photo.png").read_bytes()
    container.deletion.delete_asset(asset_id, None)
    assert list(container.blobs.list_keys("media")) == []
    with pytest.raises(ArtifactError), container.blobs.local_file(key):
        pass


def test_nobody_names_another_part_of_the_store_as_an_upload(container: Container) -> None:
    for uri in ("blob:artifacts/x/y", f"blob:media/{'a' * 32}/../../catalog.db", "blob:media/x/y", "blob:"):
        with pytest.raises(SourceForbidden, match="is not an upload"):
            container.source_resolver.media_key("default", uri)


def test_what_is_fetched_is_indexed_and_kept_for_each_collection_by_itself(
    container: Container, web_server: FakeWebServer
) -> None:
    uri = f"{web_server.url}/photo.png"
    first, second = _index_source(container, uri, "one"), _index_source(container, uri, "two")
    assert first == second
    assert {source.uri for source in container.catalog.sources(first)} == {uri}
    assert len(list(container.blobs.list_keys("media"))) == 2
    container.deletion.delete_asset(first, "one")
    assert [*container.blobs.list_keys("media")] == [container.source_resolver.media_key("two", uri)]
    assert list((container.home / "incoming").iterdir()) == []


def test_what_changed_at_its_url_is_another_asset_in_the_place_of_the_first(
    container: Container, web_server: FakeWebServer, tmp_path: Path
) -> None:
    uri = f"{web_server.url}/photo.png"
    first = _index_source(container, uri)
    Image.new("RGB", (32, 24), "red").save(tmp_path / "red.png")
    web_server.files["/photo.png"] = (tmp_path / "red.png").read_bytes()
    second = _index_source(container, uri)
    assert [asset.asset_id for asset in container.catalog.assets()] == [second] != [first]
    assert (
        container.blobs.get(str(container.source_resolver.media_key("default", uri))) == web_server.files["/photo.png"]
    )


def test_what_could_not_be_indexed_is_not_kept(container: Container, web_server: FakeWebServer) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        container.source_resolver.resolve(f"{web_server.url}/photo.png", "p", "default", _ignore_progress),
    ):
        raise ZeroDivisionError
    assert list(container.blobs.list_keys("media")) == []
    assert list((container.home / "incoming").iterdir()) == []


def test_what_a_crash_left_on_its_way_is_cleared_away_after_a_day(
    container: Container, web_server: FakeWebServer
) -> None:
    for name, age_s in (("old", 25 * 3600), ("young", 3600)):
        (folder := container.home / "incoming" / name).mkdir(parents=True)
        (folder / "file").write_bytes(b"x")
        for path in (folder / "file", folder):
            os.utime(path, (time.time() - age_s,) * 2)
    _index_source(container, f"{web_server.url}/photo.png")
    assert [folder.name for folder in (container.home / "incoming").iterdir()] == ["young"]
