"""Dates of capture as files write them: EXIF, ISO 8601, PDF, IPTC and ctime, with fractions and offsets.

A time without an offset is local to wherever it was taken, which no file tells: it is read as UTC, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_FIRST_YEAR = 1826
"""Chosen: the year of the oldest photograph that exists; an earlier date is a mistake."""
_LAST_YEAR = 2099
"""Chosen: a later date is a mistake of a clock or of a parser."""
_EMPTY_EPOCHS_S = frozenset({0.0, -2_082_844_800.0})
"""Source: the zero of Unix (1970) and of QuickTime (1904): what a clock that was never set writes."""
_MAX_TEXT_CHARS = 64
"""Form: longer than any date."""
_MAX_OFFSET = timedelta(hours=15)
"""Source: the IANA time zone database, in which offsets reach from -12 h (historic -15:13) to +14 h."""
_PAST_THE_LAST_MINUTE = 60
"""Form: a leap second, which Python's clock does not have."""

_NUMERIC = re.compile(
    r"(?:D:)?\s*(?P<year>\d{4})(?:[:\-./]?(?P<month>\d{1,2})(?:[:\-./]?(?P<day>\d{1,2}))?)?"
    r"(?:[T\s_]*(?P<hour>\d{1,2})(?:[:.]?(?P<minute>\d{2})(?:[:.]?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?)?"
    r"\s*(?P<zone>Z(?:00'?00'?)?|UTC|GMT|[+\-]\d{2}[:']?(?:\d{2})?'?)?\s*",
    re.IGNORECASE,
)
_CTIME_FORMS = ("%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M:%S")


@dataclass(frozen=True, slots=True)
class DateCandidate:
    """A date as a file writes it, and where it stands; `offset` is what another field says of its time zone."""

    source: str
    text: str
    offset: str = ""


@dataclass(frozen=True, slots=True)
class MediaDate:
    """A date of capture: Unix time, and the field of the file that says so."""

    time: float
    source: str


def choose_date(candidates: Iterable[DateCandidate]) -> MediaDate | None:
    """Return the first candidate that is a date; those that are empty, impossible or a clock's zero are passed over."""
    for candidate in candidates:
        parsed = parse_date(candidate.text)
        if parsed is None:
            continue
        source = candidate.source
        if parsed.tzinfo is None:
            zone = _parse_zone(candidate.offset.strip())
            source += "" if zone else ", local time read as UTC"
            parsed = parsed.replace(tzinfo=zone or UTC)
        if (time := parsed.timestamp()) not in _EMPTY_EPOCHS_S:
            return MediaDate(time, source)
    return None


def parse_date(text: str) -> datetime | None:
    """Return a date in any of the forms that media files use, without a zone where it names none; None if it is none.

    What is left out of it (the day, the time) is the beginning of what is there.
    """
    text = text.strip(" \0\t\r\n")
    if not text or len(text) > _MAX_TEXT_CHARS:
        return None
    match = _NUMERIC.fullmatch(text)
    parsed = _parse_words(text) if match is None else _from_parts(match)
    return parsed if parsed is not None and _FIRST_YEAR <= parsed.year <= _LAST_YEAR else None


def _from_parts(match: re.Match[str]) -> datetime | None:
    second, fraction = int(match["second"] or 0), (match["fraction"] or "").ljust(6, "0")[:6]
    is_leap = second == _PAST_THE_LAST_MINUTE
    try:
        parsed = datetime(
            int(match["year"]),
            int(match["month"] or 1),
            int(match["day"] or 1),
            int(match["hour"] or 0),
            int(match["minute"] or 0),
            second - is_leap,
            int(fraction),
        )
    except ValueError:
        return None
    return parsed.replace(tzinfo=_parse_zone(match["zone"])) if match["zone"] else parsed


def _parse_zone(text: str) -> timezone | None:
    """Return the zone of `Z`, `+01:00`, `+0100`, `+01'00'`; None where the text is none."""
    if text[:1] in ("Z", "z") or text.upper() in ("UTC", "GMT"):
        return UTC
    match = re.fullmatch(r"([+\-])(\d{2})[:']?(\d{2})?'?", text)
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-offset if match[1] == "-" else offset) if offset <= _MAX_OFFSET else None


def _parse_words(text: str) -> datetime | None:
    """Return a date with the names of day and month, in English."""
    for form in _CTIME_FORMS:
        try:
            return datetime.strptime(" ".join(text.split()), form)
        except ValueError:
            continue
    return None
