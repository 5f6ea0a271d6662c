"""Indexing pass over an image: one checkpoint with the picture and its recognised text."""

from __future__ import annotations

from pathlib import Path

from indexer.media.sandbox.client import SandboxedDecoder
from indexer.ocr.text_tracking import recognize_text
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.checkpoint_builder import build_checkpoint, build_picture_segment
from indexer.pipeline.encoding import BatchEncoder, IndexingSettings, ModelSet, embed_passages
from indexer.storage.artifacts import Checkpoint
from indexer.text.passages import build_page_passages
from indexer.types import Origin


def build_image_checkpoint(
    media: SandboxedDecoder, models: ModelSet, settings: IndexingSettings, encode_stage: BoundedStage, path: Path
) -> Checkpoint:
    """Decode an image, embed it, recognise its text, and return its only checkpoint."""
    rgb = media.read_image(path, settings.read_page_px)
    encoder = BatchEncoder(models.visual, encode_stage, 1, settings.page_px)
    encoder.add(rgb)
    collect_pictures = encoder.close()
    lines = [] if models.page_ocr is None else recognize_text(models.page_ocr, rgb, Origin.OCR)
    passages = build_page_passages(lines, None)
    text = embed_passages(models.text, passages)
    return build_checkpoint(0, None, 1, [build_picture_segment()], collect_pictures(), passages, text)
