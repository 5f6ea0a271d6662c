"""Subtitles beside and inside recordings: formats, encodings, markup, and whose clock they run on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.subtitles.subtitle import SubtitleSet

from indexer.errors import DamagedMedia, SourceNotFound, UnsupportedMedia
from indexer.media.subtitles.embedded import read_embedded
from indexer.media.subtitles.sidecar_names import find_sidecars
from indexer.media.subtitles.sidecars import read_sidecar
from indexer.types import Origin, TextLine

SRT = """1
00:00:01,000 --> 00:00:02,500
The fire truck leaves.

2
00:00:03,000 --> 00:00:05,250
It comes back
in the evening.
"""
MILLISECOND = Fraction(1, 1000)
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def cue_tuples(lines: Sequence[TextLine]) -> list[tuple[float, float, str]]:
    return [(line.start_s or 0.0, line.end_s or 0.0, line.text) for line in lines]


def write_text_file(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def make_recording(
    path: Path,
    tracks: Sequence[tuple[str, Sequence[tuple[float, float, str]]]],
    offset_s: float = 0.0,
    pictures: bool = True,
) -> Path:
    """A recording of 6 s whose clock begins at `offset_s`; cue times are relative to its first picture."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=10) if pictures else None
        sound = out.add_stream("aac", rate=16_000, layout="mono") if not pictures else None
        streams = []
        for codec, _ in tracks:
            stream = out.add_stream(codec)
            stream.time_base = MILLISECOND
            stream.codec_context.subtitle_header = ASS_HEADER
            streams.append(stream)
        if video is not None:
            _mux_pictures(out, video, offset_s)
        if sound is not None:
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 96_000), np.float32), "fltp", "mono")
            tone.sample_rate, tone.pts, tone.time_base = 16_000, round(offset_s * 16_000), Fraction(1, 16_000)
            out.mux(sound.encode(tone))
            out.mux(sound.encode())
        for stream, (_, lines) in zip(streams, tracks, strict=True):
            _mux_cues(out, stream, lines, offset_s)
    return path


def _mux_pictures(out: Any, video: Any, offset_s: float) -> None:  # noqa: ANN401 (types of PyAV)
    video.width = video.height = 64
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = MILLISECOND
    for i in range(60):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 4 * i, np.uint8), format="rgb24")
        frame.pts, frame.time_base = round((offset_s + i / 10) * 1000), MILLISECOND
        out.mux(video.encode(frame))
    out.mux(video.encode())


def _mux_cues(out: Any, stream: Any, lines: Sequence[tuple[float, float, str]], offset_s: float) -> None:  # noqa: ANN401
    for number, (start_s, end_s, text) in enumerate(lines):
        dialogue = f"{number},0,Default,,0,0,0,,{text}".encode()
        packet = stream.codec_context.encode_subtitle(SubtitleSet.create(dialogue, 0, round((end_s - start_s) * 1000)))
        packet.stream, packet.time_base = stream, MILLISECOND
        packet.pts = packet.dts = round((start_s + offset_s) * 1000)
        packet.duration = round((end_s - start_s) * 1000)
        out.mux(packet)


# Beside the recording


def test_sidecars_have_the_name_of_the_recording_and_perhaps_a_language(tmp_path: Path) -> None:
    video = tmp_path / "movie.mp4"
    mine = ["movie.SRT", "movie.de.srt", "movie.en-GB.vtt", "movie.en.forced.srt", "movie.pt_BR.srt", "movie.vtt"]
    others = ["movie2.srt", "movie - extras.srt", "movie.txt", "amovie.srt", "movie.part two.srt", "movie.en.pdf"]
    for name in [*mine, *others]:
        (tmp_path / name).write_text(SRT)
    (tmp_path / "movie.fr.srt").mkdir()
    assert find_sidecars(video) == [tmp_path / name for name in sorted(mine)]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="gone: no such file or directory"):
        find_sidecars(tmp_path / "gone" / "movie.mp4")


def test_an_srt_file_gives_its_cues_in_seconds(tmp_path: Path) -> None:
    lines = read_sidecar(write_text_file(tmp_path / "movie.srt", SRT)).lines
    assert cue_tuples(lines) == [(1.0, 2.5, "The fire truck leaves."), (3.0, 5.25, "It comes back in the evening.")]
    assert all(line.origin is Origin.SUBTITLE and line.box is None and line.confidence == 1.0 for line in lines)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_usual_encoding_is_read(tmp_path: Path, encoding: str, newline: str) -> None:
    text = SRT.replace("The fire truck leaves.", "Où est l’été, Jürgen?").replace("\n", newline)
    assert (
        read_sidecar(write_text_file(tmp_path / "movie.srt", text, encoding)).lines[0].text == "Où est l’été, Jürgen?"
    )


def test_markup_and_positions_are_left_out(tmp_path: Path) -> None:
    text = """1
00:00:01,000 --> 00:00:02,000 X1:100 X2:200 Y1:10 Y2:20
{\\an8}<i>Tom &amp; <font color="#ff0000">Jerry</font></i>
<b></b>

2
00:00:03,000 --> 00:00:04,000
5 < 6 and 7 > 3 {sic}
"""
    assert [line.text for line in read_sidecar(write_text_file(tmp_path / "m.srt", text)).lines] == [
        "Tom & Jerry",
        "5 < 6 and 7 > 3 {sic}",
    ]


def test_webvtt_is_read_without_its_other_blocks(tmp_path: Path) -> None:
    text = """WEBVTT - a title

STYLE
::cue { color: lime }

REGION
id:fred

NOTE
a remark of
two lines

intro
00:01.000 --> 00:02.500 line:0 position:20% align:start
<v Roger Bingham>We are in <c.loud>New York</c>

01:00:03.000 --> 01:00:04.000
&lt;<00:03.500>late&gt;&nbsp;cue
"""
    found = cue_tuples(read_sidecar(write_text_file(tmp_path / "movie.vtt", text)).lines)
    assert found == [(1.0, 2.5, "Roger Bingham: We are in New York"), (3603.0, 3604.0, "<late> cue")]


def test_malformed_cues_are_passed_over_and_the_others_kept(tmp_path: Path) -> None:
    text = """1
00:00:01,000 --> 00:00:02,000
first

2
00:00:xx,000 --> 00:00:04,000
broken times

3
no times at all

4
00:00:05,000 --> 00:00:06,000

5
00:00:07,000 --> 00:00:06,000
ends before it begins
6
00:00:09.5 --> 00:00:10.25
no blank line before
"""
    assert cue_tuples(read_sidecar(write_text_file(tmp_path / "m.srt", text)).lines) == [
        (1.0, 2.0, "first"),
        (7.0, 7.1, "ends before it begins"),
        (9.5, 10.25, "no blank line before"),
    ]


def test_cues_come_by_time_and_may_overlap(tmp_path: Path) -> None:
    text = "1\n00:00:05,000 --> 00:00:09,000\nlate\n\n2\n00:00:01,000 --> 00:00:06,000\nearly\n"
    assert cue_tuples(read_sidecar(write_text_file(tmp_path / "m.srt", text)).lines) == [
        (1.0, 6.0, "early"),
        (5.0, 9.0, "late"),
    ]


def test_captions_that_roll_up_are_kept_once(tmp_path: Path) -> None:
    text = """WEBVTT

00:00.000 --> 00:02.000
welcome to the show

00:02.000 --> 00:02.010
welcome to the show

00:02.010 --> 00:04.000
welcome to the show
today we look at trucks

00:04.000 --> 00:06.000
today we look at trucks
and at bicycles

00:20.000 --> 00:22.000
and at bicycles
"""
    assert cue_tuples(read_sidecar(write_text_file(tmp_path / "m.vtt", text)).lines) == [
        (0.0, 2.01, "welcome to the show"),
        (2.01, 4.0, "today we look at trucks"),
        (4.0, 6.0, "and at bicycles"),
        (20.0, 22.0, "and at bicycles"),
    ]


@pytest.mark.parametrize(
    "content", [b"just a letter to a friend\n" * 5, bytes(range(256)) * 8, b"\x89PNG\r\n\x1a\n\0\0"]
)
def test_what_is_no_subtitle_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "movie.srt"
    path.write_bytes(content)
    with pytest.raises(DamagedMedia) as caught:
        read_sidecar(path)
    assert str(caught.value) == f"{path}: is not a subtitle file"


def test_an_empty_sidecar_is_damaged_and_an_empty_webvtt_is_not(tmp_path: Path) -> None:
    with pytest.raises(DamagedMedia, match="is empty"):
        read_sidecar(write_text_file(tmp_path / "movie.srt", ""))
    assert read_sidecar(write_text_file(tmp_path / "movie.vtt", "WEBVTT\n\n")).lines == []


# Inside the recording


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mov_text"), ("a.mkv", "subrip"), ("b.mkv", "ass"), ("c.mkv", "webvtt")]
)
@pytest.mark.parametrize("offset_s", [0.0, 2.5])
def test_embedded_cues_run_on_the_clock_of_the_pictures(tmp_path: Path, name: str, codec: str, offset_s: float) -> None:
    written = [(1.0, 2.0, "{\\i1}Hello{\\i0} you\\Nthere"), (3.5, 5.0, "The second cue")]
    lines = read_embedded(make_recording(tmp_path / name, [(codec, written)], offset_s))
    assert [line.text for line in lines] == ["Hello you there", "The second cue"]
    times = [time for line in lines for time in (line.start_s, line.end_s)]
    assert times == pytest.approx([1.0, 2.0, 3.5, 5.0], abs=0.002)
    assert {line.origin for line in lines} == {Origin.SUBTITLE}


def test_every_text_stream_is_read_and_told_apart(tmp_path: Path) -> None:
    path = make_recording(
        tmp_path / "two.mkv",
        [("subrip", [(1.0, 2.0, "one"), (3.0, 4.0, "two")]), ("ass", [(1.0, 2.0, "eins"), (3.0, 4.0, "zwei")])],
    )
    assert [(line.block, line.text) for line in read_embedded(path)] == [
        (0, "one"),
        (0, "two"),
        (1, "eins"),
        (1, "zwei"),
    ]


def test_a_cue_before_the_first_picture_is_cut_to_what_is_seen(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.mkv", [("subrip", [(-2.0, -1.0, "never"), (-0.5, 1.0, "half")])], offset_s=2.5)
    (line,) = read_embedded(path)
    assert (line.text, line.start_s) == ("half", 0.0)
    assert line.end_s == pytest.approx(1.0, abs=0.002)


def test_without_pictures_the_clock_begins_with_the_sound(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.mkv", [("subrip", [(1.0, 2.0, "spoken")])], offset_s=2.5, pictures=False)
    (line,) = read_embedded(path)
    assert line.start_s == pytest.approx(1.0, abs=0.07)


def test_a_recording_without_subtitles_has_none(tmp_path: Path) -> None:
    assert read_embedded(make_recording(tmp_path / "a.mp4", [])) == []


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    make_recording(tmp_path / "a.mkv", [("subrip", [(1.0, 2.0, "secret")])])
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.mkv\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnsupportedMedia):
        read_embedded(playlist)


def test_the_watcher_is_told_that_work_goes_on(tmp_path: Path) -> None:
    beats: list[int] = []
    read_embedded(make_recording(tmp_path / "a.mkv", [("subrip", [(1.0, 2.0, "one")])]), lambda: beats.append(1))
    assert beats
