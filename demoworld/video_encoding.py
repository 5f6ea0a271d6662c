"""Sample videos with known content: slides of known length, narrated in subtitles, encoded with PyAV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import SubtitleSet
from av.video.stream import VideoStream

from demoworld.backdrops import paint_ferry
from demoworld.canvas import TextCanvas
from demoworld.slides import Slide, draw_slide
from demoworld.truth import Fact
from indexer.types import AssetKind

_AUDIO_RATE_HZ = 48_000
_AUDIO_BLOCK_SAMPLES = 1024
BITEXACT_OPTIONS = {"fflags": "+bitexact"}
_MILLISECOND_TIME_BASE = Fraction(1, 1000)
_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Default,Sans,18,&Hffffff

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle cue: a sentence shown during `span` (seconds, half-open)."""

    span: tuple[float, float]
    text: str


@dataclass(frozen=True, slots=True)
class Film:
    """A video of slides one after the other; `size` is width and height in pixels."""

    file: str
    date: date
    size: tuple[int, int]
    fps: int
    scenes: tuple[Slide, ...]
    cues: tuple[Cue, ...]

    def iterate_scene_starts(self) -> Iterator[tuple[Slide, float]]:
        """Yield each slide with the second at which it begins."""
        start_s = 0.0
        for scene in self.scenes:
            yield scene, start_s
            start_s += scene.seconds


def write_mp4(film: Film, root: Path) -> list[Fact]:
    """Encode a film as H.264 and AAC with an embedded subtitle track; returns its facts."""
    path = _prepare_path(film, root)
    with av.open(path, "w", format="mp4", container_options=BITEXACT_OPTIONS) as target:
        options = {"flags": "+bitexact", "preset": "superfast", "crf": "21", "g": "125"}
        video = configure_stream(target.add_stream("libx264", rate=film.fps, options=options), film.size, film.fps)
        sound = target.add_stream("aac", rate=_AUDIO_RATE_HZ, options={"flags": "+bitexact"})
        sound.layout = "mono"
        words = target.add_stream("mov_text")
        words.codec_context.subtitle_header = _ASS_HEADER
        words.codec_context.time_base = _MILLISECOND_TIME_BASE
        target.start_encoding()
        for scene, start_s in film.iterate_scene_starts():
            end_s = start_s + scene.seconds
            for cue in film.cues:
                if start_s <= cue.span[0] < end_s:
                    target.mux(_encode_subtitle(words, cue))
            for block in _generate_tone(start_s, end_s):
                target.mux(sound.encode(block))
            for frame in _render_frames(film, scene, start_s):
                target.mux(video.encode(frame))
        target.mux(sound.encode(None))
        target.mux(video.encode(None))
    return _list_facts(film)


def write_webm(film: Film, root: Path) -> list[Fact]:
    """Encode a silent film as VP9, with its narration in an .srt file beside it; returns its facts."""
    path = _prepare_path(film, root)
    with av.open(path, "w", format="webm", container_options=BITEXACT_OPTIONS) as target:
        options = {"flags": "+bitexact", "deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0", "g": "125"}
        video = configure_stream(target.add_stream("libvpx-vp9", rate=film.fps, options=options), film.size, film.fps)
        for scene, start_s in film.iterate_scene_starts():
            for frame in _render_frames(film, scene, start_s):
                target.mux(video.encode(frame))
        target.mux(video.encode(None))
    write_srt(film.cues, path.with_suffix(".srt"))
    return _list_facts(film)


def write_srt(cues: Sequence[Cue], path: Path) -> None:
    """Write cues as a SubRip file."""
    blocks = (
        f"{n}\n{_format_srt_timestamp(c.span[0])} --> {_format_srt_timestamp(c.span[1])}\n{c.text}\n"
        for n, c in enumerate(cues, start=1)
    )
    path.write_text("\n".join(blocks), encoding="utf-8")


def _prepare_path(film: Film, root: Path) -> Path:
    path = root / film.file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def configure_stream(stream: VideoStream, size: tuple[int, int], fps: int) -> VideoStream:
    """Set an encoder's picture size (width and height in pixels) and frame rate."""
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, fps)
    stream.codec_context.thread_count = 2  # the encoded bytes depend on it
    return stream


def _render_frames(film: Film, scene: Slide, start_s: float) -> Iterator[av.VideoFrame]:
    still = draw_slide(scene, film.size)
    first, count = round(start_s * film.fps), round(scene.seconds * film.fps)
    frame = _to_video_frame(still)
    for number in range(count):
        if scene.moving:
            frame = _to_video_frame(_draw_ferry(still, number / count))
        frame.pts, frame.time_base = first + number, Fraction(1, film.fps)
        yield frame


def _draw_ferry(still: TextCanvas, share: float) -> TextCanvas:
    moved = TextCanvas((still.width, still.height), "#000000")
    moved.image.paste(still.image)
    paint_ferry(moved, share * (still.width - 120))
    return moved


def _to_video_frame(canvas: TextCanvas) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.asarray(canvas.image), format="rgb24").reformat(format="yuv420p")


def _generate_tone(start_s: float, end_s: float) -> Iterator[av.AudioFrame]:
    """Yield a soft tone, of another pitch for each slide, in blocks that follow one another without a gap."""
    first, end = (round(edge * _AUDIO_RATE_HZ / _AUDIO_BLOCK_SAMPLES) for edge in (start_s, end_s))
    pitch = 180 + 20 * (round(start_s) % 11)
    for block in range(first, end):
        at = (
            np.arange(block * _AUDIO_BLOCK_SAMPLES, (block + 1) * _AUDIO_BLOCK_SAMPLES, dtype=np.float64)
            / _AUDIO_RATE_HZ
        )
        wave = (0.02 * np.sin(2 * np.pi * pitch * at)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None, :], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (
            _AUDIO_RATE_HZ,
            block * _AUDIO_BLOCK_SAMPLES,
            Fraction(1, _AUDIO_RATE_HZ),
        )
        yield frame


def _encode_subtitle(stream: SubtitleStream, cue: Cue) -> Packet[SubtitleStream]:
    start_ms, end_ms = (round(edge * 1000) for edge in cue.span)
    spoken = SubtitleSet.create(f"0,0,Default,,0,0,0,,{cue.text}".encode(), 0, end_ms - start_ms, start_ms)
    packet = stream.codec_context.encode_subtitle(spoken)
    packet.stream, packet.time_base = stream, _MILLISECOND_TIME_BASE
    return packet


def _format_srt_timestamp(time_s: float) -> str:
    """Format a time as SubRip files write it."""
    minutes, milliseconds = divmod(round(time_s * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d},{milliseconds % 1000:03d}"


def _list_facts(film: Film) -> list[Fact]:
    stem = film.file.rpartition(".")[0].replace("/", "-")
    facts: list[Fact] = []
    for number, (scene, start_s) in enumerate(film.iterate_scene_starts(), start=1):
        for line, words in enumerate(draw_slide(scene, film.size).text_boxes, start=1):
            end_s = start_s + scene.seconds
            name, box = f"{stem}-scene{number}-{line}", words.normalize(*film.size)
            facts.append(Fact(name, film.file, AssetKind.VIDEO, "screen", words.text, None, start_s, end_s, box))
    for number, cue in enumerate(film.cues, start=1):
        name = f"{stem}-cue{number}"
        facts.append(Fact(name, film.file, AssetKind.VIDEO, "subtitle", cue.text, None, *cue.span))
    return facts
