"""Expand evidence by video context: more frames of the video that is asked about, and slots of its memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from indexer.types import AssetKind, Origin, Segment, SegmentFilter, TimeSpan
from memory.frame_selection import FrameSelector, ScoredSpan, select_frames
from memory.types import Node, Slot
from services.answering.types import TemporalScope
from services.catalog.catalog import Catalog
from services.catalog.types import Asset
from services.catalog.video_memory import StoredKeyFrame, VideoMemoryReader
from services.generators.types import Evidence
from services.search.curves import SCORE_AT_CUT
from services.search.types import RetrievedSegment

_REQUESTED_SCORE = 1.0
"""Form: the score of frames that are shown because their time was asked for, not because a search found them."""


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """Numbers that decide which frames of a video a model is shown besides those that search found."""

    step_s: float = 2.5
    """Chosen: distance of neighbouring frames, a little more than that of key frames (one a second at most)."""
    min_gap_s: float = 4.0
    """Chosen: medoids of the memory that lie closer to the last one show the same moment."""
    max_anchors: int = 3
    """Chosen: results whose neighbourhood is shown; more would leave each less than a frame on either side."""

    @property
    def min_distance_s(self) -> float:
        """Distance below which a frame repeats one that is shown already."""
        return self.step_s - 1


@dataclass(frozen=True, slots=True)
class VideoContext:
    """Frames and memory slots of videos as evidence, at most `max_frames` frames, chosen by `frame_chooser`.

    Slots carry visual tokens where the generator accepts those of the model that made the memory
    (`accepts_tokens_of`); else it sees their medoid pictures. A frame stands for its own time and no other, so that it
    proves what is said of it. Errors: ArtifactError, MemoryMismatch.
    """

    video_memory: VideoMemoryReader
    catalog: Catalog
    max_frames: int
    frame_chooser: FrameSelector
    accepts_tokens_of: Callable[[str], bool]
    settings: ContextSettings = field(default_factory=ContextSettings)

    def target_video(self, segments: Sequence[RetrievedSegment], filters: SegmentFilter) -> Asset | None:
        """Return the video that a question is about: that of the best segment, else the only one that filters name.

        None where the best segment is of another kind, or where the filters do not name a single video.
        """
        if segments:
            return segments[0].asset if segments[0].asset.kind is AssetKind.VIDEO else None
        return None if filters.assets is None else self.find_single_video(filters)

    def find_single_video(self, filters: SegmentFilter) -> Asset | None:
        """Return the video where the filters let a single one pass; else None."""
        if filters.file_after or filters.file_before or AssetKind.VIDEO not in (filters.kinds or frozenset(AssetKind)):
            return None
        collections = None if filters.collections is None else sorted(filters.collections)
        if filters.assets is None:
            assets = self.catalog.assets(collections)
        else:
            assets = list(self.catalog.get(sorted(filters.assets), collections).values())
        videos = [asset for asset in assets if asset.kind is AssetKind.VIDEO]
        return videos[0] if len(videos) == 1 and (filters.assets is None or len(filters.assets) == 1) else None

    def memory_evidence(self, asset: Asset, filters: SegmentFilter) -> list[Evidence]:
        """Return the memory slots of a video that overlap the filters' time as evidence `M1` …, in order of time."""
        memory = self.video_memory.memory(asset)
        if memory is None:
            return []
        accepts_tokens = self.accepts_tokens_of(memory.manifest.model)
        slots = [slot for slot in _merge_lanes_by_time(memory.lanes.values()) if _overlaps(slot.node, filters)]
        return [
            Evidence(f"M{number}", self._slot_segment(asset, slot.node), slot.tokens if accepts_tokens else None)
            for number, slot in enumerate(slots, 1)
        ]

    def frames_at(self, asset: Asset, timestamps_s: Sequence[float]) -> list[RetrievedSegment]:
        """Return the frames at some times (ascending) and, evenly, between them; times after the end have none."""
        inside = [time_s for time_s in timestamps_s if time_s < (asset.duration_s or math.inf)]
        if not inside or asset.width is None:
            return []
        steps = max(self.max_frames - 1, 1) if inside[-1] > inside[0] else 1
        between = [inside[0] + (inside[-1] - inside[0]) * step / steps for step in range(steps + 1)]
        return self._frames_at([*inside, *between], asset)

    def frames_for_scope(
        self,
        asset: Asset,
        scope: TemporalScope,
        anchors: Sequence[RetrievedSegment],
        segments: Sequence[RetrievedSegment],
    ) -> list[RetrievedSegment]:
        """Return frames of the time that a question reaches to.

        Before or after the first anchor, between the first two, or, for the whole video, around all `segments`.
        """
        step_s = self.settings.step_s
        spans = [_span(anchor) for anchor in anchors if anchor.asset.asset_id == asset.asset_id]
        match scope:
            case TemporalScope.BEFORE | TemporalScope.AFTER if spans and asset.width is not None:
                before = scope is TemporalScope.BEFORE
                from_s, signed_step_s = (spans[0].start_s, -step_s) if before else (spans[0].end_s - step_s / 2, step_s)
                return self._frames_at(
                    [from_s + step * signed_step_s for step in range(1, self.max_frames // 2 + 1)], asset
                )
            case TemporalScope.BETWEEN if len(spans) > 1:
                first, second = sorted(spans[:2], key=lambda span: (span.start_s, span.end_s))
                return self.frames_at(asset, (first.end_s, max(first.end_s + step_s, second.start_s)))
            case TemporalScope.ALL:
                return self.neighbouring_frames(asset, segments)
        return []

    def neighbouring_frames(self, asset: Asset, segments: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
        """Return frames besides the retrieved ones, in order of time: within their spans, then around the best."""
        own = [item for item in segments if item.asset.asset_id == asset.asset_id and _is_at_a_time(item.segment)]
        if not own or self.max_frames < 1 or asset.width is None:
            return []
        pictures = {item.segment.picture for item in own}
        shown = [frame for frame in self.video_memory.key_frames(asset) if frame.picture in pictures]
        chosen: list[StoredKeyFrame] = []
        for frame in (*self._frames_within(asset, own), *self._frames_around(asset, own)):
            distance_s = min((abs(frame.start_s - other.start_s) for other in (*shown, *chosen)), default=math.inf)
            is_new = distance_s >= self.settings.min_distance_s and frame not in chosen
            if is_new and len(chosen) < self.max_frames:
                chosen.append(frame)
        score = max(item.score for item in own)
        return [_to_retrieved(asset, frame, score) for frame in sorted(chosen, key=lambda frame: frame.start_s)]

    def attach_ocr_text(self, asset: Asset, segments: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
        """Give the pictures of a video the lines that OCR read in them.

        Each line comes once, with the first picture that shows it, unless it was retrieved by itself.
        """
        known = {line for item in segments for line in item.segment.text.splitlines()}
        frames = {frame.picture: frame for frame in self.video_memory.key_frames(asset) if frame.text}
        result: list[RetrievedSegment] = []
        for item in segments:
            frame = frames.get(item.segment.picture) if item.segment.picture else None
            lines = [line for line in frame.text.splitlines() if line not in known] if frame else []
            known.update(lines)
            text = item.segment.text or "\n".join(lines)
            result.append(replace(item, segment=replace(item.segment, text=text)))
        return result

    def _frames_at(self, timestamps_s: Sequence[float], asset: Asset) -> list[RetrievedSegment]:
        inside = [time_s for time_s in sorted(timestamps_s) if 0 <= time_s < (asset.duration_s or 0.0)]
        frames = dict.fromkeys(self.video_memory.key_frame_at(asset, time_s) for time_s in inside)
        return [_to_retrieved(asset, frame, _REQUESTED_SCORE) for frame in frames]

    def _frames_within(self, asset: Asset, own: Sequence[RetrievedSegment]) -> Iterator[StoredKeyFrame]:
        """Yield the frames inside of the retrieved spans that the frame selection chooses from the merge tree."""
        memory = self.video_memory.memory(asset)
        if memory is None:
            return
        lane = [slot.node for slot in memory.lanes["global"]]
        tree = dict(self.video_memory.merge_tree(asset, "global"))
        last_s = -math.inf
        spans = [_scored_span(item) for item in own]
        for node in select_frames(spans, lane, tree, self.max_frames, self.frame_chooser):
            if node.medoid_s - last_s >= self.settings.min_gap_s:
                last_s = node.medoid_s
                yield self.video_memory.key_frame_at(asset, node.medoid_s)

    def _frames_around(self, asset: Asset, own: Sequence[RetrievedSegment]) -> Iterator[StoredKeyFrame]:
        """Yield frames alternately before and after the best spans, each time a step further, outside of all spans."""
        anchors, step_s = own[: self.settings.max_anchors], self.settings.step_s
        spans = [_span(item) for item in own]
        for step in range(1, 1 + -(-self.max_frames // (2 * len(anchors)))):
            for span in map(_span, anchors):
                for time_s in (span.start_s - step * step_s, span.end_s + (step - 0.5) * step_s):
                    is_outside = not any(other.contains(time_s) for other in spans)
                    if is_outside and 0 <= time_s < (asset.duration_s or 0.0):
                        yield self.video_memory.key_frame_at(asset, time_s)

    def _slot_segment(self, asset: Asset, node: Node) -> RetrievedSegment:
        picture = self.video_memory.key_frame_at(asset, node.medoid_s).picture
        segment = Segment(-1, Origin.PICTURE, node.start_s, node.end_s, picture=picture)
        return RetrievedSegment(asset, segment, 0.0, {}, 0.0)


def _to_retrieved(asset: Asset, frame: StoredKeyFrame, score: float) -> RetrievedSegment:
    segment = Segment(-1, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)
    return RetrievedSegment(asset, segment, score, {}, 0.0)


def _overlaps(node: Node, filters: SegmentFilter) -> bool:
    starts_s = -math.inf if filters.start_s is None else filters.start_s
    ends_s = math.inf if filters.end_s is None else filters.end_s
    return node.start_s < ends_s and node.end_s > starts_s


def _is_at_a_time(segment: Segment) -> bool:
    """Tell whether a segment is of some time of a video, not about all of it as its title is."""
    return segment.span is not None and segment.origin is not Origin.METADATA


def _span(item: RetrievedSegment) -> TimeSpan:
    return item.segment.span or TimeSpan(0.0, 0.0)


def _scored_span(item: RetrievedSegment) -> ScoredSpan:
    """Scale calibrated scores from the cut (0: no better than chance) to 1."""
    span, relevance = _span(item), (item.score - SCORE_AT_CUT) / (1 - SCORE_AT_CUT)
    return ScoredSpan(span.start_s, span.end_s, max(0.0, min(1.0, relevance)))


def _merge_lanes_by_time(lanes: Iterable[Sequence[Slot]]) -> list[Slot]:
    """Return the slots of both lanes in order of time, each moment once."""
    slots = {slot.node.number: slot for lane in lanes for slot in lane}
    return sorted(slots.values(), key=lambda slot: (slot.node.start_s, slot.node.end_s))
