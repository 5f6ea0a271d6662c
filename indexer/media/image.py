"""Decoding of image files to upright RGB: Pillow, with HEIC by pillow-heif."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from indexer.errors import DamagedMedia, LimitExceeded, SourceNotFound, UnsupportedMedia
from indexer.types import AssetKind, MediaInfo, Pixels

_SIGNED_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000", "PSD")
"""Formats with an unmistakable signature: a file that has it and still does not open is damaged."""

_ALLOWED_FORMATS = (*_SIGNED_FORMATS, "BMP", "PPM", "QOI")
"""Formats that Pillow may try. Left out: those that run other programs (EPS), that nest pictures of another size (ICO)
or that cannot be told from noise (TGA)."""

_MULTI_FRAME_FORMATS = ("GIF", "PNG", "TIFF", "WEBP")
_HEADER_BYTES = 64
"""Form: at least the 16 bytes by which Pillow recognizes formats; a longer prefix changes nothing."""
_MEGAPIXEL = 1_000_000  # Form: a unit for messages

_VENDOR_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    RuntimeError,
    struct.error,
)

_EXIF_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a picture is turned for each EXIF orientation (1 and unknown values: not at all).

Source: EXIF 2.3 (CIPA DC-008), tag 274.
"""


def probe_image(path: Path, max_pixels: int) -> MediaInfo:
    """Return the metadata of an image file from its header, without decoding pixels.

    Width and height are those of the upright picture. `taken_at` is EXIF DateTimeOriginal with its offset; a time
    without an offset is read as UTC. Errors: UnsupportedMedia where Pillow does not know the format, DamagedMedia where
    it does and the header is broken, LimitExceeded above `max_pixels`, SourceNotFound.
    """
    with _open_image(path) as image:
        exif = _read_exif(image)
        width, height = _upright_size(image, exif)
        _check_pixel_limit(path, width, height, max_pixels)
        return MediaInfo(
            AssetKind.IMAGE,
            (image.format or "").lower(),
            width,
            height,
            taken_at=_parse_taken_at(exif),
            warnings=_multi_frame_warnings(image),
        )


def read_image(path: Path, max_px: int) -> Pixels:
    """Decode the first picture of an image file: upright RGB, transparency on white, never enlarged.

    The longer side is at most `max_px` pixels. Call `probe_image` first: here no size is refused. Errors: those of
    `probe_image`; DamagedMedia where the pixels are truncated or corrupt.
    """
    with _open_image(path) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", _fit_size(image.size, max_px))
        image.load()
        turn = _EXIF_TRANSPOSE.get(_read_exif(image).get(ExifTags.Base.Orientation, 1))
        picture = _flatten_to_rgb(image)
        size = _fit_size(picture.size, max_px)
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        if turn is not None:
            picture = picture.transpose(turn)
        return np.ascontiguousarray(np.asarray(picture, dtype=np.uint8))


@contextmanager
def _open_image(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open an image with Pillow: its warnings and size limit (ours is checked instead) off, its errors translated."""
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_ALLOWED_FORMATS) as image:
                yield image
    except (FileNotFoundError, PermissionError) as error:
        raise SourceNotFound(str(path), (error.strerror or "cannot be read").lower()) from error
    except UnidentifiedImageError as error:
        raise _unidentified_error(path) from error
    except (LimitExceeded, UnsupportedMedia):
        raise
    except _VENDOR_ERRORS as error:
        raise DamagedMedia(str(path), f"is truncated or damaged ({_one_line(error)})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _unidentified_error(path: Path) -> DamagedMedia | UnsupportedMedia:
    """Return the error for a file that no format accepts: damaged if it is empty or has a known signature."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        return DamagedMedia(str(path), "is empty")
    for name in _SIGNED_FORMATS:
        accept = Image.OPEN[name][1]
        if accept is not None and accept(header) is True:
            return DamagedMedia(str(path), f"its {name} header is damaged")
    return UnsupportedMedia(str(path), "is not a picture of a known format")


def _one_line(error: Exception) -> str:
    """Return an error's message with all whitespace collapsed; its class name where there is none."""
    return " ".join(str(error).split()) or type(error).__name__


def _read_exif(image: Image.Image) -> Image.Exif:
    """Return EXIF from the header (PNG's own method would decode the pixels first); empty where it is broken."""
    try:
        return Image.Image.getexif(image)
    except _VENDOR_ERRORS:
        return Image.Exif()


def _upright_size(image: ImageFile.ImageFile, exif: Image.Exif) -> tuple[int, int]:
    """Return `(width, height)` as displayed; Pillow turns TIFF by itself."""
    width, height = image.size
    is_transposed = exif.get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return (height, width) if is_transposed and image.format != "TIFF" else (width, height)


def _check_pixel_limit(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Raise LimitExceeded where the image has more than `max_pixels` pixels."""
    if width * height > max_pixels:
        limit = f"{max_pixels / _MEGAPIXEL:g} megapixels"
        raise LimitExceeded(str(path), f"{width} x {height} pixels, over the limit of {limit}")


def _parse_taken_at(exif: Image.Exif) -> float | None:
    """Return EXIF DateTimeOriginal as a Unix time; UTC where it has no offset, None where it cannot be parsed."""
    try:
        tags = exif.get_ifd(ExifTags.IFD.Exif)
    except _VENDOR_ERRORS:
        return None
    local_time = _text(tags.get(ExifTags.Base.DateTimeOriginal))
    offset = _text(tags.get(ExifTags.Base.OffsetTimeOriginal))
    for text, pattern in ((local_time + offset, "%Y:%m:%d %H:%M:%S%z"), (local_time, "%Y:%m:%d %H:%M:%S")):
        try:
            parsed = datetime.strptime(text, pattern)
        except ValueError:
            continue
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    return None


def _text(value: object) -> str:
    """Return an EXIF string without padding; empty for values of other types."""
    return value.strip(" \0") if isinstance(value, str) else ""


def _multi_frame_warnings(image: ImageFile.ImageFile) -> tuple[str, ...]:
    """Return a warning for animated and multi-page files."""
    if image.format in _MULTI_FRAME_FORMATS and getattr(image, "is_animated", False):
        return ("holds more than one picture; only the first is read",)
    return ()


def _fit_size(size: tuple[int, int], max_px: int) -> tuple[int, int]:
    """Reduce `(width, height)` in proportion until the longer side is at most `max_px`; never enlarge."""
    scale = max_px / max(size)
    return size if scale >= 1 else (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def _flatten_to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to 8-bit RGB, transparency on white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_8_bit(np.asarray(image)))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layers).convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Convert deep grey to 8 bits: 16-bit values by their high byte, others as they are or, out of range, stretched."""
    if values.dtype.itemsize == 2:
        return (values.astype(np.uint16) >> 8).astype(np.uint8)
    grey = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    if low < 0 or high > 255 or (high <= 1 and values.dtype.kind == "f"):
        grey = (grey - low) * (255.0 / max(high - low, 1e-6))
    return np.clip(grey, 0, 255).astype(np.uint8)
