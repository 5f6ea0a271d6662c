"""Text segments of what a file says about itself, in the first checkpoint of its asset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from indexer.pipeline.checkpoint_builder import build_text_segment
from indexer.pipeline.encoding import embed_passages
from indexer.ports import SentenceEncoder
from indexer.storage.artifacts import Checkpoint
from indexer.text.passages import build_page_passages
from indexer.types import AssetKind, Lane, MediaInfo, Origin, TextLine


def append_metadata(checkpoint: Checkpoint, info: MediaInfo, encoder: SentenceEncoder | None) -> Checkpoint:
    """Return the first checkpoint of an asset with the asset's metadata as text segments after its own.

    Those of a video last as long as it does, those of a document are on its first page, since every result has a place.
    An image or a document shows its first picture with them, a video none.
    """
    lines = [TextLine(line, Origin.METADATA, block=number) for number, line in enumerate(info.metadata)]
    passages = build_page_passages(lines, 1 if info.kind is AssetKind.DOCUMENT else None)
    if not passages:
        return checkpoint
    first = len(checkpoint.segments)
    start_s, end_s = (0.0, info.duration_s or checkpoint.end_s) if info.kind is AssetKind.VIDEO else (None, None)
    segments = tuple(
        replace(build_text_segment(passage), ordinal=first + i, start_s=start_s, end_s=end_s)
        for i, passage in enumerate(passages)
    )
    picture = 0 if checkpoint.pictures and info.kind is not AssetKind.VIDEO else -1
    rows, vectors = dict(checkpoint.rows), dict(checkpoint.vectors)
    if (own := embed_passages(encoder, passages)) is not None:
        rows[Lane.TEXT] = np.concatenate([rows[Lane.TEXT], np.arange(first, first + len(segments))])
        vectors[Lane.TEXT] = np.concatenate([vectors[Lane.TEXT], own])
    return replace(
        checkpoint,
        segments=(*checkpoint.segments, *segments),
        picture_of=(*checkpoint.picture_of, *[picture] * len(segments)),
        rows=rows,
        vectors=vectors,
    )
