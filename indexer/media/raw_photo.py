"""Camera raw photos, developed by LibRaw (rawpy)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from indexer.types import Pixels

_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw"}
    | {".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)
"""Source: LibRaw, supported cameras: endings of their files. Some look like a TIFF inside."""
_SIGNATURES = (b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"II\x1a\0\0\0HEAPCCDR")
"""Source: LibRaw, identify(): Fujifilm, Sigma, Minolta, Panasonic, Olympus, Canon CRW."""
_FUJI_PREVIEW_AT = 84  # Source: LibRaw, parse_fuji: offset and length of the JPEG, big-endian
_TURNED_FLIPS = frozenset({5, 6})  # Source: LibRaw, `sizes.flip`: by 90 degrees either way


class RawPhotoError(Exception):
    """A raw photo that LibRaw cannot develop, or is not there to develop."""


def is_raw_photo(head: bytes) -> bool:
    """Return True if a file that begins with `head` has the signature of a raw photo that is no TIFF."""
    return head.startswith(_SIGNATURES) or head[4:12] == b"ftypcrx "


def may_be_raw(path: Path, head: bytes) -> bool:
    """Return True if signature or name say that a file is a raw photo."""
    return is_raw_photo(head) or path.suffix.lower() in _SUFFIXES


def raw_size(path: Path) -> tuple[int, int]:
    """Return width and height of a raw photo as developed and displayed. Errors: RawPhotoError, MemoryError."""
    with _open(path) as raw:
        sizes = raw.sizes
        width, height = sizes.width, round(sizes.height * (sizes.pixel_aspect or 1.0))
        return (height, width) if sizes.flip in _TURNED_FLIPS else (width, height)


def develop(path: Path, max_px: int) -> Pixels:
    """Develop a raw photo with the camera's white balance: upright RGB, at half size where that suffices for `max_px`.

    Errors: RawPhotoError, MemoryError.
    """
    with _open(path) as raw:
        is_half_enough = max(raw.sizes.width, raw.sizes.height) >= 2 * max_px
        return np.ascontiguousarray(raw.postprocess(use_camera_wb=True, half_size=is_half_enough, output_bps=8))


def find_preview(path: Path) -> bytes:
    """Return the JPEG inside of a Fujifilm raw photo; empty for other files."""
    with path.open("rb") as file:
        head = file.read(_FUJI_PREVIEW_AT + 8)
        if not head.startswith(_SIGNATURES[0]) or len(head) < _FUJI_PREVIEW_AT + 8:
            return b""
        offset, length = (int.from_bytes(head[at : at + 4], "big") for at in (_FUJI_PREVIEW_AT, _FUJI_PREVIEW_AT + 4))
        file.seek(offset)
        return file.read(min(length, path.stat().st_size))


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a raw photo with LibRaw, its errors translated."""
    if find_spec("rawpy") is None:
        raise RawPhotoError("rawpy, which develops it, is not installed")
    import rawpy

    try:
        with rawpy.imread(str(path)) as raw:
            yield raw
    except rawpy.LibRawUnsufficientMemoryError as error:
        raise MemoryError from error
    except (rawpy.LibRawError, rawpy.NotSupportedError, ValueError, OSError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise RawPhotoError(text.lower()) from error
