"""Metadata of PDFs: dates, title, author, subject and keywords from the Info dictionary and from XMP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from indexer.media import xmp
from indexer.media.dates import DateCandidate, MediaDate, choose_date
from indexer.media.metadata import MetadataField, describe_fields

_XMP_BEGIN, _XMP_END = b"<x:xmpmeta", b"</x:xmpmeta>"
_MAX_SEARCH_BYTES = 256 << 20
"""Chosen: bytes that are searched for an XMP packet; a larger PDF has its Info dictionary alone."""
_CHUNK_BYTES = 4 << 20
"""Chosen: bytes that are searched at once; more cost memory, fewer time."""
_MAX_PACKETS = 64
"""Chosen: packets that are looked at; pictures inside of a PDF have some of their own."""
_LABELS = {"Title": "Title", "Subject": "Description", "Keywords": "Keywords", "Author": "Author"}
_DOCUMENT_SIGNS = ("pdf:Producer", "pdf:Keywords", "pdf:PDFVersion")


def read_metadata(path: Path, read_value: Callable[[str], str]) -> tuple[MediaDate | None, tuple[str, ...]]:
    """Return date and lines of text of a PDF; `read_value` returns an entry of its Info dictionary.

    The first of creation date, XMP's, and date of the last change.
    """
    values = {name: read_value(name) for name in (*_LABELS, "CreationDate", "ModDate")}
    properties = _find_properties(path)
    date = choose_date(_list_dates(values, properties))
    return date, describe_fields(_list_fields(values, properties))


def _list_dates(values: dict[str, str], properties: xmp.Properties) -> Iterator[DateCandidate]:
    yield DateCandidate("PDF CreationDate", values["CreationDate"])
    yield from xmp.creation_dates(properties)
    yield DateCandidate("PDF ModDate", values["ModDate"])
    yield from xmp.modification_dates(properties)


def _list_fields(values: dict[str, str], properties: xmp.Properties) -> Iterator[MetadataField]:
    for name, label in _LABELS.items():
        yield MetadataField(label, values[name])
    yield from xmp.descriptive_fields(properties)


def _find_properties(path: Path) -> xmp.Properties:
    """Return the properties of the document's own XMP packet, which is plain text in the file; empty where there is
    none."""
    for packet in _find_packets(path):
        properties = xmp.read_packet(packet)
        is_document = properties.get("dc:format") == ["application/pdf"]
        if is_document or any(name in properties for name in _DOCUMENT_SIGNS):
            return properties
    return {}


def _find_packets(path: Path) -> Iterator[bytes]:
    """Yield the XMP packets of a file in order, with bounded memory."""
    pending, found, read = b"", 0, 0
    with path.open("rb") as file:
        while found < _MAX_PACKETS and read < _MAX_SEARCH_BYTES and (chunk := file.read(_CHUNK_BYTES)):
            read += len(chunk)
            pending += chunk
            while (start := pending.find(_XMP_BEGIN)) >= 0 and (end := pending.find(_XMP_END, start)) >= 0:
                found += 1
                yield pending[start : end + len(_XMP_END)]
                pending = pending[end:]
            pending = pending[start:][-_CHUNK_BYTES:] if start >= 0 else pending[-len(_XMP_BEGIN) :]
