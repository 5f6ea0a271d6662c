"""What a model is shown of a video beside what search found."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from shared import Services

from indexer.types import AssetKind, Lane, Origin, Segment, SegmentFilter
from memory.recall import time_bins
from services.asking import Reach
from services.catalog import Asset
from services.container import Container
from services.recalling import Recalling
from services.remembering import KeyFrame
from services.types import Found


def _video(container: Container) -> Asset:
    return next(asset for asset in container.catalog.assets() if asset.kind is AssetKind.VIDEO and asset.width)


def _found(asset: Asset, start_s: float | None, end_s: float | None) -> Found:
    segment = Segment(0, Origin.SUBTITLE, start_s, end_s, text="words")
    return Found(asset, segment, 0.9, {Lane.TEXT: 0.9}, 0.1)


def test_the_slots_of_a_video_are_evidence_in_order_of_time(services: Services, home: Path) -> None:
    container = services(home)
    video = _video(container)
    slots = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False).slots(
        video, SegmentFilter()
    )
    assert [one.id for one in slots] == [f"M{number}" for number in range(1, len(slots) + 1)]
    starts = [one.found.segment.start_s or 0.0 for one in slots]
    assert len(slots) > 3 and starts == sorted(starts)
    assert all(one.found.segment.picture is not None and one.tokens is None for one in slots)


def test_slots_carry_their_tokens_for_a_generator_that_reads_them(services: Services, home: Path) -> None:
    container = services(home)
    memory = container.remembering.memory(_video(container))
    assert memory is not None
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, memory.manifest.model.__eq__)
    shape = (memory.manifest.positions, memory.manifest.width)
    assert {
        None if one.tokens is None else one.tokens.shape for one in recalling.slots(_video(container), SegmentFilter())
    } == {shape}


def test_frames_are_recalled_from_where_something_was_found(services: Services, home: Path) -> None:
    container = services(home)
    video = _video(container)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    frames = recalling.more_frames(video, [_found(video, 0.0, video.duration_s)])
    assert 1 < len(frames) <= 4
    assert len({frame.segment.picture for frame in frames}) == len(frames)
    starts = [frame.segment.start_s or 0.0 for frame in frames]
    assert all(later - earlier >= 1.5 for earlier, later in pairwise(starts))


def test_frames_before_and_after_what_was_found_are_recalled_with_the_time_that_they_show(
    services: Services, home: Path
) -> None:
    container = services(home)
    video = _video(container)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    frames = recalling.more_frames(video, [_found(video, 5.0, 9.0)])
    spans = [(frame.segment.start_s or 0.0, frame.segment.end_s or 0.0) for frame in frames]
    assert any(end_s <= 5.0 for _, end_s in spans) and any(start_s >= 9.0 for start_s, _ in spans)
    shown = {(frame.start_s, frame.end_s) for frame in container.remembering.key_frames(video)}
    assert set(spans) <= shown


def test_pictures_come_with_the_words_that_were_read_in_them_once(services: Services, home: Path) -> None:
    container = services(home)
    video = _video(container)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    frames = container.remembering.key_frames(video)
    read = [frame for frame in frames if frame.text]
    lines = list(dict.fromkeys(line for frame in frames for line in frame.text.splitlines()))
    assert read and len(lines) > 5
    shown = recalling.with_words(video, [_seen(video, frame) for frame in frames])
    assert [line for one in shown for line in one.segment.text.splitlines()] == lines
    for one, frame in zip(shown, frames, strict=True):
        assert set(one.segment.text.splitlines()) <= set(frame.text.splitlines())
    passage = replace(shown[0], segment=replace(shown[0].segment, text=lines[0]))
    assert lines[0] not in recalling.with_words(video, [passage, _seen(video, read[0])])[1].segment.text.splitlines()


def _seen(video: Asset, frame: KeyFrame) -> Found:
    segment = Segment(0, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)
    return Found(video, segment, 0.9, {Lane.VISUAL: 0.9}, 0.1)


def test_times_that_are_asked_for_are_shown_and_what_lies_between_them(services: Services, home: Path) -> None:
    container = services(home)
    video = _video(container)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    (at,) = recalling.frames_at(video, (6.0,))
    assert at.segment.start_s is not None and at.segment.end_s is not None
    assert at.segment.start_s <= 6.0 < at.segment.end_s
    between = recalling.frames_at(video, (2.0, 12.0))
    assert 2 < len(between) <= 4 and between[0].segment.start_s == 2.0
    assert recalling.frames_at(video, (1e6,)) == []


def test_frames_are_those_that_the_question_reaches_to(services: Services, home: Path) -> None:
    container = services(home)
    video = _video(container)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    early, late = _found(video, 5.0, 6.0), _found(video, 12.0, 13.0)
    spans = {
        reach: [
            (one.segment.start_s or 0.0, one.segment.end_s or 0.0)
            for one in recalling.frames_of(video, reach, [late, early], [late, early])
        ]
        for reach in Reach
    }
    assert spans[Reach.WITHIN] == []
    assert spans[Reach.BEFORE] and all(start_s < 12.0 for start_s, _ in spans[Reach.BEFORE])
    assert spans[Reach.AFTER] and all(end_s > 13.0 for _, end_s in spans[Reach.AFTER])
    assert spans[Reach.BETWEEN] and all(end_s > 6.0 and start_s <= 12.0 for start_s, end_s in spans[Reach.BETWEEN])
    assert spans[Reach.ALL] == [
        (one.segment.start_s, one.segment.end_s) for one in recalling.more_frames(video, [late, early])
    ]


def test_a_single_video_is_known_without_being_named(services: Services, home: Path) -> None:
    container = services(home)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    videos = [asset for asset in container.catalog.assets() if asset.kind is AssetKind.VIDEO]
    assert (recalling.only_video(SegmentFilter()) is None) == (len(videos) != 1)
    assert recalling.only_video(SegmentFilter(assets=frozenset([videos[0].asset_id]))) == videos[0]


def test_the_video_asked_about_is_that_of_the_best_evidence(services: Services, home: Path) -> None:
    container = services(home)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    video = _video(container)
    paper = replace(video, asset_id="d" * 64, kind=AssetKind.DOCUMENT)
    found, read = _found(video, 0.0, 1.0), _found(paper, None, None)
    assert recalling.video([found, read], SegmentFilter()) == video
    assert recalling.video([read, found], SegmentFilter()) is None
    assert recalling.video([], SegmentFilter()) is None


def test_where_nothing_was_found_it_is_the_only_one_that_the_filter_lets_pass(services: Services, home: Path) -> None:
    container = services(home)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    video = _video(container)
    only = SegmentFilter(assets=frozenset([video.asset_id]))
    assert recalling.video([], only) == video
    assert recalling.video([], replace(only, collections=frozenset(["another"]))) is None
    assert recalling.video([], replace(only, kinds=frozenset([AssetKind.IMAGE]))) is None
    assert recalling.video([], replace(only, assets=frozenset(["no such"]))) is None


def test_slots_outside_the_time_of_the_filter_are_not_shown(services: Services, home: Path) -> None:
    container = services(home)
    recalling = Recalling(container.remembering, container.catalog, 4, time_bins, lambda _: False)
    slots = recalling.slots(_video(container), SegmentFilter(start_s=5.0, end_s=12.0))
    spans = [(one.found.segment.start_s or 0.0, one.found.segment.end_s or 0.0) for one in slots]
    assert spans and all(start_s < 12.0 and end_s > 5.0 for start_s, end_s in spans)
