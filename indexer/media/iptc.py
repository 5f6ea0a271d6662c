"""IPTC-IIM datasets, the metadata of photo agencies inside of JPEG and TIFF: dates, captions, keywords, places."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.media.dates import DateCandidate
from indexer.media.metadata import MetadataField

_MARKER = 0x1C  # Source: IPTC-IIM 4.2, chapter 3: the first byte of a dataset
_APPLICATION_RECORD = 2  # Source: IPTC-IIM 4.2, chapter 6
_LONG_DATASET = 0x8000  # Source: IPTC-IIM 4.2, 1.5(c): the length stands in further bytes
_HEADER_BYTES = 5  # Source: IPTC-IIM 4.2, 1.5: marker, record, dataset, two bytes of length
_MAX_DATASETS = 2000
"""Chosen: datasets that are read; a photo has some dozen."""
_LABELS = {
    5: "Title", 105: "Title", 120: "Description", 25: "Keywords", 80: "Author", 122: "Author",
    27: "Place", 90: "Place", 92: "Place", 95: "Place", 101: "Place", 22: "Event",
}  # fmt: skip
"""Labels by dataset. Source: IPTC-IIM 4.2: names, captions, keywords, by-lines, places, fixture."""
_DATES = {(55, 60): "IPTC DateCreated", (62, 63): "IPTC DigitalCreationDate"}
"""Source: IPTC-IIM 4.2: datasets of a date and of its time."""

Datasets = dict[int, list[str]]


def read_datasets(data: bytes) -> Datasets:
    """Return the texts of the application record by dataset number; what follows an error is left out."""
    raw: dict[int, list[bytes]] = {}
    is_utf8, at = False, 0
    for _ in range(_MAX_DATASETS):
        if at + _HEADER_BYTES > len(data) or data[at] != _MARKER:
            break
        record, number, length = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5], "big")
        if length & _LONG_DATASET:
            break
        value = data[at + _HEADER_BYTES : at + _HEADER_BYTES + length]
        is_utf8 = is_utf8 or ((record, number) == (1, 90) and value == b"\x1b%G")
        if record == _APPLICATION_RECORD:
            raw.setdefault(number, []).append(value)
        at += _HEADER_BYTES + length
    return {number: [_decode(value, is_utf8) for value in values] for number, values in raw.items()}


def dates(datasets: Datasets) -> Iterator[DateCandidate]:
    """Yield the dates, with their times where there are any."""
    for (day, time), source in _DATES.items():
        for text in datasets.get(day, ())[:1]:
            yield DateCandidate(source, text + "".join(datasets.get(time, ())[:1]))


def descriptive_fields(datasets: Datasets) -> Iterator[MetadataField]:
    """Yield titles, captions, keywords, authors and places."""
    for number, label in _LABELS.items():
        for text in datasets.get(number, ()):
            yield MetadataField(label, text)


def _decode(value: bytes, is_utf8: bool) -> str:
    """Return a value as text: UTF-8 where it is or says so, else Windows' Latin alphabet, as programs write it."""
    try:
        return value.decode("utf-8", "replace" if is_utf8 else "strict")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")
