"""Pictures that are looked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from indexer.types import Pixels
from services.showing import Showing

_LONGER_SIDE_PX = 1280


def pixels_of(showing: Showing, data: bytes) -> Pixels:
    """The pixels of a picture's file. Errors: UnsupportedMedia, DamagedMedia, LimitExceeded."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
        path = Path(folder) / "image"
        path.write_bytes(data)
        return showing.picture("image", path, _LONGER_SIDE_PX)
