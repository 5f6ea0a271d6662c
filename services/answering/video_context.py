"""What a model is shown of a video beside what search found: its memory, and more of the frames that matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from indexer.types import AssetKind, Origin, Segment, SegmentFilter
from memory.frame_selection import FrameSelector, ScoredSpan, select_frames
from memory.types import Node, Slot
from services.answering.question_analysis import TemporalScope
from services.catalog.catalog import Catalog
from services.catalog.types import Asset
from services.catalog.video_memory import StoredKeyFrame, VideoMemoryReader
from services.generators.types import Evidence
from services.search.types import RetrievedSegment

_CHANCE_SCORE, _CERTAIN_SCORE = 0.5, 1.0
_MIN_GAP_S, _STEP_S = 4.0, 2.5
_MAX_ANCHORS = 3


@dataclass(frozen=True, slots=True)
class VideoContext:
    """`frames` of a video are recalled at most, those inside of what was found chosen by `chooser`. Slots carry their
    visual tokens where the generator `reads` those of the model that made the memory; else it sees their medoid
    pictures. Frames stand for the time that they show and no other, so that they prove what is said of them.

    Errors: ArtifactError, MemoryMismatch.
    """

    video_memory: VideoMemoryReader
    catalog: Catalog
    max_frames: int
    frame_chooser: FrameSelector
    accepts_tokens_of: Callable[[str], bool]

    def target_video(self, segments: Sequence[RetrievedSegment], filters: SegmentFilter) -> Asset | None:
        """The video that is asked about: that of the best evidence, or, where nothing was found, the only one that the
        filter names. None where there is no such video."""
        if segments:
            return segments[0].asset if segments[0].asset.kind is AssetKind.VIDEO else None
        return None if filters.assets is None else self.find_single_video(filters)

    def find_single_video(self, filters: SegmentFilter) -> Asset | None:
        """The video, where the filter lets a single one pass."""
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
        """The memory of a video as evidence, `M1` …, in order of time, whatever is asked: the slots that overlap the
        time of the filter; empty where it has none."""
        memory = self.video_memory.memory(asset)
        if memory is None:
            return []
        own = self.accepts_tokens_of(memory.manifest.model)
        slots = [slot for slot in _merge_lanes_by_time(memory.lanes.values()) if _overlaps_filter(slot.node, filters)]
        return [
            Evidence(f"M{number}", self._slot_as_result(asset, slot.node), slot.tokens if own else None)
            for number, slot in enumerate(slots, 1)
        ]

    def frames_at(self, asset: Asset, times_s: Sequence[float]) -> list[RetrievedSegment]:
        """What a video shows at times that were asked for and, evenly, between them; nothing for what lies outside."""
        inside = [time_s for time_s in times_s if time_s < (asset.duration_s or math.inf)]
        if not inside or asset.width is None:
            return []
        steps = max(self.max_frames - 1, 1) if inside[-1] > inside[0] else 1
        wanted = [inside[0] + (inside[-1] - inside[0]) * step / steps for step in range(steps + 1)]
        return self._key_frames_at([*inside, *wanted], asset)

    def frames_for_scope(
        self,
        asset: Asset,
        scope: TemporalScope,
        anchors: Sequence[RetrievedSegment],
        segments: Sequence[RetrievedSegment],
    ) -> list[RetrievedSegment]:
        """Frames of what a question reaches to: before or after the first of what leads, between the two of them, or
        all over what was found."""
        spans = [_span_of(one) for one in anchors if one.asset.asset_id == asset.asset_id]
        match scope:
            case TemporalScope.BEFORE | TemporalScope.AFTER if spans and asset.width is not None:
                start_s, end_s = spans[0]
                step_s = -_STEP_S if scope is TemporalScope.BEFORE else _STEP_S
                from_s = start_s if scope is TemporalScope.BEFORE else end_s - _STEP_S / 2
                return self._key_frames_at(
                    [from_s + step * step_s for step in range(1, self.max_frames // 2 + 1)], asset
                )
            case TemporalScope.BETWEEN if len(spans) > 1:
                first, second = sorted(spans[:2])
                return self.frames_at(asset, (first[1], max(first[1] + _STEP_S, second[0])))
            case TemporalScope.ALL:
                return self.neighbouring_frames(asset, segments)
        return []

    def _key_frames_at(self, times_s: Sequence[float], asset: Asset) -> list[RetrievedSegment]:
        inside = [time_s for time_s in sorted(times_s) if 0 <= time_s < (asset.duration_s or 0.0)]
        frames = dict.fromkeys(self.video_memory.key_frame_at(asset, time_s) for time_s in inside)
        return [_frame_as_result(asset, frame, _CERTAIN_SCORE) for frame in frames]

    def neighbouring_frames(self, asset: Asset, segments: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
        """Frames besides the pictures found already, in order of time: inside of what was found of a video, a few
        seconds apart, then shortly before and after the best of it."""
        own = [one for one in segments if one.asset.asset_id == asset.asset_id and one.segment.start_s is not None]
        if not own or self.max_frames < 1 or asset.width is None:
            return []
        pictures = {one.segment.picture for one in own}
        shown = [frame for frame in self.video_memory.key_frames(asset) if frame.picture in pictures]
        chosen: list[StoredKeyFrame] = []
        for frame in (*self._frames_inside(asset, own), *self._frames_around(asset, own)):
            apart = min((abs(frame.start_s - other.start_s) for other in (*shown, *chosen)), default=math.inf)
            if len(chosen) < self.max_frames and apart >= _STEP_S - 1 and frame not in chosen:
                chosen.append(frame)
        score = max(one.score for one in own)
        return [_frame_as_result(asset, frame, score) for frame in sorted(chosen, key=lambda frame: frame.start_s)]

    def attach_ocr_text(self, asset: Asset, segments: Sequence[RetrievedSegment]) -> list[RetrievedSegment]:
        """The same, pictures of a video with the lines that were read in them; each line once, with the first picture
        that shows it, unless it was found by itself."""
        known = {line for one in segments for line in one.segment.text.splitlines()}
        frames = {frame.picture: frame for frame in self.video_memory.key_frames(asset) if frame.text}
        result: list[RetrievedSegment] = []
        for one in segments:
            frame = frames.get(one.segment.picture) if one.segment.picture else None
            lines = [line for line in frame.text.splitlines() if line not in known] if frame else []
            known.update(lines)
            text = one.segment.text or "\n".join(lines)
            result.append(replace(one, segment=replace(one.segment, text=text)))
        return result

    def _frames_inside(self, asset: Asset, own: Sequence[RetrievedSegment]) -> Iterator[StoredKeyFrame]:
        memory = self.video_memory.memory(asset)
        if memory is None:
            return
        lane = [slot.node for slot in memory.lanes["global"]]
        tree = dict(self.video_memory.merge_tree(asset, "global"))
        last_s = -math.inf
        for node in select_frames([_relevance_of(one) for one in own], lane, tree, self.max_frames, self.frame_chooser):
            if node.medoid_s - last_s >= _MIN_GAP_S:
                last_s = node.medoid_s
                yield self.video_memory.key_frame_at(asset, node.medoid_s)

    def _frames_around(self, asset: Asset, own: Sequence[RetrievedSegment]) -> Iterator[StoredKeyFrame]:
        """By turns before and after the best moments, each time a step further away, outside of what was found."""
        leading = own[:_MAX_ANCHORS]
        for step in range(1, 1 + -(-self.max_frames // (2 * len(leading)))):
            for one in leading:
                start_s, end_s = _span_of(one)
                for time_s in (start_s - step * _STEP_S, end_s + (step - 0.5) * _STEP_S):
                    free = all(not start_s <= time_s < end_s for start_s, end_s in map(_span_of, own))
                    if free and 0 <= time_s < (asset.duration_s or 0.0):
                        yield self.video_memory.key_frame_at(asset, time_s)

    def _slot_as_result(self, asset: Asset, node: Node) -> RetrievedSegment:
        picture = self.video_memory.key_frame_at(asset, node.medoid_s).picture
        return RetrievedSegment(
            asset, Segment(-1, Origin.PICTURE, node.start_s, node.end_s, picture=picture), 0.0, {}, 0.0
        )


def _frame_as_result(asset: Asset, frame: StoredKeyFrame, score: float) -> RetrievedSegment:
    segment = Segment(-1, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)
    return RetrievedSegment(asset, segment, score, {}, 0.0)


def _overlaps_filter(node: Node, filters: SegmentFilter) -> bool:
    starts = -math.inf if filters.start_s is None else filters.start_s
    ends = math.inf if filters.end_s is None else filters.end_s
    return node.start_s < ends and node.end_s > starts


def _span_of(result: RetrievedSegment) -> tuple[float, float]:
    start_s = result.segment.start_s or 0.0
    return start_s, start_s if result.segment.end_s is None else result.segment.end_s


def _relevance_of(result: RetrievedSegment) -> ScoredSpan:
    return ScoredSpan(*_span_of(result), max(0.0, min(1.0, (result.score - _CHANCE_SCORE) / (1 - _CHANCE_SCORE))))


def _merge_lanes_by_time(lanes: Iterable[Sequence[Slot]]) -> list[Slot]:
    """The slots of both lanes, each moment once."""
    slots = {slot.node.number: slot for lane in lanes for slot in lane}
    return sorted(slots.values(), key=lambda slot: (slot.node.start_s, slot.node.end_s))
