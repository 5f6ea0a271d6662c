"""Safe opening and demuxing of media containers with PyAV: nothing but the file itself is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
from av.stream import Discard, Disposition

from indexer.errors import DamagedMedia, SourceError, SourceNotFound, UnsupportedMedia

NOT_MEDIA = "is not a video, picture or PDF that any decoder here can open"

_FORBIDDEN_FORMATS = frozenset(
    {"hls", "applehttp", "dash", "webm_dash_manifest", "concat", "image2", "image2pipe", "alias_pix", "brender_pix"}
    | {"lavfi", "rtsp", "rtp", "rtp_mpegts", "sdp", "sap", "imf", "vobsub", "avisynth", "vapoursynth", "mpegtsraw"}
    | {"video4linux2", "v4l2", "fbdev", "alsa", "oss", "x11grab", "kmsgrab", "xcbgrab"}
    | {"tty", "bin", "adf", "idf", "xbin", "ffmetadata", "data", "rawvideo", "mcc", "scc"}  # these accept any text
)
"""Formats that open other files, devices or addresses, or that accept anything."""
_PLAYLIST_STARTS = (b"#EXTM3U", b"ffconcat", b"v=0\r", b"v=0\n", b"[playlist]", b"[Reference]", b"# VobSub", b"SMIL")
_PLAYLIST_ELEMENTS = (b"<MPD", b"<AssetMap", b"<CompositionPlaylist", b"<SmoothStreamingMedia", b"<smil", b"<playlist")
"""Source: RFC 8216 (HLS), ISO/IEC 23009-1 (DASH), RFC 8866 (SDP), SMPTE ST 2067 (IMF), FFmpeg's concat: how they begin,
and the elements of those in XML."""
_PLAYLIST_HEAD_BYTES = 4096
"""Chosen: an element of a playlist comes after its declaration and comments, which are shorter."""
_BUFFER_BYTES = 1 << 18  # Form: size of a read
_MAX_READ_ERRORS = 16
"""Chosen: read errors before the rest is given up; more recovers more of a damaged file, but takes longer."""
_MAX_ATOMS = 64
"""Chosen: top-level boxes searched for an index; enough for any MP4 that is not fragmented."""


class BoundedFile:
    """Read-only regular file with the size it had when it was opened, so that a growing file reads as a snapshot.

    Errors: SourceNotFound, UnsupportedMedia where it is no regular file, DamagedMedia where it is empty.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SourceNotFound(str(path), (error.strerror or str(error)).lower()) from error
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise UnsupportedMedia(str(path), "is not a regular file")
        self.size = status.st_size
        self._position = 0
        if not self.size:
            self.close()
            raise DamagedMedia(str(path), "is empty")

    def read(self, count: int = -1) -> bytes:
        """Read at most `count` bytes (the rest if negative); `b""` at the end."""
        left = max(self.size - self._position, 0)
        data = os.pread(self._fd, left if count < 0 else min(count, left), self._position)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position as `io.IOBase.seek` does and return it."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(origin + offset, 0)
        return self._position

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextmanager
def open_media(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a media container by its content alone, whatever its name.

    Errors: SourceNotFound, UnsupportedMedia, DamagedMedia.
    """
    file = BoundedFile(path)
    try:
        try:
            container = av.open(
                file,
                mode="r",
                container_options={"format_whitelist": _allowed_formats(), "protocol_whitelist": "none"},
                metadata_errors="replace",
                buffer_size=_BUFFER_BYTES,
                io_open=_forbid_other_files,
            )
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, MemoryError):
                raise
            raise _open_error(path, file, error) from error
        try:
            yield container
        finally:
            container.close()
    finally:
        file.close()


def pick_video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the largest video stream that has a decoder, cover art left out; None where there is none."""
    unfit = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    streams = [s for s in container.streams.video if s.codec_context is not None and not s.disposition & unfit]
    return max(streams, key=lambda s: (s.codec_context.width * s.codec_context.height, -s.index), default=None)


def pick_audio_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """Return the audio stream that a player would pick (the default, else the first); None where there is none."""
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    return next((s for s in streams if s.disposition & Disposition.default), next(iter(streams), None))


class Demuxer:
    """Iterable over the packets of one stream in decoding order; read errors are counted and skipped.

    All other streams of the container are discarded.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.stream.Stream) -> None:
        self._container = container
        self._stream = stream
        self.error_count = 0
        for other in container.streams:
            other.discard = Discard.default if other.index == stream.index else Discard.all

    def __iter__(self) -> Iterator[av.Packet]:
        """Yield the packets that have data."""

        def count_error() -> None:
            self.error_count += 1

        yield from skip_read_errors(self._container, [self._stream], count_error)


def skip_read_errors(
    container: av.container.InputContainer,
    streams: Sequence[av.stream.Stream],
    on_error: Callable[[], None] = lambda: None,
) -> Iterator[av.Packet]:
    """Yield the packets of some streams that have data; read errors are skipped, up to a limit, and told."""
    for _ in range(_MAX_READ_ERRORS + 1):
        try:
            for packet in container.demux(streams):
                if packet.size:
                    yield packet
            return
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            on_error()


def _allowed_formats() -> str:
    """Return FFmpeg's `format_whitelist`: all demuxers that read one file alone."""
    names = {name for names in av.formats_available for name in names.split(",")}
    return ",".join(sorted(n for n in names if n not in _FORBIDDEN_FORMATS and not n.endswith("_pipe")))


def _forbid_other_files(url: str, flags: int, options: dict[str, str]) -> object:
    """Refuse to open a file that a media file refers to."""
    raise PermissionError(f"a media file may not open another: {url!r} ({flags}, {options})")


def _open_error(path: Path, file: BoundedFile, error: Exception) -> SourceError:
    """Return the error for a file that FFmpeg cannot open: damaged if its signature is known, else unsupported."""
    file.seek(0)
    head = file.read(16)
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
        if b"moov" not in _list_atoms(file):
            return DamagedMedia(str(path), "no index (moov): cut short or still being written")
        return DamagedMedia(str(path), "its index (moov) is damaged")
    if head.startswith(b"\x1aE\xdf\xa3") or (head.startswith(b"RIFF") and head[8:12] in {b"AVI ", b"WAVE"}):
        return DamagedMedia(str(path), "its header is damaged or cut short")
    if isinstance(error, av.error.ArgumentError) and _is_playlist(file):
        return UnsupportedMedia(str(path), "is a playlist or the like, which would open other files")
    return UnsupportedMedia(str(path), NOT_MEDIA)


def _is_playlist(file: BoundedFile) -> bool:
    """Return True if a file names other files to play; FFmpeg refuses pictures and drawings by the same error."""
    file.seek(0)
    head = file.read(_PLAYLIST_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(_PLAYLIST_STARTS) or any(element in head for element in _PLAYLIST_ELEMENTS)


def _list_atoms(file: BoundedFile) -> set[bytes]:
    """Return the names of the top-level boxes of an MP4 file (ISO/IEC 14496-12, 4.2)."""
    names: set[bytes] = set()
    at = 0
    while at + 8 <= file.size and len(names) < _MAX_ATOMS:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        names.add(head[4:8])
        if size < 8:
            break
        at += size
    return names
