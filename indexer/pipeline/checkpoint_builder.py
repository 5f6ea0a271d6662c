"""Assembly of pictures and text passages into a checkpoint, and its key frames for the video memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.media.jpeg import read_size
from indexer.pipeline.encoding import EncodedPictures
from indexer.storage.artifacts import Checkpoint
from indexer.text.passage import Passage
from indexer.types import KeyFrame, Lane, Origin, Segment, Vectors

_MIN_LINE_PX = 11
"""Chosen: a line of this height has small letters of five or six pixels, which can just be read."""


def build_checkpoint(
    number: int,
    end_s: float | None,
    sampled_frames: int,
    pictures: Sequence[Segment],
    visual: EncodedPictures,
    passages: Sequence[Passage],
    text_vectors: Vectors | None,
    signatures: tuple[bytes, ...] = (),
    frame_counts: Sequence[int] = (),
) -> Checkpoint:
    """Build a checkpoint: picture segments, then passages, each linked to the picture that covers its start."""
    starts = [picture.start_s or 0.0 for picture in pictures]
    segments = [*pictures, *(build_text_segment(passage) for passage in passages)]
    passage_pictures = [_find_covering(starts, passage.start_s) for passage in passages]
    picture_count = len(pictures)
    rows, vectors = {}, {}
    if visual.visual is not None:
        rows[Lane.VISUAL], vectors[Lane.VISUAL] = np.arange(picture_count), visual.visual
    if text_vectors is not None:
        rows[Lane.TEXT], vectors[Lane.TEXT] = np.arange(picture_count, len(segments)), text_vectors
    return Checkpoint(
        number=number,
        end_s=end_s,
        sampled_frames=sampled_frames,
        segments=tuple(replace(segment, ordinal=i) for i, segment in enumerate(segments)),
        pictures=_choose_jpegs(visual, passages, passage_pictures),
        picture_of=(*range(picture_count), *passage_pictures),
        rows=rows,
        vectors=vectors,
        signatures=signatures,
        frames=tuple(frame_counts),
        tokens=visual.tokens,
    )


def extract_key_frames(checkpoint: Checkpoint) -> list[KeyFrame]:
    """Return the key frames of a video's checkpoint in order of time; empty where it has no visual tokens."""
    if checkpoint.tokens is None:
        return []
    pictures = [segment for segment in checkpoint.segments if segment.origin is Origin.PICTURE]
    return [
        KeyFrame(picture.start_s or 0.0, picture.end_s or 0.0, frame_count, tokens)
        for picture, frame_count, tokens in zip(pictures, checkpoint.frames, checkpoint.tokens, strict=True)
    ]


def build_text_segment(passage: Passage) -> Segment:
    """Build the text segment of a passage."""
    return Segment(
        ordinal=0,
        origin=passage.origin,
        start_s=passage.start_s,
        end_s=passage.end_s,
        page=passage.page,
        box=passage.box,
        text=passage.text,
        lines=passage.lines,
        context=passage.context,
    )


def _choose_jpegs(
    visual: EncodedPictures, passages: Sequence[Passage], passage_pictures: Sequence[int]
) -> tuple[bytes, ...]:
    """Return the JPEGs to store: the large one of a picture whose text would be illegible in the other."""
    if not visual.large_jpegs:
        return visual.jpegs
    linked = zip(passages, passage_pictures, strict=True)
    illegible = {number for passage, number in linked if _is_illegible(passage, visual.jpegs[number])}
    return tuple(
        visual.large_jpegs[number] if number in illegible else jpeg for number, jpeg in enumerate(visual.jpegs)
    )


def _is_illegible(passage: Passage, jpeg: bytes) -> bool:
    width, height = read_size(jpeg)
    heights = (min((line.box.x1 - line.box.x0) * width, (line.box.y1 - line.box.y0) * height) for line in passage.lines)
    return min(heights, default=_MIN_LINE_PX) < _MIN_LINE_PX


def _find_covering(starts: Sequence[float], time_s: float | None) -> int:
    if not starts:
        return -1
    return max(0, bisect_right(starts, time_s or 0.0) - 1)


def build_picture_segment(page: int | None = None) -> Segment:
    """Build the picture segment of a document page or an image."""
    return Segment(ordinal=0, origin=Origin.PICTURE, page=page)
