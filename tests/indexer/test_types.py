"""Time spans are half-open, and a segment's span follows from its times."""

from __future__ import annotations

import pytest

from indexer.types import Origin, Segment, TimeSpan


def test_a_span_contains_its_start_and_not_its_end() -> None:
    span = TimeSpan(1.0, 3.0)
    assert span.contains(1.0)
    assert span.contains(2.9)
    assert not span.contains(3.0)
    assert not span.contains(0.9)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (TimeSpan(0.0, 1.0), False),
        (TimeSpan(3.0, 4.0), False),
        (TimeSpan(0.0, 1.1), True),
        (TimeSpan(2.9, 4.0), True),
        (TimeSpan(1.5, 2.0), True),
        (TimeSpan(0.0, 9.0), True),
        (TimeSpan(2.0, 2.0), True),
        (TimeSpan(1.0, 1.0), False),
        (TimeSpan(3.0, 3.0), False),
    ],
)
def test_spans_overlap_where_they_share_more_than_an_end(other: TimeSpan, expected: bool) -> None:
    span = TimeSpan(1.0, 3.0)
    assert span.overlaps(other) is expected
    assert other.overlaps(span) is expected


def test_a_span_may_be_empty_and_never_ends_before_its_start() -> None:
    assert TimeSpan(1.5, 4.0).duration_s == 2.5
    assert TimeSpan(2.0, 2.0).duration_s == 0.0
    with pytest.raises(ValueError, match="before its start"):
        TimeSpan(2.0, 1.0)


def test_the_span_of_a_segment_follows_from_its_times() -> None:
    assert Segment(0, Origin.SPEECH, 1.0, 3.0).span == TimeSpan(1.0, 3.0)
    assert Segment(0, Origin.SPEECH, 1.0).span == TimeSpan(1.0, 1.0)
    assert Segment(0, Origin.PAGE, page=2).span is None
