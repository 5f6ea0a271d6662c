"""Pictures that are looked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from indexer.types import Pixels
from services.playback.media_access import MediaAccess

_MAX_SIDE_PX = 1280


def decode_query_image(media_access: MediaAccess, data: bytes) -> Pixels:
    """The pixels of a picture's file. Errors: UnsupportedMedia, DamagedMedia, LimitExceeded."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
        path = Path(folder) / "image"
        path.write_bytes(data)
        return media_access.decode_image("image", path, _MAX_SIDE_PX)
