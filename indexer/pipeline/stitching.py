"""Stitching of checkpoints into the segments of an asset, as an index stores them.

Segments that a checkpoint boundary cut in two are joined: near-duplicate pictures, and text that stayed on the screen.
The last picture before a boundary lasts until the next one begins, so that spans leave no gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.pipeline.near_duplicates import NearDuplicateDetector
from indexer.storage.artifacts import CheckpointRecord
from indexer.types import Lane, Origin, Segment, SegmentBatch, Vectors

_MAX_BOX_DISTANCE = 0.02
"""Chosen: as a fraction of the picture, more than the noise of text detection; a larger one joins equal neighbours."""

_MAX_TEXT_GAP_S = 2.0
"""Chosen: more than the longest gap between sampled frames (1.25 s); a longer one joins separate appearances."""

_STITCHABLE_ORIGINS = (Origin.PICTURE, Origin.OCR)


@dataclass(slots=True)
class _Entry:
    segment: Segment
    vectors: dict[Lane, NDArray[np.float32]]


def stitch_checkpoints(
    checkpoints: Iterable[tuple[CheckpointRecord, dict[Lane, Vectors]]],
    near_duplicates: NearDuplicateDetector,
    limit_s: float | None = None,
) -> Iterator[SegmentBatch]:
    """Yield an asset's segments with their vectors, numbered consecutively, a batch per checkpoint and one at the end.

    Spans are clipped to `limit_s`, the end of the asset; segments that start at or after it are dropped, but for
    subtitles, which say when they are meant to be shown.
    """
    ordinal = 0
    open_entries: list[_Entry] = []
    last_signature = b""
    for record, vectors in checkpoints:
        entries = [entry for entry in _entries(record, vectors) if _clip_to_asset(entry, limit_s)]
        near_duplicate = _is_near_duplicate(last_signature, record.signatures[:1], near_duplicates)
        entries = _join_pictures(open_entries, entries, near_duplicate, record.end_s)
        entries = _join_texts(open_entries, entries)
        open_ids = {id(entry) for entry in entries if record.end_s is not None and _ends_at(entry, record.end_s)}
        ready = [entry for entry in entries if id(entry) not in open_ids]
        yield _build_batch(ready, ordinal)
        ordinal += len(ready)
        open_entries = [entry for entry in entries if id(entry) in open_ids]
        last_signature = record.signatures[-1] if record.signatures else last_signature
    yield _build_batch(open_entries, ordinal)


def _entries(record: CheckpointRecord, vectors: dict[Lane, Vectors]) -> list[_Entry]:
    entries = [_Entry(segment, {}) for segment in record.segments]
    for lane, rows in record.rows.items():
        for row, index in enumerate(rows):
            entries[index].vectors[lane] = vectors[lane][row]
    return entries


def _clip_to_asset(entry: _Entry, limit_s: float | None) -> bool:
    """Clip an entry's span to the asset's end; return False if nothing remains of it."""
    start_s, end_s = entry.segment.start_s, entry.segment.end_s
    if limit_s is None or start_s is None or end_s is None:
        return True
    if entry.segment.origin is Origin.SUBTITLE and start_s >= limit_s:
        return True
    entry.segment = replace(entry.segment, end_s=min(end_s, limit_s))
    return start_s < limit_s


def _is_near_duplicate(
    last_signature: bytes, first_signatures: tuple[bytes, ...], near_duplicates: NearDuplicateDetector
) -> bool:
    if not last_signature or not first_signatures:
        return False
    return near_duplicates.is_near_duplicate(
        np.frombuffer(last_signature, np.uint8), np.frombuffer(first_signatures[0], np.uint8)
    )


def _join_pictures(
    open_entries: list[_Entry], entries: list[_Entry], near_duplicate: bool, end_s: float | None
) -> list[_Entry]:
    """Extend the open picture to the first picture of the next checkpoint, and over it if they are near-duplicates.

    Where there is none, it lasts to the checkpoint's end. Returns the open entries, then the remaining new ones.
    """
    before = next((entry for entry in open_entries if entry.segment.origin is Origin.PICTURE), None)
    after = next((entry for entry in entries if entry.segment.origin is Origin.PICTURE), None)
    if before is None:
        return [*open_entries, *entries]
    if after is not None:
        end_s = after.segment.end_s if near_duplicate else after.segment.start_s
    before.segment = replace(before.segment, end_s=end_s)
    return [*open_entries, *(entry for entry in entries if not (near_duplicate and entry is after))]


def _join_texts(open_entries: list[_Entry], entries: list[_Entry]) -> list[_Entry]:
    merged_ids: set[int] = set()
    for before in open_entries:
        if before.segment.origin is not Origin.OCR:
            continue
        candidates = (entry for entry in entries if entry is not before)
        after = next((entry for entry in candidates if _is_same_text(before.segment, entry.segment)), None)
        if after is not None and id(after) not in merged_ids:
            before.segment = replace(before.segment, end_s=after.segment.end_s)
            merged_ids.add(id(after))
    return [entry for entry in entries if id(entry) not in merged_ids]


def _is_same_text(before: Segment, after: Segment) -> bool:
    if after.origin is not before.origin or after.text != before.text or after.start_s is None:
        return False
    if before.box is None or after.box is None or before.end_s is None:
        return False
    near = np.abs(np.subtract(_corners(before), _corners(after))).max() < _MAX_BOX_DISTANCE
    return bool(near) and after.start_s - before.end_s < _MAX_TEXT_GAP_S


def _corners(segment: Segment) -> tuple[float, float, float, float]:
    box = segment.box
    assert box is not None
    return (box.x0, box.y0, box.x1, box.y1)


def _ends_at(entry: _Entry, end_s: float) -> bool:
    return (
        entry.segment.end_s is not None and entry.segment.end_s >= end_s and entry.segment.origin in _STITCHABLE_ORIGINS
    )


def _build_batch(entries: list[_Entry], first: int) -> SegmentBatch:
    segments = tuple(replace(entry.segment, ordinal=first + i) for i, entry in enumerate(entries))
    rows: dict[Lane, NDArray[np.int64]] = {}
    vectors: dict[Lane, Vectors] = {}
    for lane in (Lane.VISUAL, Lane.TEXT):
        embedded = [i for i, entry in enumerate(entries) if lane in entry.vectors]
        if embedded:
            rows[lane] = np.array(embedded, np.int64)
            vectors[lane] = np.stack([entries[i].vectors[lane] for i in embedded])
    return SegmentBatch(segments, rows, vectors)
