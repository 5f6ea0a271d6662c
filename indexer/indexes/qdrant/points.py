"""Conversion between segments and Qdrant points."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec
from qdrant_client import models

from indexer.errors import ArtifactError
from indexer.indexes import vector_rows
from indexer.indexes.qdrant.collections import KEYWORDS_VECTOR
from indexer.indexes.qdrant.commit_log import LogEntry, Snapshot, VectorSpace
from indexer.indexes.qdrant.keywords import to_sparse_vector
from indexer.text import tokenizer
from indexer.text.passage import text_with_context
from indexer.types import AssetTags, Lane, Segment, SegmentBatch, Vectors


class PointBuilder:
    """Builder of the points of one put, batch by batch, and of its log entry; `snapshot` is the state before it."""

    def __init__(self, tags: AssetTags, snapshot: Snapshot, model_ids: Mapping[Lane, str]) -> None:
        self.put = uuid.uuid4().hex
        self._tags, self._snapshot, self._model_ids = tags, snapshot, model_ids
        self._ordinals: set[int] = set()
        self._documents = self._tokens = 0
        self._spaces: dict[Lane, VectorSpace] = {}

    def build_points(self, batch: SegmentBatch) -> Iterator[models.PointStruct]:
        """Yield the points of a batch.

        Errors: IndexMismatch, see `vector_rows.validate_rows`; ArtifactError for an ordinal used before.
        """
        rows = {lane: self._vectors_by_row(batch, lane) for lane in batch.vectors}
        for row, segment in enumerate(batch.segments):
            self._claim_ordinal(segment)
            named_vectors = {
                self._spaces[lane].name: vectors[row].tolist() for lane, vectors in rows.items() if row in vectors
            }
            yield self._build_point(segment, named_vectors)

    def build_entry(self, before: LogEntry | None) -> LogEntry:
        """Build the log entry that makes this put visible in place of the asset's previous one."""
        replaced_puts = (before.put,) if before is not None and before.put else ()
        return LogEntry(
            tags=self._tags,
            put=self.put,
            segments=len(self._ordinals),
            documents=self._documents,
            tokens=self._tokens,
            spaces=self._spaces,
            hidden=replaced_puts,
        )

    def spaces(self) -> list[VectorSpace]:
        """Return the vector spaces that the points so far need."""
        return list(self._spaces.values())

    def _vectors_by_row(self, batch: SegmentBatch, lane: Lane) -> dict[int, Vectors]:
        space = self._spaces.get(lane) or space_of_other_assets(self._snapshot, lane, self._tags.asset_id)
        model = self._model_ids.get(lane, "")
        rows, lane_vectors = vector_rows.validate_rows(batch, lane, space.dim if space else 0)
        if space is not None:
            vector_rows.verify_model(lane, space.model, model)
        if len(rows):
            previous_count = self._spaces[lane].vectors if lane in self._spaces else 0
            base = space or VectorSpace(
                _vector_name(lane, model, lane_vectors.shape[1]), model, lane_vectors.shape[1], 0
            )
            self._spaces[lane] = replace(base, vectors=previous_count + len(rows))
        return dict(zip(rows.tolist(), lane_vectors, strict=True))

    def _claim_ordinal(self, segment: Segment) -> None:
        if segment.ordinal in self._ordinals:
            raise ArtifactError(f"asset {self._tags.asset_id} has two segments of ordinal {segment.ordinal}")
        self._ordinals.add(segment.ordinal)

    def _build_point(self, segment: Segment, named_vectors: dict[str, models.Vector]) -> models.PointStruct:
        tokens = tokenizer.tokenize_document(text_with_context(segment))
        payload = {"put": self.put, **tags_payload(self._tags), "segment": _encode_segment(segment)}
        if segment.start_s is not None and segment.end_s is not None:
            payload |= {"start_s": segment.start_s, "end_s": segment.end_s}
        if tokens:
            self._documents += 1
            self._tokens += len(tokens)
            payload |= {"terms": sorted(set(tokens)), "tokens": " ".join(tokens)}
            named_vectors[KEYWORDS_VECTOR] = to_sparse_vector(tokens)
        point_id = uuid.uuid5(uuid.UUID(self.put), str(segment.ordinal))
        return models.PointStruct(id=str(point_id), vector=named_vectors, payload=payload)


def space_of_other_assets(snapshot: Snapshot, lane: Lane, asset_id: str) -> VectorSpace | None:
    """Return the vector space of a lane if assets other than this one have vectors in it, else None."""
    space, entry = snapshot.spaces.get(lane), snapshot.entry(asset_id)
    own = entry.spaces.get(lane) if entry is not None else None
    if space is None or (own is not None and own.vectors == space.vectors):
        return None
    return space


def tags_payload(tags: AssetTags, *others: AssetTags) -> dict[str, object]:
    """Return the payload fields for filters; with several tags their union, so that any of them passes."""
    all_tags = (tags, *others)
    return {
        "asset_id": tags.asset_id,
        "kind": sorted({str(item.kind) for item in all_tags}),
        "collections": sorted({name for item in all_tags for name in item.collections}),
        "file_time": sorted({item.file_time for item in all_tags if item.file_time is not None}),
    }


def decode_segment(payload: Mapping[str, object]) -> Segment:
    """Decode the segment from a point's payload."""
    return msgspec.json.decode(str(payload["segment"]), type=Segment)


def _encode_segment(segment: Segment) -> str:
    text, context = (value.encode("utf-8", "replace").decode() for value in (segment.text, segment.context))
    return msgspec.json.encode(replace(segment, text=text, context=context)).decode()


def _vector_name(lane: Lane, model: str, dim: int) -> str:
    return f"{lane}-{dim}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
