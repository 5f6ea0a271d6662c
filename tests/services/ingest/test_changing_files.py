"""Files that change while they are indexed: what was made of other bytes is never stored under their hash."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.pipeline.pipeline import IndexSource, Pipeline, compute_asset_id
from services.container import Container
from services.ingest import indexing
from services.ingest.types import FileReport, Outcome
from tests.support.containers import MakeContainer
from tests.support.video_fixtures import make_video

CHECKPOINT_S = 5
LENGTH_S, OTHER_LENGTH_S = 20.0, 15.0
pytestmark = pytest.mark.slow


@pytest.fixture
def make_indexer(make_container: MakeContainer) -> Callable[[], Container]:
    settings = {"text__model": "", "ocr__enabled": "false", "sampling__checkpoint_s": CHECKPOINT_S}
    return lambda: make_container(**settings)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    make_video(tmp_path / "films" / "film.mp4", count=200, rate=10, options={"g": "25"})
    return tmp_path / "films" / "film.mp4"


@pytest.fixture
def other_film(tmp_path: Path) -> Path:
    make_video(tmp_path / "other.mp4", count=150, rate=10, options={"g": "10", "bf": "0"})
    return tmp_path / "other.mp4"


def overwrite(film: Path, other: Path) -> None:
    """Write other bytes into the same file."""
    with film.open("r+b") as file:
        file.write(other.read_bytes())
        file.truncate()


def replace_by_rename(film: Path, other: Path) -> None:
    """Put another file in its place, as programs that save safely do."""
    Path(shutil.copy(other, film.with_suffix(".part"))).replace(film)


def overwrite_and_set_the_time_back(film: Path, other: Path) -> None:
    """Write other bytes and restore the time of modification, as some tools do."""
    before = film.stat()
    overwrite(film, other)
    os.utime(film, ns=(before.st_atime_ns, before.st_mtime_ns))


def index(container: Container, path: Path, during: Callable[[], None] | None = None, **options: str) -> FileReport:
    """Index a file; `during` is called once, after its first checkpoint."""
    pending = [during] if during is not None else []

    def on_progress(name: str, done: float, total: float | None) -> None:
        if pending:
            pending.pop()()

    (report,) = container.indexing.index_paths([path], options.get("collection", "default"), on_progress)
    return report


def check_whole(container: Container, report: FileReport, length_s: float) -> None:
    """The asset is complete, as long as its bytes say, without a warning, and indexed."""
    assert report.asset is not None, report.reason
    assert report.asset.duration_s == pytest.approx(length_s, abs=0.1)
    assert report.asset.warnings == ()
    assert container.index.segment_counts()[report.asset.asset_id] == report.asset.segments


@pytest.mark.parametrize("change", [overwrite, replace_by_rename, overwrite_and_set_the_time_back])
def test_a_file_that_is_replaced_meanwhile_is_indexed_as_what_it_became_and_its_old_bytes_stay_unknown(
    make_indexer: Callable[[], Container],
    film: Path,
    other_film: Path,
    tmp_path: Path,
    change: Callable[[Path, Path], None],
) -> None:
    container = make_indexer()
    original = Path(shutil.copy2(film, tmp_path / "backup.mp4"))
    report = index(container, film, lambda: change(film, other_film))
    check_whole(container, report, OTHER_LENGTH_S)
    assert report.asset is not None
    assert container.artifacts.list_assets() == [report.asset.asset_id]
    shutil.copy2(original, film)  # a sync brings the old bytes back, with their time
    restored = index(container, film)
    assert restored.outcome is Outcome.UPDATED
    check_whole(container, restored, LENGTH_S)
    copied = index(container, original, collection="copies")
    assert copied.asset is not None and restored.asset is not None
    assert copied.asset.asset_id == restored.asset.asset_id
    check_whole(container, copied, LENGTH_S)


def test_a_file_that_is_cut_short_meanwhile_is_indexed_once_it_is_whole(
    make_indexer: Callable[[], Container], film: Path
) -> None:
    container, whole = make_indexer(), film.read_bytes()
    report = index(container, film, lambda: os.truncate(film, 40))
    assert (report.outcome, report.asset) == (Outcome.FAILED, None)
    assert container.artifacts.list_assets() == []
    film.write_bytes(whole)
    check_whole(container, index(container, film), LENGTH_S)


def test_a_file_that_goes_away_meanwhile_is_named_with_the_reason(
    make_indexer: Callable[[], Container], film: Path
) -> None:
    container = make_indexer()
    report = index(container, film, film.unlink)
    assert (report.name, report.outcome) == (film.name, Outcome.FAILED)
    assert report.reason == "went away while it was indexed (there is no such file)"
    assert container.artifacts.list_assets() == [] and container.catalog.assets() == []


def test_an_error_of_the_disk_is_told_in_words(
    make_indexer: Callable[[], Container], film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(film))

    monkeypatch.setattr(Pipeline, "run", fail)
    report = index(make_indexer(), film)
    assert (report.outcome, report.reason) == (Outcome.FAILED, "cannot be read (input/output error)")


def test_a_file_that_is_only_touched_meanwhile_is_gone_on_with(
    make_indexer: Callable[[], Container], film: Path
) -> None:
    container, done_s = make_indexer(), []

    def on_progress(name: str, done: float, total: float | None) -> None:
        if name != film.name:
            return
        done_s.append(done)
        if len(done_s) == 1:
            film.touch()

    (report,) = container.indexing.index_paths([film], "default", on_progress)
    check_whole(container, report, LENGTH_S)
    assert done_s == [5.0, 10.0, 15.0, 20.0], "each checkpoint was committed once"
    assert index(container, film).outcome is Outcome.UNCHANGED


def test_a_file_that_goes_on_changing_fails_and_leaves_nothing_behind(
    make_indexer: Callable[[], Container], film: Path
) -> None:
    container = make_indexer()

    def append(name: str, done: float, total: float | None) -> None:
        with film.open("ab") as file:
            file.write(b"more")

    (report,) = container.indexing.index_paths([film], "default", append)
    assert report.outcome is Outcome.FAILED
    assert "written to while it was indexed" in report.reason
    assert container.artifacts.list_assets() == [] and container.catalog.assets() == []
    check_whole(container, index(container, film), LENGTH_S)


def test_a_recording_that_has_grown_is_indexed_whole(make_indexer: Callable[[], Container], tmp_path: Path) -> None:
    make_video(tmp_path / "whole.ts", count=200, rate=10, options={"g": "25"})
    whole, film, container = (tmp_path / "whole.ts").read_bytes(), tmp_path / "film.ts", make_indexer()
    film.write_bytes(whole[: len(whole) // 2])
    check_whole(container, index(container, film, lambda: film.write_bytes(whole)), LENGTH_S)


def test_what_an_earlier_version_made_of_a_changing_file_is_made_anew(
    make_indexer: Callable[[], Container], film: Path, other_film: Path
) -> None:
    container = make_indexer()
    asset = index(container, film).asset
    assert asset is not None
    _plant_artifacts_of_other_bytes(container, asset.asset_id, other_film)
    healed = index(container, film)
    check_whole(container, healed, LENGTH_S)
    assert healed.outcome is Outcome.UPDATED
    assert index(container, film).outcome is Outcome.UNCHANGED


def _plant_artifacts_of_other_bytes(container: Container, asset_id: str, other_film: Path) -> None:
    """Store artifacts of other bytes under an asset's id, with the warning that versions before 2026-11-29 gave."""
    pipeline = container.pipeline
    info = container.decoder.probe(other_film)
    manifest = pipeline.rebuild(IndexSource(other_film, asset_id, info))
    (source,) = container.catalog.sources(asset_id)
    asset = container.catalog.get([asset_id])[asset_id]
    segments = container.index.put(container.catalog.filter_tags(asset), pipeline.read_batches(manifest))
    warnings = ("was written to while it was indexed: index it again when it is complete",)
    container.catalog.upsert_source(
        source, replace(asset, duration_s=manifest.end_s, segments=segments, warnings=warnings)
    )


def test_a_file_that_is_replaced_while_it_is_hashed_is_indexed_as_what_it_became(
    make_indexer: Callable[[], Container], film: Path, other_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container, pending = make_indexer(), [other_film]

    def hash_then_replace(path: Path, sidecars: Sequence[Path]) -> str:
        asset_id = compute_asset_id(path, sidecars)
        if pending:
            replace_by_rename(film, pending.pop())
        return asset_id

    monkeypatch.setattr(indexing, "compute_asset_id", hash_then_replace)
    report = index(container, film)
    check_whole(container, report, OTHER_LENGTH_S)
    assert report.asset is not None
    assert container.artifacts.list_assets() == [report.asset.asset_id] == [compute_asset_id(film, [])]
