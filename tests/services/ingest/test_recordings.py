"""Recordings as a whole: what is searched of them, and when it is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.types import Origin, SegmentFilter
from services.container import Container
from services.ingest.types import FileReport
from services.search.types import Query
from tests.indexer.media.video.test_timeline import CONTAINERS, make_offset_recording
from tests.support.containers import MakeContainer

CHECKPOINT_S = 5


@pytest.fixture
def container(make_container: MakeContainer) -> Container:
    return make_container(text__model="", ocr__enabled="false", sampling__checkpoint_s=CHECKPOINT_S)


def index(container: Container, path: Path) -> FileReport:
    (report,) = container.indexing.index_paths([path], "default")
    return report


def find(container: Container, words: str) -> tuple[float | None, float | None]:
    """Return the span of the one segment that has some words."""
    (moment,) = container.retrieval.search(Query(words), SegmentFilter(), 10)
    return moment.best_segment.start_s, moment.best_segment.end_s


def write_cues(path: Path, *cues: tuple[str, str]) -> None:
    path.write_text("".join(f"{number}\n{times}\n{text}\n\n" for number, (times, text) in enumerate(cues, 1)), "utf-8")


def test_subtitles_and_pictures_of_a_recording_whose_pictures_come_late_are_on_one_clock(
    container: Container, tmp_path: Path
) -> None:
    make_offset_recording(tmp_path / "a.mp4", CONTAINERS["mp4"], (7.0, 12.0), (0.0, 12.0))
    write_cues(
        tmp_path / "a.srt",
        ("00:00:01,000 --> 00:00:02,000", "The password is marmalade."),
        ("00:00:10,000 --> 00:00:11,500", "We sail to Valparaiso."),
    )
    report = index(container, tmp_path / "a.mp4")
    assert report.asset is not None and report.asset.duration_s == pytest.approx(12.0, abs=0.1)
    assert find(container, "marmalade") == (1.0, 2.0) and find(container, "Valparaiso") == (10.0, 11.5)
    manifest = container.artifacts.read_manifest(report.asset.asset_id, report.asset.version)
    pictures = [s for b in container.pipeline.read_batches(manifest) for s in b.segments if s.origin is Origin.PICTURE]
    assert pictures[0].start_s == pytest.approx(7.0, abs=0.05)
    assert report.asset.warnings == ()


def test_a_podcast_with_one_picture_is_searched_to_its_end(container: Container, tmp_path: Path) -> None:
    make_offset_recording(tmp_path / "a.mp4", CONTAINERS["mp4"], (0.0, 0.04), (0.0, 22.0))
    write_cues(tmp_path / "a.srt", ("00:00:17,000 --> 00:00:19,000", "Ambrosius bakes seventeen loaves."))
    report = index(container, tmp_path / "a.mp4")
    assert report.asset is not None and report.asset.duration_s == pytest.approx(22.0, abs=0.1)
    assert find(container, "Ambrosius loaves") == (17.0, 19.0)
    manifest = container.artifacts.read_manifest(report.asset.asset_id, report.asset.version)
    (picture,) = [
        s for b in container.pipeline.read_batches(manifest) for s in b.segments if s.origin is Origin.PICTURE
    ]
    assert (picture.start_s, picture.end_s) == pytest.approx((0.0, 22.0), abs=0.1)


def test_a_subtitle_after_the_end_is_found_and_said(container: Container, tmp_path: Path) -> None:
    make_offset_recording(tmp_path / "a.mp4", CONTAINERS["mp4"], (0.0, 6.0), (0.0, 6.0))
    write_cues(
        tmp_path / "a.srt",
        ("00:00:05,000 --> 00:00:08,000", "Over the edge."),
        ("00:01:10,000 --> 00:01:12,000", "Long after the quagmire."),
    )
    report = index(container, tmp_path / "a.mp4")
    assert find(container, "quagmire") == (70.0, 72.0)
    assert "a subtitle begins after its end at 6.0 s, the last at 70.0 s" in report.reason
    assert report.asset is not None and report.asset.duration_s == pytest.approx(6.0, abs=0.1)
