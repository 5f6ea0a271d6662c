"""One clock for pictures, sound and subtitles of a recording, and one end."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from indexer.media.probe import probe
from indexer.media.sandbox.limits import MediaLimits
from indexer.media.subtitles.embedded import read_embedded
from indexer.media.video import SamplingPlan
from indexer.media.video.audio import read_audio
from indexer.media.video.clip import cut_clip
from indexer.media.video.reader import VideoReader
from indexer.types import Frame
from tests.indexer.media.test_subtitles import make_recording
from tests.support.video_fixtures import make_video, numbered_picture, read_number

RATE = 25
SOUND_RATE = 48_000
CONTAINERS = {
    "mp4": ("libx264", "aac"),
    "mov": ("mpeg4", "pcm_s16le"),
    "mkv": ("libx264", "aac"),
    "opus-mkv": ("libx264", "libopus"),
    "webm": ("libvpx", "libopus"),
    "ts": ("libx264", "aac"),
    "mpg": ("mpeg2video", "mp2"),
    "flv": ("libx264", "aac"),
}


def make_offset_recording(
    path: Path, codecs: tuple[str, str], pictures_s: tuple[float, float], sound_s: tuple[float, float]
) -> None:
    """Write numbered pictures and a tone, each in a span `[start, end)` of the container's clock."""
    with av.open(str(path), "w") as output:
        pictures = output.add_stream(codecs[0], rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 320, 180, "yuv420p"
        pictures.codec_context.thread_count = 1
        sound = output.add_stream(codecs[1], rate=SOUND_RATE, layout="stereo")
        packets = []
        for number in range(round((pictures_s[1] - pictures_s[0]) * RATE)):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), "rgb24")
            frame.pts, frame.time_base = round(pictures_s[0] * RATE) + number, Fraction(1, RATE)
            packets += pictures.encode(frame)
        packets += pictures.encode()
        samples = round((sound_s[1] - sound_s[0]) * SOUND_RATE)
        tone = (12_000 * np.sin(np.arange(samples) * (2 * np.pi * 440 / SOUND_RATE))).astype(np.int16)
        wave = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], "s16", "stereo")
        wave.sample_rate, wave.pts, wave.time_base = SOUND_RATE, round(sound_s[0] * SOUND_RATE), Fraction(1, SOUND_RATE)
        packets += [*sound.encode(wave), *sound.encode()]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)


def read_all(path: Path) -> tuple[list[Frame], float]:
    reader = VideoReader(path, SamplingPlan(2, 2))
    frames = list(reader)
    return frames, reader.report.end_s


def find_sound(path: Path, until_s: float) -> tuple[float, float]:
    """Return where the sound of a file begins and ends, in seconds."""
    span = read_audio(path, 0.0, until_s)
    loud = np.flatnonzero(np.abs(span.samples) > 0.05)
    return loud[0] / span.sample_rate, loud[-1] / span.sample_rate


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize(
    ("pictures_s", "sound_s"), [((3.0, 5.0), (0.0, 4.0)), ((0.0, 4.0), (1.0, 6.0)), ((2.0, 4.0), (2.5, 4.0))]
)
def test_pictures_and_sound_keep_the_distance_that_a_player_shows(
    kind: str, pictures_s: tuple[float, float], sound_s: tuple[float, float], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{kind.split('-')[-1]}"
    make_offset_recording(path, CONTAINERS[kind], pictures_s, sound_s)
    zero_s = min(pictures_s[0], sound_s[0])
    frames, end_s = read_all(path)
    for frame in frames:
        assert frame.time_s == pytest.approx(pictures_s[0] - zero_s + read_number(frame.rgb) / RATE, abs=0.08)
    assert find_sound(path, 10.0) == pytest.approx((sound_s[0] - zero_s, sound_s[1] - zero_s), abs=0.12)
    longest_s = max(pictures_s[1], sound_s[1]) - zero_s
    assert end_s == pytest.approx(longest_s, abs=0.12)
    assert probe(path, MediaLimits()).duration_s == pytest.approx(longest_s, abs=0.12)


def test_a_resumed_reading_of_late_pictures_equals_the_whole(tmp_path: Path) -> None:
    make_offset_recording(tmp_path / "a.mkv", CONTAINERS["mkv"], (3.0, 9.0), (0.0, 9.0))
    whole, _ = read_all(tmp_path / "a.mkv")
    part = list(VideoReader(tmp_path / "a.mkv", SamplingPlan(2, 2, start_s=6.2)))
    assert [frame.time_s for frame in part] == [frame.time_s for frame in whole if frame.time_s >= 6.2]


@pytest.mark.parametrize("kind", ["mp4", "ts"])
def test_one_picture_and_a_minute_of_sound_last_a_minute(kind: str, tmp_path: Path) -> None:
    make_offset_recording(tmp_path / f"a.{kind}", CONTAINERS[kind], (0.0, 0.04), (0.0, 60.0))
    assert read_all(tmp_path / f"a.{kind}")[1] == pytest.approx(60.0, abs=0.1)
    assert probe(tmp_path / f"a.{kind}", MediaLimits()).duration_s == pytest.approx(60.0, abs=0.1)


def test_the_last_picture_ends_where_it_says_whatever_hole_lies_before_it(tmp_path: Path) -> None:
    stamps = [*range(0, 340, 10), *range(100_340, 100_720, 10)]
    make_video(tmp_path / "a.mkv", pts_values=stamps, time_base=Fraction(1, 100), rate=10, options={"bf": "0"})
    assert read_all(tmp_path / "a.mkv")[1] == pytest.approx(1007.2, abs=0.05)


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_few_pictures_far_apart_are_no_lie_of_the_header(b_frames: str, tmp_path: Path) -> None:
    stamps = [0, 4000, 8000, 12_000, 16_000]
    options = {"bf": b_frames, "g": "1000", "x264-params": "b-adapt=0"}
    make_video(tmp_path / "a.mp4", pts_values=stamps, time_base=Fraction(1, 1000), options=options)
    info = probe(tmp_path / "a.mp4", MediaLimits())
    assert info.warnings == ()
    assert info.duration_s == pytest.approx(read_all(tmp_path / "a.mp4")[1], abs=0.001)


def test_an_edit_list_cuts_pictures_and_sound_alike(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=100, options={"g": "25", "bf": "0"}, sound_s=4.0)
    _skip_by_edit_lists(tmp_path / "a.mp4", 1.0)
    frames, end_s = read_all(tmp_path / "a.mp4")
    assert read_number(frames[0].rgb) == 25 and frames[0].time_s == pytest.approx(0.0, abs=0.001)
    assert end_s == pytest.approx(3.0, abs=0.1)
    assert find_sound(tmp_path / "a.mp4", 10.0) == pytest.approx((0.0, 3.0), abs=0.12)


def test_a_joined_transport_stream_goes_on_counting_in_pictures_and_sound(tmp_path: Path) -> None:
    make_offset_recording(tmp_path / "a.ts", CONTAINERS["ts"], (0.0, 3.0), (0.0, 2.0))
    once = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "b.ts").write_bytes(once + once)
    frames, end_s = read_all(tmp_path / "b.ts")
    for frame in frames:
        begun_s = 0.0 if frame.time_s < 3.0 else 3.0
        assert frame.time_s == pytest.approx(begun_s + read_number(frame.rgb) / RATE, abs=0.1)
    assert end_s == pytest.approx(6.0, abs=0.15)
    for start_s in (0.0, 3.0):
        loud = np.abs(read_audio(tmp_path / "b.ts", start_s, start_s + 3.0).samples) > 0.05
        assert loud[4_000:28_000].mean() > 0.8, "the tone lasts for the first two seconds of either part"
        assert not loud[36_000:].any()


@pytest.mark.parametrize("starts_s", [(100.0, 7.0), (100.0, 7.0, 50.0), (95_000.0, 7.0), (60_000.0, 30_000.0)])
def test_a_joined_transport_stream_whose_clock_goes_back_goes_on_counting(
    starts_s: tuple[float, ...], tmp_path: Path
) -> None:
    parts = []
    for start_s in starts_s:
        spans = (start_s, start_s + 3.0), (start_s, start_s + 2.0)
        make_offset_recording(tmp_path / "part.ts", CONTAINERS["ts"], *spans)
        parts.append((tmp_path / "part.ts").read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    frames, end_s = read_all(tmp_path / "a.ts")
    assert len(frames) == pytest.approx(6 * len(parts), abs=1)
    for frame in frames:
        assert (frame.time_s - read_number(frame.rgb) / RATE + 0.1) % 3.0 < 0.2, "each part begins where the last ended"
    length_s = 3.0 * len(parts)
    assert end_s == pytest.approx(length_s, abs=0.2)
    assert probe(tmp_path / "a.ts", MediaLimits()).duration_s == pytest.approx(length_s, abs=0.2)
    assert find_sound(tmp_path / "a.ts", length_s) == pytest.approx((0.0, length_s - 1.0), abs=0.15)


@pytest.mark.parametrize("pause_s", [0.0, 40.0])
def test_a_clock_that_wraps_round_in_a_pause_goes_on_counting(pause_s: float, tmp_path: Path) -> None:
    end_s = 2**33 / 90_000
    parts = []
    for start_s in (end_s - 3.0, end_s + pause_s):
        make_offset_recording(
            tmp_path / "part.ts", CONTAINERS["ts"], (start_s, start_s + 3.0), (start_s, start_s + 3.0)
        )
        parts.append((tmp_path / "part.ts").read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    frames, end_s = read_all(tmp_path / "a.ts")
    for frame in frames:
        begun_s = 0.0 if frame.time_s < 3.0 else 3.0 + pause_s
        assert frame.time_s == pytest.approx(begun_s + read_number(frame.rgb) / RATE, abs=0.15)
    assert end_s == pytest.approx(6.0 + pause_s, abs=0.15)


def test_a_clock_that_wraps_round_goes_on_counting(tmp_path: Path) -> None:
    make_offset_recording(tmp_path / "a.ts", CONTAINERS["ts"], (95_440.0, 95_446.0), (95_441.0, 95_446.0))
    frames, end_s = read_all(tmp_path / "a.ts")
    for frame in frames:
        assert frame.time_s == pytest.approx(read_number(frame.rgb) / RATE, abs=0.08)
    assert end_s == pytest.approx(6.0, abs=0.12)
    assert find_sound(tmp_path / "a.ts", 10.0) == pytest.approx((1.0, 6.0), abs=0.12)


def test_subtitles_inside_are_on_the_same_clock(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.mkv", [("subrip", [(1.0, 2.0, "now")])], offset_s=2.5)
    (line,) = read_embedded(path)
    assert (line.start_s, line.end_s) == pytest.approx((1.0, 2.0), abs=0.002)


def _skip_by_edit_lists(path: Path, seconds: float) -> None:
    """Let both tracks of an MP4 begin so much later, as a phone does that trims a recording."""
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"elst", at + 1)) > 0:
        timescale = _media_timescale(data, at)
        duration, media_time = struct.unpack_from(">Ii", data, at + 12)
        struct.pack_into(
            ">Ii", data, at + 12, duration - round(seconds * 1000), media_time + round(seconds * timescale)
        )
    path.write_bytes(data)


def _media_timescale(data: bytearray, after: int) -> int:
    """Return the time scale of the track whose edit list lies at a place: that of the next media header."""
    header = data.index(b"mdhd", after)
    return int(struct.unpack_from(">I", data, header + 16)[0])


def test_a_clip_of_sound_alone_shows_the_last_picture(tmp_path: Path) -> None:
    make_offset_recording(tmp_path / "a.mp4", CONTAINERS["mp4"], (0.0, 0.2), (0.0, 8.0))
    clip = bytearray()
    cut_clip(tmp_path / "a.mp4", 4.0, 6.0, 320, clip.extend)
    (tmp_path / "clip.mp4").write_bytes(clip)
    (frame,), end_s = read_all(tmp_path / "clip.mp4")
    assert (read_number(frame.rgb), frame.time_s) == (4, 0.0)
    assert end_s == pytest.approx(2.0, abs=0.1)


def test_a_clip_of_a_joined_file_is_that_of_its_second_part(tmp_path: Path) -> None:
    make_offset_recording(tmp_path / "a.ts", CONTAINERS["ts"], (0.0, 3.0), (0.0, 3.0))
    (tmp_path / "b.ts").write_bytes((tmp_path / "a.ts").read_bytes() * 2)
    clip = bytearray()
    cut_clip(tmp_path / "b.ts", 4.0, 5.0, 320, clip.extend)
    (tmp_path / "clip.mp4").write_bytes(clip)
    frames, _ = read_all(tmp_path / "clip.mp4")
    assert read_number(frames[0].rgb) == pytest.approx(25, abs=3)
