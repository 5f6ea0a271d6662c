"""Metadata of videos and recordings: when they were made, and what their titles, comments and keywords say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from indexer.media.dates import DateCandidate, MediaDate, choose_date
from indexer.media.metadata import MetadataField, describe_fields

Tags = Mapping[str, str]

_QUICKTIME = "com.apple.quicktime."  # Source: Apple, QuickTime File Format, metadata keys of movies
_DATES = (
    (f"{_QUICKTIME}creationdate", "QuickTime creationdate", ""),
    ("date_recorded", "DATE_RECORDED", ""),
    ("creation_time", "creation_time", "Z"),
    ("date-eng", "date", ""),
    ("date", "date", ""),
    ("date_digitized", "DATE_DIGITIZED", ""),
    ("icrd", "ICRD", ""),
)
"""Names of dates in FFmpeg's metadata, best first: what a phone writes with its time zone, then the container's own,
which is UTC (`mvhd` of MP4, `DateUTC` of Matroska)."""
_LABELS = {
    "title": "Title",
    "show": "Title",
    "album": "Title",
    "description": "Description",
    "synopsis": "Description",
    "summary": "Description",
    "comment": "Comment",
    "subject": "Keywords",
    "keywords": "Keywords",
    "genre": "Keywords",
    "artist": "Author",
    "author": "Author",
    "album_artist": "Author",
    "director": "Author",
    "location-name": "Place",
    "location.name": "Place",
    "recording_location": "Place",
}


def read_metadata(container: Tags, streams: Sequence[Tags]) -> tuple[MediaDate | None, tuple[str, ...]]:
    """Return date and lines of text of a video from the tags of its container and of its streams, as FFmpeg names them.

    A stream's date serves where the container has none.
    """
    tags = _lower(container)
    lowered = [tags, *map(_lower, streams)]
    date = choose_date(candidate for own in lowered for candidate in _list_dates(own))
    return date, describe_fields(_list_fields(tags))


def _lower(tags: Tags) -> dict[str, str]:
    return {name.casefold(): value for name, value in tags.items()}


def _list_dates(tags: Tags) -> Iterator[DateCandidate]:
    for name, source, offset in _DATES:
        yield DateCandidate(source, tags.get(name, ""), offset)


def _list_fields(tags: Tags) -> Iterator[MetadataField]:
    """Yield the texts of tags, those of QuickTime under their short names, and those with a language (`title-eng`)."""
    for name, value in tags.items():
        short = name.removeprefix(_QUICKTIME)
        label = _LABELS.get(short) or _LABELS.get(short.rsplit("-", 1)[0])
        if label is not None:
            yield MetadataField(label, value)
