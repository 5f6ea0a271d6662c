"""What a model is shown of a video beside what search found: its memory, and more of the frames that matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from indexer.types import AssetKind, Origin, Segment, SegmentFilter
from memory.recall import FrameChooser, Relevance, recall
from memory.types import Node, Slot
from services.asking import Reach
from services.catalog import Asset, Catalog
from services.remembering import KeyFrame, Remembering
from services.types import Evidence, Found

_NO_BETTER, _SURE = 0.5, 1.0
_APART_S, _STEP_S = 4.0, 2.5
_LEADING = 3


@dataclass(frozen=True, slots=True)
class Recalling:
    """`frames` of a video are recalled at most, those inside of what was found chosen by `chooser`. Slots carry their
    visual tokens where the generator `reads` those of the model that made the memory; else it sees their medoid
    pictures. Frames stand for the time that they show and no other, so that they prove what is said of them.

    Errors: ArtifactError, MemoryMismatch.
    """

    remembering: Remembering
    catalog: Catalog
    frames: int
    chooser: FrameChooser
    reads: Callable[[str], bool]

    def video(self, found: Sequence[Found], where: SegmentFilter) -> Asset | None:
        """The video that is asked about: that of the best evidence, or, where nothing was found, the only one that the
        filter names. None where there is no such video."""
        if found:
            return found[0].asset if found[0].asset.kind is AssetKind.VIDEO else None
        return None if where.assets is None else self.only_video(where)

    def only_video(self, where: SegmentFilter) -> Asset | None:
        """The video, where the filter lets a single one pass."""
        if where.file_after or where.file_before or AssetKind.VIDEO not in (where.kinds or frozenset(AssetKind)):
            return None
        collections = None if where.collections is None else sorted(where.collections)
        if where.assets is None:
            assets = self.catalog.assets(collections)
        else:
            assets = list(self.catalog.get(sorted(where.assets), collections).values())
        videos = [asset for asset in assets if asset.kind is AssetKind.VIDEO]
        return videos[0] if len(videos) == 1 and (where.assets is None or len(where.assets) == 1) else None

    def slots(self, asset: Asset, where: SegmentFilter) -> list[Evidence]:
        """The memory of a video as evidence, `M1` …, in order of time, whatever is asked: the slots that overlap the
        time of the filter; empty where it has none."""
        memory = self.remembering.memory(asset)
        if memory is None:
            return []
        own = self.reads(memory.manifest.model)
        slots = [slot for slot in _by_time(memory.lanes.values()) if _inside(slot.node, where)]
        return [
            Evidence(f"M{number}", self._slot(asset, slot.node), slot.tokens if own else None)
            for number, slot in enumerate(slots, 1)
        ]

    def frames_at(self, asset: Asset, times_s: Sequence[float]) -> list[Found]:
        """What a video shows at times that were asked for and, evenly, between them; nothing for what lies outside."""
        inside = [time_s for time_s in times_s if time_s < (asset.duration_s or math.inf)]
        if not inside or asset.width is None:
            return []
        steps = max(self.frames - 1, 1) if inside[-1] > inside[0] else 1
        wanted = [inside[0] + (inside[-1] - inside[0]) * step / steps for step in range(steps + 1)]
        return self._frames([*inside, *wanted], asset)

    def frames_of(self, asset: Asset, reach: Reach, leading: Sequence[Found], found: Sequence[Found]) -> list[Found]:
        """Frames of what a question reaches to: before or after the first of what leads, between the two of them, or
        all over what was found."""
        spans = [_span(one) for one in leading if one.asset.asset_id == asset.asset_id]
        match reach:
            case Reach.BEFORE | Reach.AFTER if spans and asset.width is not None:
                start_s, end_s = spans[0]
                step_s = -_STEP_S if reach is Reach.BEFORE else _STEP_S
                from_s = start_s if reach is Reach.BEFORE else end_s - _STEP_S / 2
                return self._frames([from_s + step * step_s for step in range(1, self.frames // 2 + 1)], asset)
            case Reach.BETWEEN if len(spans) > 1:
                first, second = sorted(spans[:2])
                return self.frames_at(asset, (first[1], max(first[1] + _STEP_S, second[0])))
            case Reach.ALL:
                return self.more_frames(asset, found)
        return []

    def _frames(self, times_s: Sequence[float], asset: Asset) -> list[Found]:
        inside = [time_s for time_s in sorted(times_s) if 0 <= time_s < (asset.duration_s or 0.0)]
        frames = dict.fromkeys(self.remembering.key_frame(asset, time_s) for time_s in inside)
        return [_found(asset, frame, _SURE) for frame in frames]

    def more_frames(self, asset: Asset, found: Sequence[Found]) -> list[Found]:
        """Frames besides the pictures found already, in order of time: inside of what was found of a video, a few
        seconds apart, then shortly before and after the best of it."""
        own = [one for one in found if one.asset.asset_id == asset.asset_id and one.segment.start_s is not None]
        if not own or self.frames < 1 or asset.width is None:
            return []
        pictures = {one.segment.picture for one in own}
        shown = [frame for frame in self.remembering.key_frames(asset) if frame.picture in pictures]
        chosen: list[KeyFrame] = []
        for frame in (*self._within(asset, own), *self._around(asset, own)):
            apart = min((abs(frame.start_s - other.start_s) for other in (*shown, *chosen)), default=math.inf)
            if len(chosen) < self.frames and apart >= _STEP_S - 1 and frame not in chosen:
                chosen.append(frame)
        score = max(one.score for one in own)
        return [_found(asset, frame, score) for frame in sorted(chosen, key=lambda frame: frame.start_s)]

    def with_words(self, asset: Asset, found: Sequence[Found]) -> list[Found]:
        """The same, pictures of a video with the lines that were read in them; each line once, with the first picture
        that shows it, unless it was found by itself."""
        known = {line for one in found for line in one.segment.text.splitlines()}
        frames = {frame.picture: frame for frame in self.remembering.key_frames(asset) if frame.text}
        read: list[Found] = []
        for one in found:
            frame = frames.get(one.segment.picture) if one.segment.picture else None
            lines = [line for line in frame.text.splitlines() if line not in known] if frame else []
            known.update(lines)
            text = one.segment.text or "\n".join(lines)
            read.append(replace(one, segment=replace(one.segment, text=text)))
        return read

    def _within(self, asset: Asset, own: Sequence[Found]) -> Iterator[KeyFrame]:
        memory = self.remembering.memory(asset)
        if memory is None:
            return
        lane = [slot.node for slot in memory.lanes["global"]]
        tree = dict(self.remembering.tree(asset, "global"))
        last_s = -math.inf
        for node in recall([_relevance(one) for one in own], lane, tree, self.frames, self.chooser):
            if node.medoid_s - last_s >= _APART_S:
                last_s = node.medoid_s
                yield self.remembering.key_frame(asset, node.medoid_s)

    def _around(self, asset: Asset, own: Sequence[Found]) -> Iterator[KeyFrame]:
        """By turns before and after the best moments, each time a step further away, outside of what was found."""
        leading = own[:_LEADING]
        for step in range(1, 1 + -(-self.frames // (2 * len(leading)))):
            for one in leading:
                start_s, end_s = _span(one)
                for time_s in (start_s - step * _STEP_S, end_s + (step - 0.5) * _STEP_S):
                    free = all(not start_s <= time_s < end_s for start_s, end_s in map(_span, own))
                    if free and 0 <= time_s < (asset.duration_s or 0.0):
                        yield self.remembering.key_frame(asset, time_s)

    def _slot(self, asset: Asset, node: Node) -> Found:
        picture = self.remembering.key_frame(asset, node.medoid_s).picture
        return Found(asset, Segment(-1, Origin.PICTURE, node.start_s, node.end_s, picture=picture), 0.0, {}, 0.0)


def _found(asset: Asset, frame: KeyFrame, score: float) -> Found:
    segment = Segment(-1, Origin.PICTURE, frame.start_s, frame.end_s, picture=frame.picture)
    return Found(asset, segment, score, {}, 0.0)


def _inside(node: Node, where: SegmentFilter) -> bool:
    starts = -math.inf if where.start_s is None else where.start_s
    ends = math.inf if where.end_s is None else where.end_s
    return node.start_s < ends and node.end_s > starts


def _span(one: Found) -> tuple[float, float]:
    start_s = one.segment.start_s or 0.0
    return start_s, start_s if one.segment.end_s is None else one.segment.end_s


def _relevance(one: Found) -> Relevance:
    return Relevance(*_span(one), max(0.0, min(1.0, (one.score - _NO_BETTER) / (1 - _NO_BETTER))))


def _by_time(lanes: Iterable[Sequence[Slot]]) -> list[Slot]:
    """The slots of both lanes, each moment once."""
    slots = {slot.node.number: slot for lane in lanes for slot in lane}
    return sorted(slots.values(), key=lambda slot: (slot.node.start_s, slot.node.end_s))
