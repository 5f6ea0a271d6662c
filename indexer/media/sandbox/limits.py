"""Resource limits for decoding one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Limits of the sandboxed media process: memory, seconds without a reply, size of pictures and documents."""

    memory_mb: int = 4096
    """Chosen: room for 8K video; lower refuses large files, higher lets a hostile file exhaust the machine."""
    decode_timeout_s: float = 60.0
    """Chosen: a slow disk or a busy machine must not fail a file; a file that hangs the decoder costs this long."""
    max_image_pixels: int = 200_000_000
    """Chosen: above the largest camera sensors; decoded as RGB this is 600 MB, which the memory limit allows."""
    max_pages: int = 2000
    """Chosen: books pass; a longer document would hold up a worker for hours."""
