"""Clips: a stretch of a video as a video of its own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from indexer.errors import DamagedMedia, LimitExceeded, SourceNotFound
from indexer.media.sandbox.client import SandboxedDecoder
from tests.support.video_fixtures import make_sound, make_video, read_number

RATE = 25
FAST = {"preset": "ultrafast", "g": "50"}


def _cut_clip(media: SandboxedDecoder, path: Path, start_s: float, end_s: float, max_px: int = 640) -> bytes:
    return b"".join(media.cut_clip(path, start_s, end_s, max_px))


def _times_and_numbers(clip: bytes, tmp_path: Path) -> list[tuple[float, int]]:
    """The times and the numbers of a clip's pictures."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    with av.open(str(path)) as container:
        return [
            (float(frame.time), read_number(frame.to_ndarray(format="rgb24"))) for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize("start_s", [0.0, 1.0, 3.02, 6.48])
def test_a_clip_shows_the_pictures_of_its_stretch_and_no_others(tmp_path: Path, start_s: float) -> None:
    times = make_video(tmp_path / "a.mp4", count=200, rate=RATE, options=FAST)
    with SandboxedDecoder() as media:
        seen = _times_and_numbers(_cut_clip(media, tmp_path / "a.mp4", start_s, start_s + 0.8), tmp_path)
    first = max(number for number, time_s in enumerate(times) if time_s <= start_s)
    last = max(number for number, time_s in enumerate(times) if time_s < start_s + 0.8)
    assert [number for _, number in seen] == list(range(first, last + 1))
    assert seen[0][0] == 0.0
    for time_s, number in seen[1:]:
        assert time_s == pytest.approx(times[number] - start_s, abs=0.001)


def test_a_clip_has_its_sound_at_the_same_time(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=100, rate=RATE, options=FAST, sound_s=2.0)
    with SandboxedDecoder() as media:
        clip = _cut_clip(media, tmp_path / "a.mp4", 1.0, 3.0)
    (tmp_path / "clip.mp4").write_bytes(clip)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(heard) / 44_100 == pytest.approx(1.0, abs=0.1)  # the encoder fills up to whole frames
    assert np.sqrt(np.mean(heard[2_000:40_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_sound_alone_makes_a_clip_too(tmp_path: Path) -> None:
    make_sound(tmp_path / "a.wav", 3.0)
    with SandboxedDecoder() as media:
        clip = _cut_clip(media, tmp_path / "a.wav", 1.0, 2.0)
    (tmp_path / "clip.mp4").write_bytes(clip)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert not container.streams.video and len(container.streams.audio) == 1


def test_a_clip_is_upright_and_no_larger_than_asked(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=50, rate=RATE, options=FAST, rotation=90, size=(180, 320))
    with SandboxedDecoder() as media:
        clip = _cut_clip(media, tmp_path / "a.mp4", 0.0, 0.4, max_px=241)
    (tmp_path / "clip.mp4").write_bytes(clip)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (240, 136)
        assert [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)] == list(range(10))


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    stamps = [0, 100, 900, 1000, 4000, 4040, 5000]
    make_video(tmp_path / "a.mkv", count=7, pts_values=stamps, time_base=Fraction(1, 1000), options=FAST)
    with SandboxedDecoder() as media:
        seen = _times_and_numbers(_cut_clip(media, tmp_path / "a.mkv", 2.0, 4.5), tmp_path)
    assert [number for _, number in seen] == [3, 4, 5]
    assert [time_s for time_s, _ in seen] == pytest.approx([0.0, 2.0, 2.04], abs=0.001)


def test_a_clip_of_nothing_is_refused_and_so_is_what_is_no_video(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=50, rate=RATE, options=FAST)
    (tmp_path / "b.mp4").write_bytes(b"")
    with SandboxedDecoder() as media:
        with pytest.raises(LimitExceeded, match="has no video or audio from 9 s on"):
            _cut_clip(media, tmp_path / "a.mp4", 9.0, 10.0)
        with pytest.raises(DamagedMedia, match="is empty"):
            _cut_clip(media, tmp_path / "b.mp4", 0.0, 1.0)
        with pytest.raises(SourceNotFound):
            _cut_clip(media, tmp_path / "c.mp4", 0.0, 1.0)
        assert len(_cut_clip(media, tmp_path / "a.mp4", 1.0, 1.2)) > 500
