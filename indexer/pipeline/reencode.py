"""Re-encoding of a stored checkpoint by other models, from its key frames and texts, without the source."""

from __future__ import annotations

import numpy as np

from indexer.media.jpeg import decode_jpeg
from indexer.pipeline.encoding import ModelSet, encode_pictures
from indexer.storage.artifacts import ArtifactStore, Checkpoint, CheckpointRecord
from indexer.text.passage import text_with_context
from indexer.types import Lane, Origin, Segment


def reencode_checkpoint(record: CheckpointRecord, artifacts: ArtifactStore, models: ModelSet, fps: float) -> Checkpoint:
    """Return the checkpoint with new embeddings and visual tokens.

    The pictures are the stored JPEGs, so embeddings differ slightly from those of a first pass. `fps` estimates the
    frame counts of key frames where the checkpoint has none (decision 0024). Errors: ArtifactError, ModelError.
    """
    refs = list(dict.fromkeys(segment.picture for segment in record.segments if segment.picture is not None))
    jpegs = {ref: artifacts.read_picture(ref) for ref in refs}
    pictures = [i for i, segment in enumerate(record.segments) if segment.origin is Origin.PICTURE]
    passages = [i for i, segment in enumerate(record.segments) if segment.origin is not Origin.PICTURE]
    rows, vectors = {}, {}
    stored_jpegs = [jpegs[ref] for i in pictures if (ref := record.segments[i].picture) is not None]
    timed = record.end_s is not None
    encoded = encode_pictures(
        [decode_jpeg(jpeg) for jpeg in stored_jpegs], models.visual, models.token_encoder if timed else None
    )
    if encoded.visual is not None:
        rows[Lane.VISUAL], vectors[Lane.VISUAL] = np.array(pictures, np.int64), encoded.visual
    if models.text is not None:
        rows[Lane.TEXT] = np.array(passages, np.int64)
        vectors[Lane.TEXT] = models.text.encode([text_with_context(record.segments[i]) for i in passages])
    return Checkpoint(
        number=record.number,
        end_s=record.end_s,
        sampled_frames=record.sampled_frames,
        segments=record.segments,
        pictures=tuple(jpegs.values()),
        picture_of=tuple(-1 if segment.picture is None else refs.index(segment.picture) for segment in record.segments),
        rows=rows,
        vectors=vectors,
        signatures=record.signatures,
        frames=record.frames or tuple(_estimate_frame_count(record.segments[i], fps) for i in pictures if timed),
        tokens=encoded.tokens,
        picture_regions=tuple(ref.region for ref in refs),
    )


def _estimate_frame_count(picture: Segment, fps: float) -> int:
    """Estimate from its span how many sampled frames a picture stands for, at least one."""
    return max(1, round(((picture.end_s or 0.0) - (picture.start_s or 0.0)) * fps))
