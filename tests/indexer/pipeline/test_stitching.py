"""What a checkpoint boundary cut in two becomes one again."""

from __future__ import annotations

import numpy as np

from indexer.pipeline.near_duplicates import NearDuplicateDetector
from indexer.pipeline.stitching import stitch_checkpoints
from indexer.storage.artifacts import CheckpointRecord
from indexer.types import Box, Lane, Origin, Segment, SegmentBatch, Vectors

PLAIN_SIGNATURE, OTHER_SIGNATURE = bytes(2304), bytes([200] * 2304)
TEXT_BOX = Box(0.1, 0.1, 0.5, 0.2)


def _picture(start_s: float, end_s: float) -> Segment:
    return Segment(0, Origin.PICTURE, start_s=start_s, end_s=end_s)


def _text(start_s: float, end_s: float, text: str = "Departures", box: Box = TEXT_BOX) -> Segment:
    return Segment(0, Origin.OCR, start_s=start_s, end_s=end_s, text=text, box=box)


def _checkpoint(
    number: int, end_s: float, segments: list[Segment], looks: tuple[bytes, ...] = (PLAIN_SIGNATURE, PLAIN_SIGNATURE)
) -> tuple[CheckpointRecord, dict[Lane, Vectors]]:
    pictures = tuple(i for i, segment in enumerate(segments) if segment.origin is Origin.PICTURE)
    record = CheckpointRecord(number, end_s, 60, tuple(segments), {Lane.VISUAL: pictures}, looks, "", "")
    vectors = np.array([[100.0 * number + i] for i in range(len(pictures))], np.float32).reshape(-1, 1)
    return record, {Lane.VISUAL: vectors}


def _spans(batches: list[SegmentBatch], origin: Origin) -> list[tuple[float | None, float | None]]:
    segments = [segment for batch in batches for segment in batch.segments if segment.origin is origin]
    return sorted((segment.start_s, segment.end_s) for segment in segments)


def _stitch(
    *checkpoints: tuple[CheckpointRecord, dict[Lane, Vectors]], limit_s: float | None = None
) -> list[SegmentBatch]:
    return list(stitch_checkpoints(checkpoints, NearDuplicateDetector(), limit_s))


def test_a_still_picture_over_three_checkpoints_is_one_segment_with_its_first_embedding() -> None:
    batches = _stitch(*(_checkpoint(i, 60.0 * i + 60, [_picture(60.0 * i, 60.0 * i + 60)]) for i in range(3)))
    assert _spans(batches, Origin.PICTURE) == [(0, 180)]
    assert [batch.vectors[Lane.VISUAL].tolist() for batch in batches if batch.segments] == [[[0.0]]]


def test_another_picture_behind_the_boundary_stays_its_own() -> None:
    batches = _stitch(
        _checkpoint(0, 60, [_picture(0, 60)]),
        _checkpoint(1, 120, [_picture(60, 120)], (OTHER_SIGNATURE, OTHER_SIGNATURE)),
    )
    assert _spans(batches, Origin.PICTURE) == [(0, 60), (60, 120)]


def test_a_picture_lasts_until_the_next_one_is_seen() -> None:
    batches = _stitch(
        _checkpoint(0, 60, [_picture(0, 60)]),
        _checkpoint(1, 120, [], ()),
        _checkpoint(2, 180, [_picture(150, 180)], (OTHER_SIGNATURE, OTHER_SIGNATURE)),
    )
    assert _spans(batches, Origin.PICTURE) == [(0, 150), (150, 180)]


def test_a_picture_without_successor_lasts_to_the_end() -> None:
    batches = _stitch(_checkpoint(0, 60, [_picture(0, 60)]), _checkpoint(1, 90, [], ()))
    assert _spans(batches, Origin.PICTURE) == [(0, 90)]


def test_a_text_that_stays_is_one_and_one_that_changes_is_two() -> None:
    batches = _stitch(
        _checkpoint(0, 60, [_text(10, 60), _text(20, 60, "Track 4", Box(0.6, 0.6, 0.8, 0.7))]),
        _checkpoint(1, 120, [_text(60.5, 100), _text(60.5, 120, "Track 5", Box(0.6, 0.6, 0.8, 0.7))]),
    )
    assert _spans(batches, Origin.OCR) == [(10, 100), (20, 60), (60.5, 120)]


def test_a_cue_over_a_boundary_is_kept_as_it_is() -> None:
    cue = Segment(0, Origin.SUBTITLE, start_s=58, end_s=63, text="Mind the gap.")
    batches = _stitch(_checkpoint(0, 60, [_picture(0, 60), cue]), _checkpoint(1, 120, [_picture(60, 120)]))
    assert _spans(batches, Origin.SUBTITLE) == [(58, 63)]


def test_nothing_leaves_the_asset_but_subtitles_that_begin_after_its_end() -> None:
    late = Segment(0, Origin.SUBTITLE, start_s=65, end_s=80, text="The end.")
    spoken = Segment(0, Origin.SPEECH, start_s=70.5, end_s=80, text="Behind it.")
    beyond = Segment(0, Origin.SUBTITLE, start_s=70.5, end_s=80, text="Of another film.")
    batches = _stitch(
        _checkpoint(0, 60, [_picture(0, 60)]), _checkpoint(1, 70, [_picture(60, 70), late, spoken, beyond]), limit_s=70
    )
    assert _spans(batches, Origin.PICTURE) == [(0, 70)]
    assert _spans(batches, Origin.SPEECH) == []
    assert _spans(batches, Origin.SUBTITLE) == [(65, 70), (70.5, 80)]


def test_ordinals_run_through_and_rows_point_to_their_segments() -> None:
    batches = _stitch(
        _checkpoint(0, 60, [_picture(0, 30), _picture(30, 60), _text(5, 20)]),
        _checkpoint(1, 120, [_picture(60, 90), _picture(90, 120)], (OTHER_SIGNATURE, PLAIN_SIGNATURE)),
    )
    ordinals = [segment.ordinal for batch in batches for segment in batch.segments]
    assert ordinals == list(range(5))
    for batch in batches:
        for row in batch.rows.get(Lane.VISUAL, []):
            assert batch.segments[row].origin is Origin.PICTURE
