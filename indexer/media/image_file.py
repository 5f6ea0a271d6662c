"""Opening of image files by their content, for any decoder: Pillow, libheif, and those of deep TIFFs and raw photos."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, BinaryIO

import pillow_heif
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from indexer.errors import DamagedMedia, LimitExceeded, SourceNotFound, UnsupportedMedia
from indexer.media import raw_photo, tiff_pixels
from indexer.media.image_metadata import ImageInfo
from indexer.media.rgb import flatten_to_rgb, samples_to_image
from indexer.media.tiff import TiffFile, TiffPicture, read_structure

_SIGNED_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000", "PSD")
"""Formats with an unmistakable signature: a file that has it and still does not open is damaged."""

_ALLOWED_FORMATS = (*_SIGNED_FORMATS, "BMP", "PPM", "QOI")
"""Formats that Pillow may try. Left out: those that run other programs (EPS), that nest pictures of another size (ICO)
or that cannot be told from noise (TGA)."""

_MULTI_FRAME_FORMATS = ("GIF", "PNG", "WEBP", "AVIF", "HEIF")
_OTHER_VIEWS = ("Multi-Frame Image: (Disparity)", "Multi-Frame Image (Panorama)", "Multi-Frame Image: (Multi-Angle)")
"""Source: CIPA DC-007, MP types that are pictures of their own, in Pillow's words; previews and gain maps are none."""
_MANY_PICTURES = ("holds more than one picture; only the first is read",)
_HEADER_BYTES = 64
"""Form: at least the 16 bytes by which Pillow recognizes formats; a longer prefix changes nothing."""
_XMP_TAG = 700  # Source: ISO 16684-3: the XMP packet of a TIFF
_JPEG_AT, _JPEG_BYTES = 513, 514  # Source: TIFF 6.0, section 22: a JPEG inside, which cameras use for previews
_MAX_PREVIEW_BYTES = 64 << 20
"""Chosen: far above the preview of any camera; bounds what a hostile file can make us read at once."""
_UNREAD_FORMATS = {
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"DDS ": "DDS",
}
"""Source: ISO/IEC 18181-2 and Microsoft's DDS guide: signatures of formats for which there is no decoder here."""

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
_TURNED = frozenset({5, 6, 7, 8})  # Source: EXIF 2.3, tag 274: width and height are exchanged


@dataclass(frozen=True, slots=True)
class OpenImage:
    """An image file that is open: `size` is `(width, height)` as displayed, `info` what Pillow found beside pixels.

    `decode(size)` returns the upright picture in RGB, reduced to `size` where it is larger.
    """

    format: str
    size: tuple[int, int]
    exif: Image.Exif
    decode: Callable[[tuple[int, int]], Image.Image]
    info: ImageInfo = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@contextmanager
def open_image(path: Path) -> Iterator[OpenImage]:
    """Open an image file, with Pillow's warnings and size limit (ours is checked instead) off, its errors translated.

    Errors: UnsupportedMedia where no decoder knows the format or its kind, DamagedMedia where one does and the file is
    broken, SourceNotFound. Those of decoding come from the body.
    """
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with path.open("rb") as file:
                yield _open(path, file)
    except (FileNotFoundError, PermissionError) as error:
        raise SourceNotFound(str(path), (error.strerror or "cannot be read").lower()) from error
    except UnidentifiedImageError as error:
        raise _unidentified_error(path) from error
    except (LimitExceeded, UnsupportedMedia, DamagedMedia):
        raise
    except _VENDOR_ERRORS as error:
        raise DamagedMedia(str(path), f"is truncated or damaged ({_one_line(error)})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _open(path: Path, file: BinaryIO) -> OpenImage:
    """Open a file with the decoder that its content asks for."""
    head = file.read(_HEADER_BYTES)
    file.seek(0)
    tiff = read_structure(path)
    may_be_raw = raw_photo.may_be_raw(path, head) or (tiff is not None and tiff.is_raw)
    if may_be_raw and (photo := _open_raw(path, file, tiff, head)) is not None:
        return photo
    if tiff is not None and (picture := tiff.best()) is not None:
        return _open_tiff(path, file, tiff, picture)
    return _open_with_pillow(file)


# Pillow


def _open_with_pillow(file: IO[bytes], exif: Image.Exif | None = None) -> OpenImage:
    """Open a file with Pillow; `exif` is that of the file where it is not the picture's own."""
    image = Image.open(file, formats=_ALLOWED_FORMATS)
    own_exif = _read_exif(image)
    orientation = (exif or own_exif).get(ExifTags.Base.Orientation, 1)
    turns = orientation in _TURNED and image.format != "TIFF"  # Pillow turns TIFF by itself
    size = (image.height, image.width) if turns else image.size

    def decode(target: tuple[int, int]) -> Image.Image:
        """Decode the picture upright, at most slightly larger than `target` where the decoder can reduce it."""
        stored_target = (target[1], target[0]) if turns else target
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", stored_target)
        image.load()
        transpose = None if image.format == "TIFF" and exif is None else _EXIF_TRANSPOSE.get(_orientation_now(image))
        if exif is not None:
            transpose = _EXIF_TRANSPOSE.get(orientation)
        picture = _reduce(flatten_to_rgb(image), stored_target)
        return picture if transpose is None else picture.transpose(transpose)

    name = (image.format or "").lower()
    return OpenImage(name, size, exif or own_exif, decode, image.info, _multi_frame_warnings(image))


def _orientation_now(image: Image.Image) -> int:
    """Return how a decoded picture is to be turned: decoders that turn it take the tag out."""
    return int(_read_exif(image).get(ExifTags.Base.Orientation, 1) or 1)


def _reduce(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Reduce a picture to `size`; never enlarge it."""
    if picture.size == size or max(size) > max(picture.size):
        return picture
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _read_exif(image: Image.Image) -> Image.Exif:
    """Return EXIF from the header (PNG's own method would decode the pixels first); empty where it is broken."""
    try:
        return Image.Image.getexif(image)
    except _VENDOR_ERRORS:
        return Image.Exif()


def _multi_frame_warnings(image: ImageFile.ImageFile) -> tuple[str, ...]:
    """Return a warning for files of several pictures."""
    if image.format in _MULTI_FRAME_FORMATS and getattr(image, "n_frames", 1) > 1:
        return _MANY_PICTURES
    entries = getattr(image, "mpinfo", None) or {}
    for entry in entries.get(0xB002, ())[1:] if image.format == "MPO" else ():
        if entry.get("Attribute", {}).get("MPType") in _OTHER_VIEWS:
            return _MANY_PICTURES
    return ()


# TIFF


def _open_tiff(path: Path, file: BinaryIO, tiff: TiffFile, picture: TiffPicture) -> OpenImage:
    """Open the best picture of a TIFF. Errors: UnsupportedMedia where it is whole and of a kind that nobody reads."""
    exif = _load_tiff_exif(file, tiff)
    several = _MANY_PICTURES if tiff.count_pages() > 1 else ()
    if tiff_pixels.can_decode(tiff, picture):
        return _open_deep_tiff(path, tiff, picture, exif, several)
    try:
        image = _open_with_pillow(tiff.opened_at(file, picture))
    except UnidentifiedImageError as error:
        if not picture.is_whole(tiff.size):
            raise
        form = ", big-endian BigTIFF" if tiff.is_beyond_pillow else ""
        reason = f"is a TIFF of a kind that cannot be read ({picture.describe()}{form})"
        raise UnsupportedMedia(str(path), reason) from error
    return replace(image, exif=exif, info={**image.info, **_tiff_info(tiff)}, warnings=several)


def _open_deep_tiff(
    path: Path, tiff: TiffFile, picture: TiffPicture, exif: Image.Exif, several: tuple[str, ...]
) -> OpenImage:
    """Open a TIFF of floats, deep integers or planes."""
    orientation = picture.number(ExifTags.Base.Orientation, 1)
    size = (picture.width, picture.height)
    turns = orientation in _TURNED

    def decode(target: tuple[int, int]) -> Image.Image:
        samples = tiff_pixels.decode(path, tiff, picture)
        has_alpha = picture.number(338) in (1, 2)
        bits = picture.bits if tiff_pixels.keeps_bits(picture) else 16
        image = flatten_to_rgb(samples_to_image(samples, bits, picture.photometric == 0, has_alpha))
        image = _reduce(image, (target[1], target[0]) if turns else target)
        transpose = _EXIF_TRANSPOSE.get(orientation)
        return image if transpose is None else image.transpose(transpose)

    return OpenImage("tiff", size[::-1] if turns else size, exif, decode, _tiff_info(tiff), several)


def _load_tiff_exif(file: BinaryIO, tiff: TiffFile) -> Image.Exif:
    """Return the tags of a TIFF's first picture; empty where they are broken."""
    exif = Image.Exif()
    try:
        exif.load_from_fp(tiff.opened_at(file, tiff.pictures[0]), None)
    except _VENDOR_ERRORS:
        return Image.Exif()
    return exif


def _tiff_info(tiff: TiffFile) -> ImageInfo:
    """Return the XMP packet of a TIFF, which cameras and editors put beside the first picture."""
    packet = tiff.pictures[0].tags.get(_XMP_TAG, ())
    return {"xmp": bytes(packet)} if packet and max(packet) < 256 else {}


# Raw photos


def _open_raw(path: Path, file: BinaryIO, tiff: TiffFile | None, head: bytes) -> OpenImage | None:
    """Open a raw photo: developed, else its largest preview; None where it is no raw photo, whatever its name says.

    Errors: UnsupportedMedia where it is one, cannot be developed and has no preview.
    """
    exif = Image.Exif() if tiff is None else _load_tiff_exif(file, tiff)
    info: ImageInfo = {} if tiff is None else _tiff_info(tiff)
    try:
        size = raw_photo.raw_size(path)
    except raw_photo.RawPhotoError as error:
        is_raw = raw_photo.is_raw_photo(head) or (tiff is not None and tiff.is_raw)
        if not is_raw:
            return None
        preview = _find_preview(path, file, tiff)
        if preview is None:
            raise UnsupportedMedia(str(path), f"is a raw photo that cannot be read ({_one_line(error)})") from error
        width, height = preview.size
        note = f"raw photo: only its {width}x{height} preview was read ({_one_line(error)})"
        shown_exif = preview.exif if tiff is None else exif
        return replace(preview, format="raw", exif=shown_exif, info={**preview.info, **info}, warnings=(note,))

    def decode(target: tuple[int, int]) -> Image.Image:
        try:
            return _reduce(Image.fromarray(raw_photo.develop(path, max(target))), target)
        except raw_photo.RawPhotoError as error:
            raise DamagedMedia(str(path), f"its raw data cannot be developed ({_one_line(error)})") from error

    if tiff is None and (preview_jpeg := raw_photo.find_preview(path)):
        exif = _exif_of_jpeg(preview_jpeg)
    return OpenImage("raw", size, exif, decode, info)


def _find_preview(path: Path, file: BinaryIO, tiff: TiffFile | None) -> OpenImage | None:
    """Return the largest picture inside of a raw photo that Pillow opens, upright; None where there is none."""
    if tiff is None:
        jpeg = raw_photo.find_preview(path)
        return _try_to_open(io.BytesIO(jpeg)) if jpeg else None
    exif = _load_tiff_exif(file, tiff)
    found = []
    for picture in tiff.pictures:
        jpegs = [(picture.number(_JPEG_AT), picture.number(_JPEG_BYTES)), *picture.blocks[:1]]
        for at, count in jpegs:
            file.seek(at)
            if at and count < _MAX_PREVIEW_BYTES and (data := file.read(count))[:3] == b"\xff\xd8\xff":
                found.append(_try_to_open(io.BytesIO(data), exif))
        if not picture.is_raw and picture.blocks:
            opened = _try_to_open(tiff.opened_at(file, picture))
            found.append(opened)
    return max((image for image in found if image is not None), key=lambda i: i.size[0] * i.size[1], default=None)


def _try_to_open(file: IO[bytes], exif: Image.Exif | None = None) -> OpenImage | None:
    try:
        return _open_with_pillow(file, exif)
    except _VENDOR_ERRORS:
        return None


def _exif_of_jpeg(data: bytes) -> Image.Exif:
    opened = _try_to_open(io.BytesIO(data))
    return Image.Exif() if opened is None else opened.exif


# Errors


def _unidentified_error(path: Path) -> DamagedMedia | UnsupportedMedia:
    """Return the error for a file that no format accepts: damaged if it is empty or has a known signature."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        return DamagedMedia(str(path), "is empty")
    for signature, name in _UNREAD_FORMATS.items():
        if header.startswith(signature):
            return UnsupportedMedia(str(path), f"is a {name} picture, which no decoder here can open")
    for name in _SIGNED_FORMATS:
        accept = Image.OPEN[name][1]
        if accept is not None and accept(header) is True:
            return DamagedMedia(str(path), f"its {name} header is damaged")
    return UnsupportedMedia(str(path), "is not a picture of a known format")


def _one_line(error: Exception) -> str:
    """Return an error's message with all whitespace collapsed; its class name where there is none."""
    return " ".join(str(error).split()) or type(error).__name__
