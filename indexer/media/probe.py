"""Media type detection by content: PDF, image, video or audio. Runs inside the sandboxed media process."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av

from indexer.errors import DamagedMedia, UnsupportedMedia
from indexer.media.raw_photo import is_raw_photo
from indexer.media.sandbox.limits import MediaLimits
from indexer.media.video.container import (
    NOT_MEDIA,
    BoundedFile,
    Demuxer,
    open_media,
    pick_audio_stream,
    pick_video_stream,
)
from indexer.media.video.continuity import find_joined_end_s, leaps_over_wrap
from indexer.media.video.metadata import read_metadata
from indexer.media.video.picture import display_matrix, display_size
from indexer.media.video.reader import decode_first_frame
from indexer.media.video.timeline import claim_end_s, find_end_s, find_false_claim, find_start_s
from indexer.types import AssetKind, MediaInfo

_IMAGE_SIGNATURES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"8BPS", b"qoif", b"DDS ",
    b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"\xff\x0a", b"P4\n", b"P5\n", b"P6\n",
)  # fmt: skip
_IMAGE_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"}
_HEAD_BYTES = 1024
"""Source: PDF Reference 1.7, implementation note 13: the PDF header lies within the first 1024 bytes."""
_PROBE_AUDIO_PACKETS = 12
"""Chosen: packets that must decode; more would tell noise from sound more surely, but read more of each file."""
_HEADERLESS_AUDIO_FORMATS = {
    "mp3",
    "aac",
    "loas",
    "ac3",
    "eac3",
    "dts",
    "mp2",
    "truehd",
    "mlp",
    "amr",
    "amrnb",
    "amrwb",
    "g729",
}


def probe(path: Path, limits: MediaLimits) -> MediaInfo:
    """Return kind, size and duration of a media file.

    Errors: SourceNotFound, UnsupportedMedia, DamagedMedia, ProtectedMedia, LimitExceeded.
    """
    file = BoundedFile(path)
    head = file.read(_HEAD_BYTES)
    file.close()
    if b"%PDF-" in head:
        from indexer.media.pdf.reader import probe_document

        return probe_document(path, limits.max_pages)
    if _is_image(head) or is_raw_photo(head):
        from indexer.media.image import probe_image

        return probe_image(path, limits.max_image_pixels)
    return probe_video(path)


def probe_video(path: Path) -> MediaInfo:
    """Return the metadata of a video or audio file; one frame is decoded, and the claimed duration is checked.

    Errors: SourceNotFound, UnsupportedMedia, DamagedMedia.
    """
    with open_media(path) as container:
        video, audio = pick_video_stream(container), pick_audio_stream(container)
        if not container.streams and container.format.name.startswith(("mov,", "matroska,", "avi")):
            raise DamagedMedia(str(path), "its header is damaged: it names no pictures and no sound")
        if video is None and audio is None:
            raise UnsupportedMedia(str(path), NOT_MEDIA)
        name = _format_name(container)
        width = height = None
        if video is not None:
            frame = decode_first_frame(path, container, video)
            width, height = display_size(frame.width, frame.height, Fraction(video.sample_aspect_ratio or 1))
            if display_matrix(frame)[0] == 0:
                width, height = height, width
        else:
            _check_audio(path, container, audio, name)
        duration_s, warnings = _measure_duration_s(path, container, [s for s in (video, audio) if s is not None])
        date, lines = read_metadata(container.metadata, [stream.metadata for stream in container.streams])
        return MediaInfo(
            kind=AssetKind.VIDEO,
            format=name,
            width=width,
            height=height,
            duration_s=duration_s,
            taken_at=None if date is None else date.time,
            has_video=video is not None,
            has_audio=audio is not None,
            subtitle_streams=len(container.streams.subtitles),
            warnings=tuple(warnings),
            date_source="" if date is None else date.source,
            metadata=lines,
        )


def _is_image(head: bytes) -> bool:
    """Return True if a file that begins with `head` has the signature of an image format."""
    if head.startswith(_IMAGE_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return True
    return head[4:8] == b"ftyp" and head[8:12] in _IMAGE_BRANDS


def _format_name(container: av.container.InputContainer) -> str:
    """Return the short name of the container format: mp4 and mov by brand, else FFmpeg's first name."""
    name = str(container.format.name)
    if name.startswith("mov,"):
        return "mov" if container.metadata.get("major_brand", "").startswith("qt") else "mp4"
    return name.split(",")[0]


def _check_audio(path: Path, container: av.container.InputContainer, stream: av.AudioStream, name: str) -> None:
    """Raise an error where the first audio packets cannot be decoded.

    FFmpeg accepts any bytes for formats without a header, so for those each of the first packets must decode.
    Errors: UnsupportedMedia, DamagedMedia.
    """
    failed_packets, frame_count = 0, 0
    for packet, _ in zip(Demuxer(container, stream), range(_PROBE_AUDIO_PACKETS), strict=False):
        try:
            frame_count += len(packet.decode())
        except av.error.InvalidDataError:
            failed_packets += 1
    if not frame_count or (failed_packets and name in _HEADERLESS_AUDIO_FORMATS):
        if name in _HEADERLESS_AUDIO_FORMATS:
            raise UnsupportedMedia(str(path), NOT_MEDIA)
        raise DamagedMedia(str(path), "no sound in it can be decoded")


def _measure_duration_s(
    path: Path, container: av.container.InputContainer, streams: Sequence[av.stream.Stream]
) -> tuple[float | None, list[str]]:
    """Return the duration of the longest stream, by its last packet where possible; a warning if the header differs."""
    start_s = find_start_s(container)
    ends = [(stream, find_end_s(container, stream)) for stream in streams]
    claim = find_false_claim(container, ends)
    warnings = (
        [] if claim is None else [f"its header promises {float(claim[0]):.1f} s, it holds {float(claim[1]):.1f} s"]
    )
    claims = [claim_end_s(container, stream) if end_s is None else end_s for stream, end_s in ends]
    known = [end_s for end_s in claims if end_s is not None]
    if not known:
        return None, warnings
    end_s = max(*known, start_s)
    if end_s == start_s or leaps_over_wrap(container, start_s, end_s):
        end_s = find_joined_end_s(path) or end_s
    return float(end_s - start_s), warnings
