"""Subtitle parsing: .srt and .vtt sidecar files, and text streams embedded in a video (PyAV)."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path

import av
from av.stream import Discard
from av.subtitles.subtitle import AssSubtitle

from indexer.errors import DamagedMedia, LimitExceeded, SourceNotFound
from indexer.media.video.container import BoundedFile, open_media
from indexer.media.video.reader import SendHeartbeat, no_heartbeat
from indexer.media.video.timeline import find_start_s
from indexer.types import Origin, TextLine

_SIDECAR_SUFFIX = re.compile(
    r"(?:\.[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*)?(?:\.(?:forced|sdh|cc|hi|default))?\.(?:srt|vtt)", re.IGNORECASE
)
"""What follows the video's name in the name of a sidecar: an optional language, an optional kind."""
_MAX_FILE_BYTES = 1 << 24
"""Chosen: a day of speech is below 2 MB; larger files would only cost memory."""
_MIN_CUE_S = 0.1
"""Chosen: spans must not be empty; a cue that ends as it begins is kept, with this length."""
_DEFAULT_CUE_S = 4.0
"""Chosen: length of an embedded cue without a duration; too long shows it beyond its speech, too short cuts it."""
_ROLL_UP_GAP_S = 0.15
"""Chosen: cues closer than this may be roll-up captions, which repeat lines; more would merge real repetitions."""
_MAX_READ_ERRORS = 16
"""Chosen: read errors before the rest is given up; more recovers more of a damaged file, but takes longer."""
_BITMAP_CODECS = {
    "dvb_subtitle",
    "dvbsub",
    "dvd_subtitle",
    "dvdsub",
    "hdmv_pgs_subtitle",
    "pgssub",
    "xsub",
    "dvb_teletext",
}

_TIMESTAMP = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIMESTAMP}\s*-->\s*{_TIMESTAMP}(?:\s.*)?")
_NOT_CUES = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_DRAWING = re.compile(r"\{[^}]*\\p[1-9]")
_MARKUP = re.compile(r"\{\\[^}]*\}|</?[A-Za-z][^<>]*>|<\d[\d:.]*>")


@dataclass(frozen=True, slots=True)
class _Cue:
    """A subtitle cue: times in seconds and lines of plain text."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def find_sidecars(path: Path) -> list[Path]:
    """Return the sidecar subtitle files of a video, sorted: .srt and .vtt with its name, or its name and a language.

    Errors: SourceNotFound where the folder cannot be listed.
    """
    try:
        with os.scandir(path.parent) as entries:
            files = [entry.name for entry in entries if entry.name.startswith(path.stem) and entry.is_file()]
    except OSError as error:
        raise SourceNotFound(str(path.parent), (error.strerror or "cannot be listed").lower()) from error
    return [path.with_name(name) for name in sorted(files) if _SIDECAR_SUFFIX.fullmatch(name, len(path.stem))]


def read_sidecar(path: Path) -> list[TextLine]:
    """Parse an .srt or .vtt file into cues by time, without markup; malformed cues are skipped.

    Any usual encoding; times are those of the file; end > start. Errors: DamagedMedia where it holds no cues and is no
    WebVTT, SourceNotFound, LimitExceeded above 16 MB.
    """
    file = BoundedFile(path)
    try:
        if file.size > _MAX_FILE_BYTES:
            raise LimitExceeded(str(path), f"larger than {_MAX_FILE_BYTES >> 20} MB, which no subtitle file is")
        text = _decode_text(file.read())
    finally:
        file.close()
    cues = list(_parse_cues(text))
    if not cues and not text.startswith("WEBVTT"):
        raise DamagedMedia(str(path), "is not a subtitle file")
    return _to_text_lines(cues, 0)


def read_embedded(path: Path, heartbeat: SendHeartbeat = no_heartbeat) -> list[TextLine]:
    """Demux the cues of all embedded text subtitle streams, stream by stream, each by time.

    The number of the stream is the `block`. Times are seconds on the timeline of the recording. Bitmap streams and
    undecodable packets are skipped. Errors: those of `open_media`.
    """
    with open_media(path) as container:
        streams = [
            s for s in container.streams.subtitles if s.codec_context and s.codec_context.name not in _BITMAP_CODECS
        ]
        if not streams:
            return []
        origin_s = float(find_start_s(container))
        cues_by_stream: dict[int, list[_Cue]] = {stream.index: [] for stream in streams}
        for packet in _demux_subtitles(container, streams):
            heartbeat()
            cues_by_stream[packet.stream.index].extend(_decode_packet(packet, origin_s))
    return [line for block, cues in enumerate(cues_by_stream.values()) for line in _to_text_lines(cues, block)]


# Sidecar files


def _decode_text(data: bytes) -> str:
    """Decode text by its byte order mark, as UTF-16 if it has many zero bytes, as UTF-8, else as Windows-1252."""
    zeros = data[:512].count(0)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    elif zeros > len(data[:512]) // 4:
        text = data.decode("utf-16-be" if data[0] == 0 else "utf-16-le", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _parse_cues(text: str) -> Iterator[_Cue]:
    """Yield the cues of SRT or WebVTT text: a timing line and the lines up to the next empty one."""
    for blank, group in groupby(text.split("\n"), key=lambda line: not line.strip()):
        lines = list(group)
        if blank or _NOT_CUES.match(lines[0]):
            continue
        starts = [i for i, line in enumerate(lines) if "-->" in line]
        for start, following in pairwise([*starts, len(lines)]):
            timing = _TIMING.fullmatch(lines[start])
            body = lines[start + 1 : following]
            if following < len(lines) and body and body[-1].strip().isdigit():
                body.pop()
            if timing is not None:
                yield _Cue(
                    _seconds(*timing.groups()[:4]), _seconds(*timing.groups()[4:]), _strip_markup("\n".join(body))
                )


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    """Return the parts of a timestamp as seconds."""
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


# Embedded streams


def _demux_subtitles(container: av.container.InputContainer, streams: list[av.stream.Stream]) -> Iterator[av.Packet]:
    """Yield the packets of these streams alone; read errors are skipped, up to a limit."""
    stream_indices = {stream.index for stream in streams}
    for stream in container.streams:
        stream.discard = Discard.default if stream.index in stream_indices else Discard.all
    for _ in range(_MAX_READ_ERRORS):
        try:
            yield from (packet for packet in container.demux(streams) if packet.size and packet.pts is not None)
            return
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise


def _decode_packet(packet: av.Packet, origin_s: float) -> Iterator[_Cue]:
    """Yield the cues of a subtitle packet; nothing where it cannot be decoded."""
    start_s = float(packet.pts * packet.time_base) - origin_s
    length_s = float((packet.duration or 0) * packet.time_base) or _DEFAULT_CUE_S
    try:
        parts = packet.decode()
    except av.error.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        return
    for part in parts:
        if isinstance(part, AssSubtitle):
            text = part.ass.decode("utf-8", "replace").split(",", 8)[-1]
            yield _Cue(start_s, start_s + length_s, _strip_markup(text.replace("\\N", "\n").replace("\\n", "\n")))


# Both sources


def _strip_markup(text: str) -> tuple[str, ...]:
    """Return the lines of a cue without markup, ASS drawings and superfluous whitespace."""
    if _DRAWING.search(text):
        return ()
    plain = html.unescape(_MARKUP.sub("", text)).replace("\\h", " ").replace("\0", "")
    return tuple(words for line in plain.split("\n") if (words := " ".join(line.split())))


def _to_text_lines(cues: Iterable[_Cue], block: int) -> list[TextLine]:
    """Return cues as text lines by time, roll-up captions merged, with spans that are not empty."""
    ordered = sorted((cue for cue in cues if cue.lines and cue.end_s > 0), key=lambda cue: (cue.start_s, cue.end_s))
    lines = []
    for cue in _merge_roll_up(ordered):
        start_s = max(cue.start_s, 0.0)
        end_s = max(cue.end_s, start_s + _MIN_CUE_S)
        lines.append(TextLine(" ".join(cue.lines), Origin.SUBTITLE, start_s, end_s, block=block))
    return lines


def _merge_roll_up(cues: list[_Cue]) -> list[_Cue]:
    """Merge roll-up captions, which repeat lines from cue to cue: each line once, a pure repetition extends its cue."""
    merged: list[_Cue] = []
    before: tuple[str, ...] = ()
    for cue in cues:
        touching = bool(merged) and cue.start_s - merged[-1].end_s < _ROLL_UP_GAP_S
        repeated = _count_repeated_lines(before, cue.lines) if touching else 0
        if repeated == len(cue.lines):
            merged[-1] = replace(merged[-1], end_s=max(merged[-1].end_s, cue.end_s))
        else:
            merged.append(replace(cue, lines=cue.lines[repeated:]))
        before = cue.lines
    return merged


def _count_repeated_lines(before: tuple[str, ...], lines: tuple[str, ...]) -> int:
    """Return how many lines at the end of one cue equal those at the beginning of the next."""
    longest = min(len(before), len(lines))
    return next((n for n in range(longest, 0, -1) if before[-n:] == lines[:n]), 0)
