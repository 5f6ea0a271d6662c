"""What a header says of a recording's length is held against what the file holds, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.media.probe import probe
from indexer.media.sandbox.limits import MediaLimits
from tests.indexer.media.test_subtitles import make_recording
from tests.indexer.media.video.test_timeline import make_offset_recording

FORMATS = {
    "mkv": ("libx264", "libopus"),
    "webm": ("libvpx", "libopus"),
    "wmv": ("wmv2", "mp2"),
    "flv": ("libx264", "aac"),
    "mp4": ("libx264", "aac"),
}
SPANS = [((0.0, 2.0), (0.0, 8.0)), ((0.0, 0.04), (0.0, 8.0)), ((4.0, 7.0), (0.0, 7.0)), ((4.5, 7.5), (2.5, 7.5))]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("pictures_s", "sound_s"), SPANS)
def test_streams_of_different_spans_are_no_lie_of_the_header(
    kind: str, pictures_s: tuple[float, float], sound_s: tuple[float, float], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{kind}"
    make_offset_recording(path, FORMATS[kind], pictures_s, sound_s)
    info = probe(path, MediaLimits())
    assert info.warnings == ()
    longest_s = max(pictures_s[1], sound_s[1]) - min(pictures_s[0], sound_s[0])
    assert info.duration_s == pytest.approx(longest_s, abs=0.15)


@pytest.mark.parametrize("offset_s", [0.0, 2.5])
def test_subtitles_that_go_on_after_the_pictures_are_no_lie_of_the_header(offset_s: float, tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.mkv", [("subrip", [(1.0, 2.0, "now"), (20.0, 25.0, "late")])], offset_s)
    assert probe(path, MediaLimits()).warnings == ()


@pytest.mark.parametrize("kind", ["mkv", "webm", "flv"])
@pytest.mark.parametrize(("pictures_s", "sound_s"), SPANS[::3])
def test_a_file_cut_short_breaks_the_promise_of_its_header(
    kind: str, pictures_s: tuple[float, float], sound_s: tuple[float, float], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{kind}"
    make_offset_recording(path, FORMATS[kind], pictures_s, sound_s)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    (warning,) = probe(path, MediaLimits()).warnings
    assert warning.startswith("its header promises")
