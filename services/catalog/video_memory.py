"""Reader of the stored memory of a video: its slots, its merge tree and its key frames."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from indexer.errors import ArtifactError
from indexer.storage.artifacts import ArtifactStore
from indexer.types import AssetKind, Origin, PictureRef, Segment
from memory.store import MemoryStore, StoredMemory
from memory.types import Node
from services.catalog.types import Asset

_CACHE_SIZE = 4
"""Chosen: follow-up questions go to the same few videos; each loaded memory takes up to tens of MB."""


@dataclass(frozen=True, slots=True)
class StoredKeyFrame:
    """Stored key frame of a video, the span `[start_s, end_s)` that it stands for, and the text read then, in lines."""

    start_s: float
    end_s: float
    picture: PictureRef
    text: str = ""


class VideoMemoryReader:
    """Reads the memories of videos from the artifacts, with a cache of the last few.

    Errors: ArtifactError if something is missing or damaged, MemoryMismatch if the memory is of another model than the
    asset's manifest names.
    """

    def __init__(self, artifacts: ArtifactStore, open_store: Callable[[str, str], MemoryStore]) -> None:
        self._artifacts, self._open_store = artifacts, open_store
        self._memories = lru_cache(_CACHE_SIZE)(self._load)
        self._frames = lru_cache(_CACHE_SIZE)(self._key_frames)

    def memory(self, asset: Asset) -> StoredMemory | None:
        """Return the finished memory; None for photos, documents and videos that were indexed without one."""
        return self._memories(asset.asset_id, asset.version) if asset.kind is AssetKind.VIDEO else None

    def merge_tree(self, asset: Asset, lane: str) -> Mapping[int, Node]:
        """Return the merge tree of a lane, nodes by number, which leads from a slot down to its frames."""
        return self._open_store(asset.asset_id, asset.version).merge_tree(lane)

    def key_frames(self, asset: Asset) -> tuple[StoredKeyFrame, ...]:
        """Return the stored key frames of a video in order of time."""
        return self._frames(asset.asset_id, asset.version)

    def key_frame_at(self, asset: Asset, time_s: float) -> StoredKeyFrame:
        """Return the key frame of a video at a time; the first one for times before it."""
        frames = self.key_frames(asset)
        if not frames:
            raise ArtifactError(f"{asset.name}: has no key frames")
        return frames[max(0, bisect_right(frames, time_s, key=lambda frame: frame.start_s) - 1)]

    def _load(self, asset_id: str, version: str) -> StoredMemory | None:
        manifest = self._artifacts.read_manifest(asset_id, version)
        model = manifest.models.get("memory")
        if model is None or not manifest.info.has_video:
            return None
        return self._open_store(asset_id, version).load(model)

    def _key_frames(self, asset_id: str, version: str) -> tuple[StoredKeyFrame, ...]:
        frames: list[StoredKeyFrame] = []
        texts: list[Segment] = []
        for record, _ in self._artifacts.read_checkpoints(self._artifacts.read_manifest(asset_id, version)):
            for segment in record.segments:
                if segment.origin is Origin.PICTURE and segment.picture is not None:
                    frames.append(StoredKeyFrame(segment.start_s or 0.0, segment.end_s or 0.0, segment.picture))
                elif segment.origin is Origin.OCR:
                    texts.append(segment)
        frame_texts = _texts_by_frame(frames, texts)
        return tuple(replace(frame, text="\n".join(lines)) for frame, lines in zip(frames, frame_texts, strict=True))


def _texts_by_frame(frames: Sequence[StoredKeyFrame], texts: Sequence[Segment]) -> list[list[str]]:
    """Return for each frame, in order of time, the texts that overlap its span."""
    lines: list[list[str]] = [[] for _ in frames]
    for text in texts:
        start_s = text.start_s or 0.0
        first = max(0, bisect_right(frames, start_s, key=lambda frame: frame.start_s) - 1)
        last = bisect_left(frames, start_s if text.end_s is None else text.end_s, key=lambda frame: frame.start_s)
        for number in range(first, max(last, first + 1)):
            if start_s < frames[number].end_s and text.text not in lines[number]:
                lines[number].append(text.text)
    return lines
