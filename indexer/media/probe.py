"""Media type detection by content: PDF, image, video or audio. Runs inside the sandboxed media process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
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
from indexer.media.video.metadata import read_metadata
from indexer.media.video.picture import display_matrix, display_size
from indexer.media.video.reader import decode_first_frame
from indexer.types import AssetKind, MediaInfo

_IMAGE_SIGNATURES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"8BPS", b"qoif", b"DDS ",
    b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"\xff\x0a", b"P4\n", b"P5\n", b"P6\n",
)  # fmt: skip
_IMAGE_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"}
_HEAD_BYTES = 1024
"""Source: PDF Reference 1.7, implementation note 13: the PDF header lies within the first 1024 bytes."""
_MAX_TAIL_PACKETS = 5000
"""Chosen: packets read to measure the true end; with more, the header's claim is taken, which is faster."""
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
            start_s = frame.time or 0.0
        else:
            start_s = _find_audio_start_s(path, container, audio, name)
        duration_s, warnings = _measure_duration_s(container, video or audio, start_s)
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


def _find_audio_start_s(path: Path, container: av.container.InputContainer, stream: av.AudioStream, name: str) -> float:
    """Return the time of the first decoded audio frame.

    FFmpeg accepts any bytes for formats without a header, so for those each of the first packets must decode.
    Errors: UnsupportedMedia, DamagedMedia.
    """
    failed_packets, first_s = 0, None
    for packet, _ in zip(Demuxer(container, stream), range(_PROBE_AUDIO_PACKETS), strict=False):
        try:
            for frame in packet.decode():
                first_s = frame.time or 0.0 if first_s is None else first_s
        except av.error.InvalidDataError:
            failed_packets += 1
    if first_s is None or (failed_packets and name in _HEADERLESS_AUDIO_FORMATS):
        if name in _HEADERLESS_AUDIO_FORMATS:
            raise UnsupportedMedia(str(path), NOT_MEDIA)
        raise DamagedMedia(str(path), "no sound in it can be decoded")
    return first_s


def _measure_duration_s(
    container: av.container.InputContainer, stream: av.stream.Stream, start_s: float
) -> tuple[float | None, list[str]]:
    """Return the duration from `start_s` on, by the last packet where possible, and warnings if the header differs."""
    claimed_end_s = _claimed_end_s(container, stream)
    last_packet_end_s = _find_last_packet_end_s(container, stream, claimed_end_s)
    warnings = []
    if (
        claimed_end_s is not None
        and last_packet_end_s is not None
        and abs(claimed_end_s - last_packet_end_s) > max(1.0, 0.02 * claimed_end_s)
    ):
        warnings.append(
            f"its header promises {claimed_end_s - start_s:.1f} s, it holds {last_packet_end_s - start_s:.1f} s"
        )
    end_s = last_packet_end_s if last_packet_end_s is not None else claimed_end_s
    return (None if end_s is None else max(end_s - start_s, 0.0)), warnings


def _claimed_end_s(container: av.container.InputContainer, stream: av.stream.Stream) -> float | None:
    """Return the end time that the stream's or the container's header claims."""
    if stream.duration is not None and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    if container.duration is None:
        return None
    return float(Fraction((container.start_time or 0) + container.duration, av.time_base))


def _find_last_packet_end_s(
    container: av.container.InputContainer, stream: av.stream.Stream, claimed_s: float | None
) -> float | None:
    """Return where the last packet ends, by seeking near the end; None where that would read too much."""
    if claimed_s is None or not stream.time_base:
        return None
    for time in _seek_points_near_end(stream, claimed_s):
        with suppress(av.error.FFmpegError):
            container.seek(time, stream=stream)
            ends = []
            for packet in Demuxer(container, stream):
                if packet.pts is not None:
                    ends.append(packet.pts + (packet.duration or 0))
                if len(ends) > _MAX_TAIL_PACKETS:
                    return None
            if ends:
                return float(max(ends) * Fraction(stream.time_base))
    return None


def _seek_points_near_end(stream: av.stream.Stream, claimed_s: float) -> Iterator[int]:
    """Yield timestamps to seek to: the claimed end, then the last indexed key frame whose bytes are in the file."""
    yield int(claimed_s / stream.time_base)
    size = stream.container.size
    for entry in reversed(stream.index_entries):
        if entry.is_keyframe and entry.pos + entry.size < size:
            yield entry.timestamp
            return
