"""Dates and texts of videos, in the containers that phones, cameras and editors write."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer.media.probe import probe
from indexer.media.sandbox.limits import MediaLimits
from indexer.media.video.metadata import read_metadata
from tests.support.video_fixtures import write_tagged_video


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_the_creation_time_of_a_container_is_utc(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    write_tagged_video(path, {"creation_time": "2018-03-04T10:20:30Z"})
    info = probe(path, MediaLimits())
    assert (info.taken_at, info.date_source) == (utc(2018, 3, 4, 10, 20, 30), "creation_time")


def test_the_date_of_a_phone_with_its_time_zone_outweighs_that_of_the_container(tmp_path: Path) -> None:
    path = tmp_path / "film.mov"
    tags = {
        "creation_time": "2019-01-01T00:00:00Z",
        "com.apple.quicktime.creationdate": "2018-03-04T10:20:30+0100",
        "com.apple.quicktime.title": "Regatta",
        "com.apple.quicktime.description": "The boats at Henley",
    }
    write_tagged_video(path, tags, {"movflags": "use_metadata_tags"})
    info = probe(path, MediaLimits())
    assert (info.taken_at, info.date_source) == (utc(2018, 3, 4, 9, 20, 30), "QuickTime creationdate")
    assert info.metadata == ("Title: Regatta", "Description: The boats at Henley")


@pytest.mark.parametrize("zero", ["1904-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000Z", "nonsense"])
def test_the_zero_of_a_clock_is_no_date(zero: str) -> None:
    assert read_metadata({"creation_time": zero}, [])[0] is None
    date, _ = read_metadata({"creation_time": zero, "date": "2018-03-04"}, [])
    assert date is not None and date.source == "date, local time read as UTC"


def test_the_date_of_a_stream_serves_where_the_container_has_none() -> None:
    date, _ = read_metadata({}, [{"handler_name": "VideoHandler"}, {"creation_time": "2018-03-04T10:20:30Z"}])
    assert date is not None and date.time == utc(2018, 3, 4, 10, 20, 30)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_titles_comments_and_authors_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    write_tagged_video(path, {"title": "Regatta", "comment": "Filmed from the bridge", "artist": "Ada Lovelace"})
    lines = probe(path, MediaLimits()).metadata
    assert set(lines) == {"Title: Regatta", "Comment: Filmed from the bridge", "Author: Ada Lovelace"}


def test_what_encoders_write_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_tagged_video(path, {"comment": "Lavf60.3.100"})
    assert probe(path, MediaLimits()).metadata == ()
