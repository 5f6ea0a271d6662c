"""Dates as media files write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from indexer.media.dates import DateCandidate, MediaDate, choose_date, parse_date


def zone(hours: float) -> timezone:
    return timezone(timedelta(hours=hours))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018:03:04 10:20:30", datetime(2018, 3, 4, 10, 20, 30)),
        ("2013:02:21 10:14:22.27-05:30", datetime(2013, 2, 21, 10, 14, 22, 270_000, zone(-5.5))),
        ("2018-03-04T10:20:30.000000Z", datetime(2018, 3, 4, 10, 20, 30, tzinfo=UTC)),
        ("2018-03-04T10:20:30,5+0900", datetime(2018, 3, 4, 10, 20, 30, 500_000, zone(9))),
        ("2018-03-04T10:20+01:00", datetime(2018, 3, 4, 10, 20, tzinfo=zone(1))),
        ("2018/03/04 10:20:30", datetime(2018, 3, 4, 10, 20, 30)),
        ("2018-03-04 10:20:30 UTC", datetime(2018, 3, 4, 10, 20, 30, tzinfo=UTC)),
        ("2018-03-04", datetime(2018, 3, 4)),
        ("2018-03", datetime(2018, 3, 1)),
        ("1955", datetime(1955, 1, 1)),
        ("20180304102030+0100", datetime(2018, 3, 4, 10, 20, 30, tzinfo=zone(1))),
        ("20180304T102030Z", datetime(2018, 3, 4, 10, 20, 30, tzinfo=UTC)),
        ("D:20180304102030+01'00'", datetime(2018, 3, 4, 10, 20, 30, tzinfo=zone(1))),
        ("D:20180304102030Z00'00'", datetime(2018, 3, 4, 10, 20, 30, tzinfo=UTC)),
        ("D:201803", datetime(2018, 3, 1)),
        ("2016:12:31 23:59:60", datetime(2016, 12, 31, 23, 59, 59)),
        ("Mon Mar 10 15:04:43 2003", datetime(2003, 3, 10, 15, 4, 43)),
        ("2018:03:04 10:20:30\0", datetime(2018, 3, 4, 10, 20, 30)),
    ],
)
def test_every_form_of_a_date_is_read(text: str, expected: datetime) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "0000:00:00 00:00:00", "    :  :     :  :  ", "2018:13:04 10:20:30", "2018:02:30 00:00:00",
        "yesterday", "D:20241399", "9999:99:99 99:99:99", "2018:03:04 25:00:00", "0001-01-01", "2500-01-01",
        "2018" * 40, "-2018-01-01",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_the_first_date_that_makes_sense_is_taken() -> None:
    candidates = [
        DateCandidate("a", "0000:00:00 00:00:00"),
        DateCandidate("b", "1970-01-01T00:00:00Z"),
        DateCandidate("c", "1904-01-01T00:00:00Z"),
        DateCandidate("d", "2018:03:04 10:20:30", "+09:00"),
        DateCandidate("e", "2019:03:04 10:20:30"),
    ]
    assert choose_date(candidates) == MediaDate(datetime(2018, 3, 4, 1, 20, 30, tzinfo=UTC).timestamp(), "d")


def test_an_offset_in_the_date_itself_outweighs_that_of_another_field() -> None:
    date = choose_date([DateCandidate("a", "2018-03-04T10:20:30+01:00", "+09:00")])
    assert date == MediaDate(datetime(2018, 3, 4, 9, 20, 30, tzinfo=UTC).timestamp(), "a")


@pytest.mark.parametrize("offset", ["", "   :  ", "later", "+99:00"])
def test_a_local_time_is_read_as_utc_and_said_to_be_so(offset: str) -> None:
    date = choose_date([DateCandidate("EXIF DateTimeOriginal", "2018:03:04 10:20:30", offset)])
    expected = datetime(2018, 3, 4, 10, 20, 30, tzinfo=UTC).timestamp()
    assert date == MediaDate(expected, "EXIF DateTimeOriginal, local time read as UTC")


def test_a_scan_of_an_old_photo_keeps_its_date_before_1970() -> None:
    date = choose_date([DateCandidate("a", "1955-06-07T00:00:00Z")])
    assert date is not None and date.time == datetime(1955, 6, 7, tzinfo=UTC).timestamp()
