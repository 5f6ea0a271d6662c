"""What a model is shown of a video beside what search found."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from indexer.types import AssetKind, Lane, Origin, Segment, SegmentFilter
from memory.frame_selection import select_aks
from services.answering.types import TemporalScope
from services.answering.video_context import VideoContext
from services.catalog.types import Asset
from services.catalog.video_memory import StoredKeyFrame
from services.container import Container
from services.search.types import RetrievedSegment
from tests.support.containers import MakeContainer


def _first_video(container: Container) -> Asset:
    return next(asset for asset in container.catalog.assets() if asset.kind is AssetKind.VIDEO and asset.width)


def _retrieved_passage(asset: Asset, start_s: float | None, end_s: float | None) -> RetrievedSegment:
    segment = Segment(0, Origin.SUBTITLE, start_s, end_s, text="words")
    return RetrievedSegment(asset, segment, 0.9, {Lane.TEXT: 0.9}, 0.1)


def test_the_slots_of_a_video_are_evidence_in_order_of_time(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    video = _first_video(container)
    slots = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False).memory_evidence(
        video, SegmentFilter()
    )
    assert [one.id for one in slots] == [f"M{number}" for number in range(1, len(slots) + 1)]
    starts = [one.result.segment.start_s or 0.0 for one in slots]
    assert len(slots) > 3 and starts == sorted(starts)
    assert all(one.result.segment.picture is not None and one.visual_tokens is None for one in slots)


def test_slots_carry_their_tokens_for_a_generator_that_reads_them(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container = make_container(home_copy)
    memory = container.video_memory.memory(_first_video(container))
    assert memory is not None
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, memory.manifest.model.__eq__)
    shape = (memory.manifest.positions, memory.manifest.width)
    assert {
        None if one.visual_tokens is None else one.visual_tokens.shape
        for one in recalling.memory_evidence(_first_video(container), SegmentFilter())
    } == {shape}


def test_frames_are_recalled_from_where_something_was_found(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    video = _first_video(container)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    frames = recalling.neighbouring_frames(video, [_retrieved_passage(video, 0.0, video.duration_s)])
    assert 1 < len(frames) <= 4
    assert len({frame.segment.picture for frame in frames}) == len(frames)
    starts = [frame.segment.start_s or 0.0 for frame in frames]
    assert all(later - earlier >= 1.5 for earlier, later in pairwise(starts))


def test_frames_before_and_after_what_was_found_are_recalled_with_the_time_that_they_show(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container = make_container(home_copy)
    video = _first_video(container)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    frames = recalling.neighbouring_frames(video, [_retrieved_passage(video, 5.0, 9.0)])
    spans = [(frame.segment.start_s or 0.0, frame.segment.end_s or 0.0) for frame in frames]
    assert any(end_s <= 5.0 for _, end_s in spans) and any(start_s >= 9.0 for start_s, _ in spans)
    shown = {(frame.start_s, frame.end_s) for frame in container.video_memory.key_frames(video)}
    assert set(spans) <= shown


def test_pictures_come_with_the_words_that_were_read_in_them_once(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container = make_container(home_copy)
    video = _first_video(container)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    frames = container.video_memory.key_frames(video)
    read = [frame for frame in frames if frame.text]
    lines = list(dict.fromkeys(line for frame in frames for line in frame.text.splitlines()))
    assert read and len(lines) > 5
    shown = recalling.attach_ocr_text(video, [_retrieved_picture(video, frame) for frame in frames])
    assert [line for one in shown for line in one.segment.text.splitlines()] == lines
    for one, frame in zip(shown, frames, strict=True):
        assert set(one.segment.text.splitlines()) <= set(frame.text.splitlines())
    passage = replace(shown[0], segment=replace(shown[0].segment, text=lines[0]))
    assert (
        lines[0]
        not in recalling.attach_ocr_text(video, [passage, _retrieved_picture(video, read[0])])[
            1
        ].segment.text.splitlines()
    )


def _retrieved_picture(video: Asset, frame: StoredKeyFrame) -> RetrievedSegment:
    segment = Segment(0, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)
    return RetrievedSegment(video, segment, 0.9, {Lane.VISUAL: 0.9}, 0.1)


def test_times_that_are_asked_for_are_shown_and_what_lies_between_them(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container = make_container(home_copy)
    video = _first_video(container)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    (at,) = recalling.frames_at(video, (6.0,))
    assert at.segment.start_s is not None and at.segment.end_s is not None
    assert at.segment.start_s <= 6.0 < at.segment.end_s
    between = recalling.frames_at(video, (2.0, 12.0))
    assert 2 < len(between) <= 4 and between[0].segment.start_s == 2.0
    assert recalling.frames_at(video, (1e6,)) == []


def test_frames_are_those_that_the_question_reaches_to(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    video = _first_video(container)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    early, late = _retrieved_passage(video, 5.0, 6.0), _retrieved_passage(video, 12.0, 13.0)
    spans = {
        reach: [
            (one.segment.start_s or 0.0, one.segment.end_s or 0.0)
            for one in recalling.frames_for_scope(video, reach, [late, early], [late, early])
        ]
        for reach in TemporalScope
    }
    assert spans[TemporalScope.WITHIN] == []
    assert spans[TemporalScope.BEFORE] and all(start_s < 12.0 for start_s, _ in spans[TemporalScope.BEFORE])
    assert spans[TemporalScope.AFTER] and all(end_s > 13.0 for _, end_s in spans[TemporalScope.AFTER])
    assert spans[TemporalScope.BETWEEN] and all(
        end_s > 6.0 and start_s <= 12.0 for start_s, end_s in spans[TemporalScope.BETWEEN]
    )
    assert spans[TemporalScope.ALL] == [
        (one.segment.start_s, one.segment.end_s) for one in recalling.neighbouring_frames(video, [late, early])
    ]


def test_a_single_video_is_known_without_being_named(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    videos = [asset for asset in container.catalog.assets() if asset.kind is AssetKind.VIDEO]
    assert (recalling.find_single_video(SegmentFilter()) is None) == (len(videos) != 1)
    assert recalling.find_single_video(SegmentFilter(assets=frozenset([videos[0].asset_id]))) == videos[0]


def test_the_video_asked_about_is_that_of_the_best_evidence(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    video = _first_video(container)
    paper = replace(video, asset_id="d" * 64, kind=AssetKind.DOCUMENT)
    found, read = _retrieved_passage(video, 0.0, 1.0), _retrieved_passage(paper, None, None)
    assert recalling.target_video([found, read], SegmentFilter()) == video
    assert recalling.target_video([read, found], SegmentFilter()) is None
    assert recalling.target_video([], SegmentFilter()) is None


def test_where_nothing_was_found_it_is_the_only_one_that_the_filter_lets_pass(
    make_container: MakeContainer, home_copy: Path
) -> None:
    container = make_container(home_copy)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    video = _first_video(container)
    only = SegmentFilter(assets=frozenset([video.asset_id]))
    assert recalling.target_video([], only) == video
    assert recalling.target_video([], replace(only, collections=frozenset(["another"]))) is None
    assert recalling.target_video([], replace(only, kinds=frozenset([AssetKind.IMAGE]))) is None
    assert recalling.target_video([], replace(only, assets=frozenset(["no such"]))) is None


def test_slots_outside_the_time_of_the_filter_are_not_shown(make_container: MakeContainer, home_copy: Path) -> None:
    container = make_container(home_copy)
    recalling = VideoContext(container.video_memory, container.catalog, 4, select_aks, lambda _: False)
    slots = recalling.memory_evidence(_first_video(container), SegmentFilter(start_s=5.0, end_s=12.0))
    spans = [(one.result.segment.start_s or 0.0, one.result.segment.end_s or 0.0) for one in slots]
    assert spans and all(start_s < 12.0 and end_s > 5.0 for start_s, end_s in spans)
