"""Decoding of pictures that are sent as queries, within limits of their own: they are hostile, and somebody waits."""

from __future__ import annotations

import tempfile
from pathlib import Path

from indexer.types import Pixels
from services.playback.decoder_pool import DecoderPool

_MAX_SIDE_PX = 1280
"""Chosen: more than any image encoder's input, so that downscaling costs no accuracy."""
_NAME = "image"
"""Name of a picture in errors; it has no other."""


class QueryImages:
    """Decoder of query pictures in sandboxed processes that serve nothing else; the pool's limits are theirs."""

    def __init__(self, pool: DecoderPool) -> None:
        self._pool = pool

    def decode(self, data: bytes) -> Pixels:
        """Decode an image file, upright, after its header has passed the pixel limit.

        Errors: UnsupportedMedia, DamagedMedia, LimitExceeded (pixels, memory, time).
        """
        with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
            path = Path(folder) / _NAME
            path.write_bytes(data)
            return self._pool.run(_NAME, lambda decoder: decoder.read_image(path, _MAX_SIDE_PX))
