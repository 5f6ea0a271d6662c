"""Cues of the subtitle formats that FFmpeg reads from text: SubStation Alpha, MicroDVD, MPL2, LRC and others."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av

from indexer.media.subtitles.cues import Cue
from indexer.media.subtitles.embedded import decode_packet

FORMATS_IN_FRAMES = frozenset({"microdvd"})
"""Formats whose times are numbers of frames."""


def parse_with_ffmpeg(text: str, format_name: str, frame_rate: Fraction | None) -> Iterator[Cue]:
    """Yield the cues of text in a subtitle format of FFmpeg, equal ones once; none where it cannot read the text.

    `frame_rate`, in frames a second, is used by formats that count frames, unless the text says another.
    """
    options = {"subfps": str(frame_rate)} if frame_rate and format_name in FORMATS_IN_FRAMES else {}
    try:
        container = av.open(
            io.BytesIO(text.encode("utf-8", "replace")),
            format=format_name,
            options=options,
            container_options={"format_whitelist": format_name, "protocol_whitelist": "none"},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, MemoryError):
            raise
        return
    seen: set[Cue] = set()
    with container:
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                cues = [cue for cue in decode_packet(packet, 0.0) if cue not in seen]
                seen.update(cues)
                yield from cues
