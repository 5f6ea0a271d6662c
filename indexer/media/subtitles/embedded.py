"""Text streams of subtitles inside a recording, and the subtitle decoders of FFmpeg, with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.stream import Discard
from av.subtitles.subtitle import AssSubtitle

from indexer.media.subtitles.cues import DEFAULT_CUE_S, Cue, strip_markup, to_text_lines
from indexer.media.video.container import open_media
from indexer.media.video.reader import SendHeartbeat, no_heartbeat
from indexer.media.video.timeline import find_start_s
from indexer.types import TextLine

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
        cues_by_stream: dict[int, list[Cue]] = {stream.index: [] for stream in streams}
        for packet in _demux_subtitles(container, streams):
            heartbeat()
            cues_by_stream[packet.stream.index].extend(decode_packet(packet, origin_s))
    return [line for block, cues in enumerate(cues_by_stream.values()) for line in to_text_lines(cues, block)]


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


def decode_packet(packet: av.Packet, origin_s: float) -> Iterator[Cue]:
    """Yield the cues of a subtitle packet; nothing where it cannot be decoded."""
    start_s = float(packet.pts * packet.time_base) - origin_s
    length_s = float(max(packet.duration or 0, 0) * packet.time_base) or DEFAULT_CUE_S
    try:
        parts = packet.decode()
    except av.error.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        return
    for part in parts:
        if isinstance(part, AssSubtitle):
            text = part.ass.decode("utf-8", "replace").split(",", 8)[-1]
            yield Cue(start_s, start_s + length_s, strip_markup(text.replace("\\N", "\n").replace("\\n", "\n")))
