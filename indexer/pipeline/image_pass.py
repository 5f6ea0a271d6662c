"""Indexing pass over an image: one checkpoint with the picture and its recognised text, very long ones in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from indexer.media.sandbox.client import SandboxedDecoder
from indexer.ocr.tiles import TilePlan, TileReader, plan_tiles
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.checkpoint_builder import build_checkpoint, build_picture_segment
from indexer.pipeline.encoding import BatchEncoder, IndexingSettings, ModelSet, concatenate_pictures, embed_passages
from indexer.pipeline.page_reading import read_picture_lines
from indexer.storage.artifacts import Checkpoint
from indexer.text.passage import Passage
from indexer.text.passages import build_page_passages
from indexer.types import Box, MediaInfo

_OVERVIEW_PX = 8192
"""Chosen: longer side of the stored picture that shows a very long one whole; its text is still legible up to about
16,000 pixels, and the JPEG below a few megabytes."""


def build_image_checkpoint(
    media: SandboxedDecoder,
    models: ModelSet,
    settings: IndexingSettings,
    encode_stage: BoundedStage,
    path: Path,
    info: MediaInfo,
) -> Checkpoint:
    """Decode an image, embed it, recognise its text, and return its only checkpoint."""
    plan = plan_tiles(info.width or 1, info.height or 1, settings.read_page_px)
    if plan is not None:
        return _build_tiled_checkpoint(media, models, settings, encode_stage, path, plan)
    rgb = media.read_image(path, settings.read_page_px)
    large_px = None if models.page_ocr is None else settings.read_page_px
    encoder = BatchEncoder(models.visual, encode_stage, 1, settings.page_px, large_px=large_px)
    encoder.add(rgb)
    collect_pictures = encoder.close()
    lines = [] if models.page_ocr is None else read_picture_lines(models.page_ocr, rgb)
    passages = build_page_passages(lines, None)
    text = embed_passages(models.text, passages)
    return build_checkpoint(0, None, 1, [build_picture_segment()], collect_pictures(), passages, text)


def _build_tiled_checkpoint(
    media: SandboxedDecoder,
    models: ModelSet,
    settings: IndexingSettings,
    encode_stage: BoundedStage,
    path: Path,
    plan: TilePlan,
) -> Checkpoint:
    """Return the checkpoint of a very long picture: first the whole, then each tile, as pictures of their own.

    Text refers to the tile that shows the most of it; all boxes are fractions of the whole.
    """
    overview = BatchEncoder(models.visual, encode_stage, 1, _OVERVIEW_PX)
    overview.add(media.read_image(path, _OVERVIEW_PX))
    collect_overview = overview.close()
    encoder = BatchEncoder(models.visual, encode_stage, 1, settings.page_px)
    reader = None if models.page_ocr is None else TileReader(models.page_ocr, plan)
    for box, rgb in zip(plan.boxes, media.read_tiles(path, plan.boxes, plan.size), strict=True):
        encoder.add(rgb)
        if reader is not None:
            reader.add(box, rgb)
    pictures = concatenate_pictures([collect_overview(), encoder.close()()])
    passages = build_page_passages([] if reader is None else reader.lines(), None)
    text = embed_passages(models.text, passages)
    segments = [build_picture_segment(), *(replace(build_picture_segment(), box=box) for box in plan.boxes)]
    checkpoint = build_checkpoint(0, None, 1, segments, pictures, passages, text)
    return replace(
        checkpoint,
        picture_of=(*range(len(segments)), *(1 + _find_tile(plan.boxes, passage) for passage in passages)),
        picture_regions=(None, *plan.boxes),
    )


def _find_tile(boxes: Sequence[Box], passage: Passage) -> int:
    """Return the index of the tile that shows the most of a passage, of several the first."""
    own = passage.box
    return 0 if own is None else max(range(len(boxes)), key=lambda i: boxes[i].intersection_area(own))
