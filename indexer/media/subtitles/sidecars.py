"""Subtitle files beside a recording: their format is known by their content, their encoding is detected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from indexer.errors import DamagedMedia, LimitExceeded, SourceError, UnsupportedMedia
from indexer.media.subtitles.cues import Cue, to_text_lines
from indexer.media.subtitles.ffmpeg_text import FORMATS_IN_FRAMES, parse_with_ffmpeg
from indexer.media.subtitles.sami import is_sami, parse_sami
from indexer.media.subtitles.sidecar_names import find_language
from indexer.media.subtitles.text_encoding import decode_text
from indexer.media.subtitles.timed_text import has_timing, parse_timed_text
from indexer.media.subtitles.ttml import is_ttml, parse_ttml
from indexer.media.video.container import BoundedFile, open_media, pick_video_stream
from indexer.media.video.reader import SendHeartbeat, no_heartbeat
from indexer.types import TextLine

_MAX_FILE_BYTES = 1 << 24
"""Chosen: a day of speech is below 2 MB; larger files would only cost memory."""
_HEAD_BYTES = 16
"""Form: how much of a file is looked at for a signature."""
_PICTURES = {b"\0\0\1\xba": "VobSub", b"PG": "PGS"}
"""Source: MPEG-2 program streams (ISO/IEC 13818-1, pack header) and Blu-ray's PGS begin so."""
_FFMPEG_FORMATS = {
    "ass": re.compile(r"^[^\S\n]*(?:\[Script Info\]|Dialogue:)", re.MULTILINE | re.IGNORECASE),
    "microdvd": re.compile(r"^\{\d{1,9}\}\{\d{0,9}\}", re.MULTILINE),
    "mpl2": re.compile(r"^\[\d{1,9}\]\[\d{0,9}\]", re.MULTILINE),
    "subviewer1": re.compile(r"^\[\d{2}:\d{2}:\d{2}\][^\S\n]*$", re.MULTILINE),
    "lrc": re.compile(r"^\[\d{1,3}:\d{2}(?:[.:]\d{1,3})?\]", re.MULTILINE),
    "vplayer": re.compile(r"^\d{1,2}:\d{2}:\d{2}(?:\.\d{1,2})?[:= ]", re.MULTILINE),
}
"""FFmpeg's name of each text format, and what a line of it looks like."""
_OWN_FRAME_RATE = re.compile(r"^\s{0,16}\{[01]\}\{[01]\}\d")
"""The first cue of MicroDVD may be the frame rate that the file was made for."""


@dataclass(frozen=True, slots=True)
class SidecarText:
    """Cues of a subtitle file by time, each language of it a `block`; and what is doubtful about them."""

    lines: list[TextLine]
    warnings: tuple[str, ...] = ()


def read_sidecar(path: Path, recording: Path | None = None, heartbeat: SendHeartbeat = no_heartbeat) -> SidecarText:
    """Read a subtitle file into cues without markup, whatever its encoding and suffix; malformed cues are skipped.

    `recording` is what it belongs to: its name leaves the language of the file, its frame rate times formats that
    count frames. Times are those of the file; end > start; cues beyond the recording's end are kept. Errors:
    DamagedMedia where it holds no cues and is no WebVTT, UnsupportedMedia for pictures of subtitles, SourceNotFound,
    LimitExceeded above 16 MB.
    """
    data = _read_bytes(path)
    decoded = decode_text(data, None if recording is None else find_language(path, recording))
    text = decoded.text
    warnings = [decoded.doubt] if decoded.doubt else []
    if is_sami(text):
        tracks = parse_sami(text)
    elif text.startswith("WEBVTT") or has_timing(text):
        tracks = [_collect(parse_timed_text(text), heartbeat)]
    elif is_ttml(text):
        tracks = [_collect(parse_ttml(text), heartbeat)]
    else:
        cues, doubt = _parse_with_ffmpeg(text, recording, heartbeat)
        tracks = [cues]
        warnings += [doubt] if doubt else []
    if not any(tracks) and not text.startswith("WEBVTT"):
        raise DamagedMedia(str(path), "is not a subtitle file")
    lines = [line for block, cues in enumerate(tracks) for line in to_text_lines(cues, block)]
    return SidecarText(lines, tuple(warnings))


def _collect(cues: Iterable[Cue], heartbeat: SendHeartbeat) -> list[Cue]:
    """Return cues as a list, with a sign of life after each."""
    collected = []
    for cue in cues:
        heartbeat()
        collected.append(cue)
    return collected


def _read_bytes(path: Path) -> bytes:
    file = BoundedFile(path)
    try:
        head = file.read(_HEAD_BYTES)
        for signature, name in _PICTURES.items():
            if head.startswith(signature):
                raise UnsupportedMedia(str(path), f"holds pictures of subtitles ({name}), which are not read")
        if file.size > _MAX_FILE_BYTES:
            raise LimitExceeded(str(path), f"larger than {_MAX_FILE_BYTES >> 20} MB, which no subtitle file is")
        return head + file.read()
    finally:
        file.close()


def _parse_with_ffmpeg(text: str, recording: Path | None, heartbeat: SendHeartbeat) -> tuple[list[Cue], str]:
    """Return the cues of text in the first format that fits, and what is doubtful about its times."""
    for name, pattern in _FFMPEG_FORMATS.items():
        if not pattern.search(text):
            continue
        counts_frames = name in FORMATS_IN_FRAMES and not _OWN_FRAME_RATE.search(text)
        frame_rate = _frame_rate(recording) if counts_frames and recording is not None else None
        cues = _collect(parse_with_ffmpeg(text, name, frame_rate), heartbeat)
        if cues:
            guessed = counts_frames and frame_rate is None
            return cues, "counts frames, at a rate that is not known: its times are a guess" if guessed else ""
    return [], ""


def _frame_rate(recording: Path) -> Fraction | None:
    """Return the average frame rate of a recording; None where it has no pictures."""
    try:
        with open_media(recording) as container:
            video = pick_video_stream(container)
            return None if video is None or not video.average_rate else Fraction(video.average_rate)
    except SourceError:
        return None
