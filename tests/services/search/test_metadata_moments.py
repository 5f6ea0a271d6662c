"""What a video says about itself is found beside its moments, not as the whole of them."""

from __future__ import annotations

from indexer.types import AssetKind, Lane, Origin, Segment
from services.catalog.types import Asset
from services.search.moments import merge_into_moments
from services.search.types import RetrievedSegment

FILM = Asset("ab" * 32, "v", AssetKind.VIDEO, "film.mp4", 600.0, None, 320, 180, None, 3, 600, (), 0.0)


def found(ordinal: int, origin: Origin, start_s: float, end_s: float, text: str = "") -> RetrievedSegment:
    segment = Segment(ordinal, origin, start_s, end_s, text=text)
    return RetrievedSegment(FILM, segment, 0.9, {Lane.TEXT: 0.9}, 0.1)


def test_a_title_does_not_join_the_moments_of_its_video() -> None:
    title = found(2, Origin.METADATA, 0.0, 600.0, "Title: Regatta")
    moments = merge_into_moments(
        [title, found(0, Origin.PICTURE, 10.0, 12.0), found(1, Origin.PICTURE, 400.0, 402.0)], 3.0
    )
    assert [(moment.start_s, moment.end_s) for moment in moments] == [(0.0, 600.0), (10.0, 12.0), (400.0, 402.0)]
    assert moments[0].best_segment is title.segment
