"""Metadata of image files: dates and descriptive texts from EXIF, XMP, IPTC and text chunks, in one order."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from PIL import ExifTags, Image

from indexer.media import iptc, xmp
from indexer.media.dates import DateCandidate, MediaDate, choose_date
from indexer.media.metadata import MetadataField, describe_fields

ImageInfo: TypeAlias = Mapping[str | tuple[int, int], object]
"""What Pillow finds in a file beside the pixels, by its name for it."""

_IPTC_RESOURCE = 0x0404  # Source: Adobe Photoshop File Formats, image resource IDs
_IPTC_TAG, _XMP_TAG = 33723, 700  # Source: TIFF tags of IPTC-NAA and of XMP (ISO 16684-3)
_COMMENT_CODE_BYTES = 8  # Source: EXIF 2.3, UserComment: its character code comes first
_OFFSETS = {
    ExifTags.Base.DateTimeOriginal: ExifTags.Base.OffsetTimeOriginal,
    ExifTags.Base.DateTimeDigitized: ExifTags.Base.OffsetTimeDigitized,
    ExifTags.Base.DateTime: ExifTags.Base.OffsetTime,
}
_FRACTIONS = {
    ExifTags.Base.DateTimeOriginal: ExifTags.Base.SubsecTimeOriginal,
    ExifTags.Base.DateTimeDigitized: ExifTags.Base.SubsecTimeDigitized,
    ExifTags.Base.DateTime: ExifTags.Base.SubsecTime,
}
_EXIF_TEXTS = {
    ExifTags.Base.XPTitle: "Title",
    ExifTags.Base.ImageDescription: "Description",
    ExifTags.Base.XPSubject: "Description",
    ExifTags.Base.XPComment: "Comment",
    ExifTags.Base.XPKeywords: "Keywords",
    ExifTags.Base.Artist: "Author",
    ExifTags.Base.XPAuthor: "Author",
}
_WIDE_TAGS = frozenset(range(ExifTags.Base.XPTitle, ExifTags.Base.XPSubject + 1))
"""Source: Microsoft, Photo metadata policies: these tags are UTF-16, least byte first."""
_CHUNK_TEXTS = {
    "title": "Title", "description": "Description", "comment": "Comment", "author": "Author", "keywords": "Keywords",
    "subject": "Description",
}  # fmt: skip
"""Source: PNG, 11.3.3.1, keywords of text chunks; GIF and JPEG have a comment."""
_VENDOR_ERRORS = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """What an image file says of itself: date of capture, lines of text for search."""

    date: MediaDate | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tags:
    main: Mapping[int, object]
    exif: Mapping[int, object]
    gps: Mapping[int, object]


def read_metadata(exif: Image.Exif, info: ImageInfo) -> ImageMetadata:
    """Read the metadata of an image from its EXIF and from what Pillow found beside it (`Image.info`)."""
    tags = _Tags(_plain(exif), _read_ifd(exif, ExifTags.IFD.Exif), _read_ifd(exif, ExifTags.IFD.GPSInfo))
    packet = next((p for p in (info.get("xmp"), info.get("XML:com.adobe.xmp"), tags.main.get(_XMP_TAG)) if p), None)
    properties = xmp.read_packet(packet if isinstance(packet, bytes | str) else _to_bytes(packet))
    datasets = iptc.read_datasets(_iptc_bytes(info, tags.main))
    date = choose_date(_list_dates(tags, properties, datasets, info))
    return ImageMetadata(date, describe_fields(_list_fields(tags, properties, datasets, info)))


def _list_dates(
    tags: _Tags, properties: xmp.Properties, datasets: iptc.Datasets, info: ImageInfo
) -> Iterator[DateCandidate]:
    """Yield dates, best first: when it was taken, when it was digitized or made, where the satellites were, changed."""
    yield _exif_date(tags, tags.exif, ExifTags.Base.DateTimeOriginal, "EXIF DateTimeOriginal")
    yield from xmp.capture_dates(properties)
    yield from iptc.dates(datasets)
    yield _exif_date(tags, tags.exif, ExifTags.Base.DateTimeDigitized, "EXIF DateTimeDigitized")
    yield from xmp.creation_dates(properties)
    yield _gps_date(tags.gps)
    for name, value in info.items():
        if isinstance(name, str) and isinstance(value, str) and name.casefold() in ("creation time", "date:create"):
            yield DateCandidate(f"PNG {name}", value)
    yield _exif_date(tags, tags.main, ExifTags.Base.DateTime, "EXIF DateTime (modified)")
    yield from xmp.modification_dates(properties)


def _list_fields(
    tags: _Tags, properties: xmp.Properties, datasets: iptc.Datasets, info: ImageInfo
) -> Iterator[MetadataField]:
    yield from xmp.descriptive_fields(properties)
    yield from iptc.descriptive_fields(datasets)
    for tag, label in _EXIF_TEXTS.items():
        value = tags.main.get(tag)
        text = _wide_text(value) if tag in _WIDE_TAGS else _text(value)
        for part in text.split(";") if label == "Keywords" else (text,):
            yield MetadataField(label, part)
    yield MetadataField("Comment", _user_comment(tags.exif.get(ExifTags.Base.UserComment)))
    for name, value in info.items():
        chunk_label = _CHUNK_TEXTS.get(name.casefold()) if isinstance(name, str) else None
        if chunk_label is not None:
            yield MetadataField(chunk_label, _text(value))


def _exif_date(tags: _Tags, ifd: Mapping[int, object], tag: ExifTags.Base, source: str) -> DateCandidate:
    """Return a date of EXIF with its fraction and offset, which are fields of their own; another's offset serves."""
    text, fraction = _text(ifd.get(tag)), _text(tags.exif.get(_FRACTIONS[tag]))
    if fraction.isdigit() and text.count(":") == 4 and "." not in text:
        text = f"{text}.{fraction[:9]}" if len(text) == len("2018:03:04 10:20:30") else text
    named = (_text(tags.exif.get(offset)) for offset in (_OFFSETS[tag], ExifTags.Base.OffsetTime, *_OFFSETS.values()))
    return DateCandidate(source, text, next(filter(None, named), ""))


def _gps_date(gps: Mapping[int, object]) -> DateCandidate:
    """Return the date and time of the satellites, which are UTC."""
    day, time = _text(gps.get(ExifTags.GPS.GPSDateStamp)), gps.get(ExifTags.GPS.GPSTimeStamp)
    source = "EXIF GPSDateStamp"
    try:
        hour, minute, second = (int(float(part)) for part in time)  # type: ignore[attr-defined]  # checked by trying
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return DateCandidate(source, day, "Z")
    return DateCandidate(source, f"{day} {hour:02}:{minute:02}:{second:02}", "Z")


def _read_ifd(exif: Image.Exif, ifd: ExifTags.IFD) -> Mapping[int, object]:
    """Return a directory of EXIF; empty where it is missing or broken."""
    try:
        return dict(exif.get_ifd(ifd))
    except _VENDOR_ERRORS:
        return {}


def _plain(exif: Image.Exif) -> Mapping[int, object]:
    """Return the tags of the first directory that can be read."""
    tags: dict[int, object] = {}
    for tag in (*_EXIF_TEXTS, ExifTags.Base.DateTime, _IPTC_TAG, _XMP_TAG):
        try:
            tags[tag] = exif.get(tag)
        except _VENDOR_ERRORS:
            continue
    return tags


def _iptc_bytes(info: ImageInfo, main: Mapping[int, object]) -> bytes:
    resources = info.get("photoshop")
    data = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None
    return _to_bytes(data) or _to_bytes(main.get(_IPTC_TAG))


def _to_bytes(value: object) -> bytes:
    """Return the bytes of a tag that may be bytes, or numbers of one or of four bytes each."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple) and value and all(isinstance(item, int) and 0 <= item < 1 << 32 for item in value):
        if max(value) < 256:
            return bytes(value)
        return struct.pack(f"<{len(value)}I", *value)
    return b""


def _wide_text(value: object) -> str:
    """Return a tag of UTF-16 as text."""
    return _to_bytes(value).decode("utf-16-le", "replace").strip(" \0")


def _text(value: object) -> str:
    """Return a tag as text, empty where it is none."""
    if isinstance(value, bytes | tuple):
        value = _to_bytes(value).decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return _undo_mojibake(value).strip(" \0")


def _undo_mojibake(text: str) -> str:
    """Return UTF-8 that was read as Latin-1, as programs write it against the standard, as what it is."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def _user_comment(value: object) -> str:
    """Return an EXIF comment without the code of its alphabet."""
    data = _to_bytes(value) if not isinstance(value, str) else value.encode("latin-1", "replace")
    code, body = data[:_COMMENT_CODE_BYTES].rstrip(b"\0 "), data[_COMMENT_CODE_BYTES:]
    if code == b"UNICODE":
        order = "utf-16-be" if body[:1] == b"\0" or body[:2] == b"\xfe\xff" else "utf-16-le"
        return body.decode(order, "replace").strip("\ufeff\0 ")
    if code in (b"ASCII", b""):
        return body.decode("utf-8", "replace").strip("\0 ")
    return "" if code == b"JIS" else data.decode("utf-8", "replace").strip("\0 ")
