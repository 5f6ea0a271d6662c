"""Frames of real videos: their times, their choice, and their pixels."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import DamagedMedia, SourceNotFound, UnsupportedMedia
from indexer.media.probe import probe
from indexer.media.sandbox.limits import MediaLimits
from indexer.media.video import SamplingPlan, VideoReport
from indexer.media.video.audio import read_audio
from indexer.media.video.plan import choose_frames, choose_streaming
from indexer.media.video.reader import VideoReader
from indexer.types import Frame
from tests.support.video_fixtures import HEIGHT, WIDTH, make_sound, make_video, numbered_picture, read_number

X264_FAST = {"preset": "veryfast"}
VIDEO_FORMATS = {
    "h264-mp4": ("a.mp4", "libx264", X264_FAST),
    "h264-b-pyramid-ts": ("a.ts", "libx264", {"preset": "veryfast", "bf": "3", "g": "30", "b-pyramid": "normal"}),
    "h264-open-gop-mkv": (
        "a.mkv",
        "libx264",
        {"preset": "veryfast", "bf": "3", "g": "24", "x264-params": "open-gop=1"},
    ),
    "h264-intra-refresh-mkv": ("a.mkv", "libx264", {"preset": "veryfast", "g": "20", "x264-params": "intra-refresh=1"}),
    "hevc-mp4": ("a.mp4", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=30:bframes=3"}),
    "hevc-ts": ("a.ts", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=30"}),
    "vp9-webm": ("a.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "40"}),
    "av1-mkv": ("a.mkv", "libsvtav1", {"preset": "12", "g": "40"}),
    "av1-mp4": ("a.mp4", "libsvtav1", {"preset": "12", "g": "40"}),
    "mpeg4-avi": ("a.avi", "mpeg4", {"g": "12", "b": "2M"}),
    "mpeg4-b-mov": ("a.mov", "mpeg4", {"g": "12", "bf": "2", "b": "2M"}),
    "mpeg2-ts": ("a.ts", "mpeg2video", {"g": "12", "bf": "2", "b": "3M"}),
    "mjpeg-mov": ("a.mov", "mjpeg", {"strict": "unofficial"}),
}


def read_frames(path: Path, plan: SamplingPlan) -> tuple[list[Frame], VideoReport]:
    reader = VideoReader(path, plan)
    return list(reader), reader.report


def check_times(frames: list[Frame], truth: list[float]) -> None:
    """Each frame shows the picture whose time it claims, to half a frame interval."""
    half = min(b - a for a, b in pairwise(truth)) / 2
    assert frames
    for frame in frames:
        assert abs(truth[read_number(frame.rgb)] - frame.time_s) < half


def check_sampling_floor(frames: list[Frame], end_s: float, floor: float, truth: list[float]) -> None:
    times_s = [f.time_s for f in frames]
    assert times_s[0] == 0.0
    for a, b in pairwise([*times_s, end_s]):
        own_gap = not any(a + 1e-3 < t < b - 1e-3 for t in truth)
        assert b > a and (b - a <= 1 / floor + 1e-6 or own_gap)


def is_same_frame(a: Frame, b: Frame) -> bool:
    return (a.pts, a.time_s) == (b.pts, b.time_s) and np.array_equal(a.rgb, b.rgb)


@pytest.mark.parametrize("shape", VIDEO_FORMATS)
class TestEveryShape:
    def test_times_are_true_the_floor_holds_and_a_resumed_reading_equals_the_whole(
        self, shape: str, tmp_path: Path
    ) -> None:
        name, codec, options = VIDEO_FORMATS[shape]
        truth = make_video(tmp_path / name, codec, 110, options=dict(options))
        for plan in (SamplingPlan(4, 3), SamplingPlan(1, 0.5), SamplingPlan(25, 25)):
            frames, report = read_frames(tmp_path / name, plan)
            check_times(frames, truth)
            check_sampling_floor(frames, report.end_s, plan.fps_floor, truth)
            assert report.end_s == pytest.approx(4.4, abs=0.05)
            assert report.damaged_packets == 0
        assert len(frames) == 110
        whole, _ = read_frames(tmp_path / name, SamplingPlan(4, 3))
        for start_s in (0.01, 1.0, 2.3, 4.1):
            part, _ = read_frames(tmp_path / name, SamplingPlan(4, 3, start_s))
            expected = [f for f in whole if f.time_s >= start_s]
            assert len(part) == len(expected)
            assert all(is_same_frame(a, b) for a, b in zip(part, expected, strict=True))


@pytest.mark.slow
def test_a_long_video_is_resumed_by_a_seek_to_the_same_frames(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.ts"):
        make_video(tmp_path / name, "libx264", 500, options={**X264_FAST, "g": "40", "bf": "2"})
        whole, _ = read_frames(tmp_path / name, SamplingPlan(2, 1))
        part, report = read_frames(tmp_path / name, SamplingPlan(2, 1, 13.0))
        assert all(is_same_frame(a, b) for a, b in zip(part, [f for f in whole if f.time_s >= 13.0], strict=True))
        assert report.decoded_frames < 200


def test_sparse_sampling_decodes_key_frames_alone(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", "libx264", 1500, options={"preset": "ultrafast", "g": "125"})
    frames, report = read_frames(tmp_path / "a.mp4", SamplingPlan(0.2, 0.1))
    assert len(frames) == report.decoded_frames == 12
    check_sampling_floor(frames, 60.0, 0.1, [])


def test_pictures_that_nothing_refers_to_are_not_decoded(tmp_path: Path) -> None:
    options = {**X264_FAST, "bf": "3", "g": "250", "x264-params": "b-adapt=0:scenecut=0"}
    make_video(tmp_path / "a.mp4", "libx264", 250, options=options)
    frames, report = read_frames(tmp_path / "a.mp4", SamplingPlan(1, 1))
    assert len(frames) == 10
    assert report.decoded_frames < 150


def test_a_variable_frame_rate_keeps_its_own_times(tmp_path: Path) -> None:
    stamps = [0, 40, 90, 400, 401, 430, 900, 3500, 3520, 7000, 7033, 7066]
    truth = make_video(
        tmp_path / "a.mkv", "libx264", rate=30, pts_values=stamps, time_base=Fraction(1, 1000), options={"bf": "0"}
    )
    frames, report = read_frames(tmp_path / "a.mkv", SamplingPlan(1, 1))
    assert [read_number(f.rgb) for f in frames] == [0, 6, 7, 8, 9]
    assert [f.time_s for f in frames] == pytest.approx([truth[i] for i in (0, 6, 7, 8, 9)])
    check_sampling_floor(frames, report.end_s, 1, truth)


@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.mp4"])
def test_time_begins_with_the_first_presented_frame(name: str, tmp_path: Path) -> None:
    stamps = range(250, 350)
    truth = make_video(tmp_path / name, "libx264", pts_values=stamps, options={**X264_FAST, "bf": "2"})
    frames, report = read_frames(tmp_path / name, SamplingPlan(2, 2))
    assert truth[0] == frames[0].time_s == 0.0
    check_times(frames, truth)
    assert report.end_s == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_recording_is_seen_upright(degrees: int, tmp_path: Path) -> None:
    size = (WIDTH, HEIGHT) if degrees == 180 else (HEIGHT, WIDTH)
    truth = make_video(tmp_path / "a.mp4", count=30, rotation=degrees, options=X264_FAST, size=size)
    frames, _ = read_frames(tmp_path / "a.mp4", SamplingPlan(5, 5))
    assert frames[0].rgb.shape == (HEIGHT, WIDTH, 3) and frames[0].rgb.flags.c_contiguous
    check_times(frames, truth)
    info = probe(tmp_path / "a.mp4", MediaLimits())
    assert (info.width, info.height) == (WIDTH, HEIGHT)


def test_pixels_are_square_and_no_longer_than_asked(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=10, sample_aspect=Fraction(4, 3), options=X264_FAST)
    assert read_frames(tmp_path / "a.mp4", SamplingPlan())[0][0].rgb.shape == (180, 427, 3)
    assert read_frames(tmp_path / "a.mp4", SamplingPlan(max_px=100))[0][0].rgb.shape == (42, 100, 3)


@pytest.mark.parametrize(("matrix", "tag"), [("bt709", 1), ("smpte170m", 6)])
def test_colours_follow_the_tagged_matrix(matrix: str, tag: int, tmp_path: Path) -> None:
    import av

    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[...] = (200, 40, 30)
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.colorspace = tag
        stream.codec_context.color_range = 1
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(red, "rgb24")
            output.mux(stream.encode(picture.reformat(format="yuv420p", dst_colorspace=1 if tag == 1 else 5)))
        output.mux(stream.encode())
    rgb = read_frames(tmp_path / "a.mp4", SamplingPlan())[0][0].rgb
    assert np.abs(rgb.astype(int).mean(axis=(0, 1)) - (200, 40, 30)).max() < 4


def test_interlaced_material_comes_without_combs(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.ts"), "w") as output:
        options = {"flags": "+ildct+ilme", "g": "12", "b": "6M"}
        stream = output.add_stream("mpeg2video", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(40):
            picture = numbered_picture(number)
            picture[60:, :] = 30
            for field in (0, 1):
                x = (number * 2 + field) * 3
                picture[60 + field :: 2, x : x + 40] = 220
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    frames, _ = read_frames(tmp_path / "a.ts", SamplingPlan(5, 5))
    check_times(frames, [i / 25 for i in range(40)])
    luma = frames[3].rgb[70:170].astype(int).mean(axis=2)
    combing = np.abs(luma[1:-1] * 2 - luma[:-2] - luma[2:]).mean()
    assert combing < 1.5


@pytest.mark.parametrize(
    ("name", "codec", "filling"),
    [("a.ts", "libx264", None), ("a.mkv", "libx264", None), ("a.mp4", "libx264", 0xFF), ("a.mov", "mpeg4", 0xFF)],
)
def test_damage_in_the_middle_is_passed_over(name: str, codec: str, filling: int | None, tmp_path: Path) -> None:
    options = {"g": "25"} | (X264_FAST if codec == "libx264" else {"b": "2M"})
    truth = make_video(tmp_path / name, codec, 200, options=options)
    data = bytearray((tmp_path / name).read_bytes())
    at, size = len(data) // 2, len(data) // 20
    data[at : at + size] = np.random.default_rng(7).bytes(size) if filling is None else bytes([filling]) * size
    (tmp_path / name).write_bytes(data)
    frames, report = read_frames(tmp_path / name, SamplingPlan(2, 2))
    assert frames[-1].time_s > 7.0
    check_times([f for f in frames if not 2.5 < f.time_s < 6.0], truth)
    if filling is not None:
        assert report.damaged_packets and "damaged" in report.warnings[0]


def test_a_cut_video_gives_what_is_there(tmp_path: Path) -> None:
    options = {"movflags": "faststart"}
    truth = make_video(tmp_path / "a.mp4", count=200, options={**X264_FAST, "g": "25"}, container_options=options)
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    frames, report = read_frames(tmp_path / "cut.mp4", SamplingPlan(2, 2))
    check_times(frames[:-1], truth)
    assert 3.0 < report.end_s < 6.0
    info = probe(tmp_path / "cut.mp4", MediaLimits())
    assert info.duration_s is not None and 3.0 < info.duration_s < 6.0 and "promises" in info.warnings[0]
    with pytest.raises(DamagedMedia, match="moov"):
        make_video(tmp_path / "b.mp4", count=50, options=X264_FAST)
        (tmp_path / "b.mp4").write_bytes((tmp_path / "b.mp4").read_bytes()[:-2000])
        probe(tmp_path / "b.mp4", MediaLimits())


@pytest.mark.parametrize("claimed_s", [36_000.0, 1.5])
def test_a_header_that_lies_about_its_length_is_not_believed(claimed_s: float, tmp_path: Path) -> None:
    make_video(tmp_path / "a.mkv", count=125, options={**X264_FAST, "g": "25"})
    data = bytearray((tmp_path / "a.mkv").read_bytes())
    at = data.index(b"\x44\x89\x88")
    data[at + 3 : at + 11] = struct.pack(">d", claimed_s * 1000)
    (tmp_path / "a.mkv").write_bytes(data)
    info = probe(tmp_path / "a.mkv", MediaLimits())
    assert info.duration_s == pytest.approx(5.0, abs=0.1) and info.warnings
    frames, report = read_frames(tmp_path / "a.mkv", SamplingPlan(1, 1))
    assert len(frames) == 5 and report.end_s == pytest.approx(5.0, abs=0.1)


def test_a_file_that_grows_is_read_as_it_was(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", count=150, options={**X264_FAST, "g": "25"})
    data = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "b.ts").write_bytes(data[: len(data) // 2])
    expected, _ = read_frames(tmp_path / "b.ts", SamplingPlan(5, 5))
    (tmp_path / "c.ts").write_bytes(data[: len(data) // 2])
    frames = []
    for frame in VideoReader(tmp_path / "c.ts", SamplingPlan(5, 5)):
        frames.append(frame)
        with (tmp_path / "c.ts").open("ab") as file:
            file.write(data[len(data) // 2 :][:20_000])
    assert all(is_same_frame(a, b) for a, b in zip(frames, expected, strict=True))


def test_streams_without_times_are_counted_out(tmp_path: Path) -> None:
    truth = make_video(tmp_path / "a.h264", count=75, options={**X264_FAST, "bf": "0"})
    frames, report = read_frames(tmp_path / "a.h264", SamplingPlan(5, 5))
    check_times(frames, truth)
    assert report.end_s == pytest.approx(3.0, abs=0.05)
    part, _ = read_frames(tmp_path / "a.h264", SamplingPlan(5, 5, 1.1))
    assert all(is_same_frame(a, b) for a, b in zip(part, [f for f in frames if f.time_s >= 1.1], strict=True))


def test_probe_tells_what_a_video_holds(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=50, options=X264_FAST, sound_s=2.0)
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.mp4").read_bytes())
    info = probe(tmp_path / "a.jpg", MediaLimits())
    assert (info.kind, info.format, info.width, info.height) == ("video", "mp4", WIDTH, HEIGHT)
    assert info.has_video and info.has_audio and not info.warnings
    assert info.duration_s == pytest.approx(2.0, abs=0.05)


def test_sound_alone_is_a_video_without_pictures(tmp_path: Path) -> None:
    make_sound(tmp_path / "a.wav", 2.0)
    info = probe(tmp_path / "a.wav", MediaLimits())
    assert info.has_audio and not info.has_video and info.duration_s == pytest.approx(2.0, abs=0.02)
    with pytest.raises(UnsupportedMedia, match="no pictures"):
        read_frames(tmp_path / "a.wav", SamplingPlan())
    span = read_audio(tmp_path / "a.wav", 0.5, 1.5)
    assert (span.start_s, span.sample_rate, span.samples.dtype) == (0.5, 16_000, np.float32)
    assert len(span.samples) == 16_000
    expected = 12_000 / 32_768 * np.sin((np.arange(16_000) + 8_000) * (2 * np.pi * 440 / 16_000))
    assert np.abs(span.samples - expected)[200:-200].max() < 0.02
    assert len(read_audio(tmp_path / "a.wav", 1.5, 9.0).samples) == pytest.approx(8_000, abs=80)
    assert len(read_audio(tmp_path / "a.wav", 5.0, 9.0).samples) == 0


def test_sound_is_on_the_clock_of_the_pictures(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", count=75, options=X264_FAST, sound_s=3.0)
    span = read_audio(tmp_path / "a.mp4", 1.0, 2.0)
    expected = 0.5 * np.sin((np.arange(16_000) + 16_000) * (2 * np.pi * 440 / 16_000))
    correlation = np.corrcoef(span.samples, expected)[0, 1]
    assert len(span.samples) == 16_000 and correlation > 0.95
    make_video(tmp_path / "b.mp4", count=5, options=X264_FAST)
    with pytest.raises(UnsupportedMedia, match="no sound"):
        read_audio(tmp_path / "b.mp4", 0.0, 1.0)


def test_a_playlist_in_disguise_opens_nothing(tmp_path: Path) -> None:
    make_video(tmp_path / "secret.ts", count=25, options=X264_FAST)
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{tmp_path / 'secret.ts'}\n#EXT-X-ENDLIST\n"
    (tmp_path / "a.mp4").write_text(text)
    (tmp_path / "b.mp4").write_text(f"ffconcat version 1.0\nfile '{tmp_path / 'secret.ts'}'\n")
    for name in ("a.mp4", "b.mp4"):
        with pytest.raises(UnsupportedMedia):
            probe(tmp_path / name, MediaLimits())


def test_what_is_no_media_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not media at all\n" * 200)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(300_000))
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n\n" * 5)
    (tmp_path / "head.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(500))
    for name, kind in [
        ("empty.mp4", DamagedMedia),
        ("text.mp4", UnsupportedMedia),
        ("noise.mp4", UnsupportedMedia),
        ("a.srt", UnsupportedMedia),
        ("head.mkv", DamagedMedia),
        ("absent.mp4", SourceNotFound),
        (".", UnsupportedMedia),
    ]:
        with pytest.raises(kind, match=re.escape(f"{tmp_path / name}: ")):
            probe(tmp_path / name, MediaLimits())


def test_both_ways_to_choose_agree_and_hold_the_floor() -> None:
    rng = np.random.default_rng(3)
    for fps, floor in ((1, 1), (1, 0.4), (3, 2), (0.2, 0.1), (30, 30)):
        times = np.concatenate([[0.0], np.cumsum(rng.choice([0.02, 0.033, 0.2, 3.0], 800, p=[0.4, 0.5, 0.09, 0.01]))])
        plan = SamplingPlan(fps, floor)
        end = float(times[-1]) + 0.03
        rows = choose_frames(times, np.zeros(len(times), bool), end, plan)
        streamed = [t for t, _ in choose_streaming(((float(t), None) for t in times), plan, 0.03)]
        assert streamed == times[rows].tolist()
        for a, b in pairwise(rows):
            assert times[b] - times[a] <= 1 / floor + 1e-6 or b == a + 1
        assert end - times[rows[-1]] <= 1 / floor + 1e-6 or rows[-1] == len(times) - 1
