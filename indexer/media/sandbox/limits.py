"""How much one file may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Bounds of the media process: memory, seconds without a sign of life, size of pictures and documents."""

    memory_mb: int = 4096
    decode_timeout_s: float = 60.0
    max_image_pixels: int = 200_000_000
    max_pages: int = 2000
