"""Decoding of images that are sent as queries."""

from __future__ import annotations

import tempfile
from pathlib import Path

from indexer.types import Pixels
from services.playback.media_access import MediaAccess

_MAX_SIDE_PX = 1280
"""Chosen: more than any image encoder's input, so that downscaling costs no accuracy."""


def decode_query_image(media_access: MediaAccess, data: bytes) -> Pixels:
    """Decode an image file in the sandbox. Errors: UnsupportedMedia, DamagedMedia, LimitExceeded."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
        path = Path(folder) / "image"
        path.write_bytes(data)
        return media_access.decode_image("image", path, _MAX_SIDE_PX)
