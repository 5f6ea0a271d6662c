"""What a model is shown of a video beside what search found: its memory, and more of the frames that matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from indexer.types import AssetKind, Origin, PictureRef, Segment, SegmentFilter
from memory.recall import FrameChooser, Relevance, recall
from memory.store import StoredMemory
from memory.types import Node, Slot
from services.catalog import Asset, Catalog
from services.remembering import Remembering
from services.types import Evidence, Found

_NO_BETTER = 0.5


@dataclass(frozen=True, slots=True)
class Recalling:
    """`frames` of a video are recalled at most, chosen by `chooser`. Slots carry their visual tokens where the
    generator `reads` those of the model that made the memory; else it sees their medoid pictures.

    Errors: ArtifactError, MemoryMismatch.
    """

    remembering: Remembering
    catalog: Catalog
    frames: int
    chooser: FrameChooser
    reads: Callable[[str], bool]

    def video(self, found: Sequence[Found], where: SegmentFilter) -> Asset | None:
        """The video that is asked about: that of the best evidence, or, where nothing was found, the only one that the
        filter lets pass. None where there is no such video."""
        if found:
            return found[0].asset if found[0].asset.kind is AssetKind.VIDEO else None
        if where.assets is None or len(where.assets) != 1 or where.file_after or where.file_before:
            return None
        collections = None if where.collections is None else sorted(where.collections)
        asset = next(iter(self.catalog.get(sorted(where.assets), collections).values()), None)
        kinds = where.kinds or frozenset(AssetKind)
        return asset if asset is not None and asset.kind is AssetKind.VIDEO and AssetKind.VIDEO in kinds else None

    def slots(self, asset: Asset, where: SegmentFilter) -> list[Evidence]:
        """The memory of a video as evidence, `M1` …, in order of time, whatever is asked: the slots that overlap the
        time of the filter; empty where it has none."""
        memory = self.remembering.memory(asset)
        if memory is None:
            return []
        own = self.reads(memory.manifest.model)
        slots = [slot for slot in _by_time(memory) if _inside(slot.node, where)]
        return [
            Evidence(f"M{number}", self._found(asset, slot.node, 0.0), slot.tokens if own else None)
            for number, slot in enumerate(slots, 1)
        ]

    def more_frames(self, asset: Asset, found: Sequence[Found]) -> list[Found]:
        """Frames inside what was found of a video, besides the pictures found already, in order of time."""
        memory = self.remembering.memory(asset)
        own = [one for one in found if one.asset.asset_id == asset.asset_id and one.segment.start_s is not None]
        if memory is None or not own or self.frames < 1:
            return []
        hits = [_relevance(one) for one in own]
        nodes = recall(hits, *self._lane(asset, memory), self.frames, self.chooser)
        score = max(one.score for one in own)
        seen: set[PictureRef | None] = {one.segment.picture for one in own}
        recalled = []
        for node in nodes:
            frame = self._found(asset, node, score)
            if frame.segment.picture not in seen:
                seen.add(frame.segment.picture)
                recalled.append(frame)
        return recalled

    def _lane(self, asset: Asset, memory: StoredMemory) -> tuple[list[Node], dict[int, Node]]:
        """The slots of the lane that covers what happens, and its tree."""
        return [slot.node for slot in memory.lanes["global"]], dict(self.remembering.tree(asset, "global"))

    def _found(self, asset: Asset, node: Node, score: float) -> Found:
        picture = self.remembering.key_frame(asset, node.medoid_s)
        segment = Segment(-1, Origin.PICTURE, node.start_s, node.end_s, picture=picture)
        return Found(asset, segment, score, {}, 0.0)


def _inside(node: Node, where: SegmentFilter) -> bool:
    starts = -math.inf if where.start_s is None else where.start_s
    ends = math.inf if where.end_s is None else where.end_s
    return node.start_s < ends and node.end_s > starts


def _relevance(one: Found) -> Relevance:
    start_s = one.segment.start_s or 0.0
    end_s = start_s if one.segment.end_s is None else one.segment.end_s
    return Relevance(start_s, end_s, max(0.0, min(1.0, (one.score - _NO_BETTER) / (1 - _NO_BETTER))))


def _by_time(memory: StoredMemory) -> list[Slot]:
    """The slots of both lanes, each moment once."""
    slots = {slot.node.number: slot for lane in memory.lanes.values() for slot in lane}
    return sorted(slots.values(), key=lambda slot: (slot.node.start_s, slot.node.end_s))
