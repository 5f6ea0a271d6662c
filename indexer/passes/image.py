"""The pass over a picture: one checkpoint with the picture and the text read in it."""

from __future__ import annotations

from pathlib import Path

from indexer.artifacts import Checkpoint
from indexer.media.process import SandboxedDecoder
from indexer.passages import build_page_passages
from indexer.passes.checkpoints import build_checkpoint, build_picture_segment
from indexer.passes.tools import BatchEncoder, IndexingSettings, ModelSet, embed_passages
from indexer.readers.screen_text import recognize_text
from indexer.stages import BoundedStage
from indexer.types import Origin


def build_image_checkpoint(
    media: SandboxedDecoder, models: ModelSet, settings: IndexingSettings, encode_stage: BoundedStage, path: Path
) -> Checkpoint:
    """Decode, encode and read one picture."""
    rgb = media.read_image(path, settings.read_page_px)
    encoder = BatchEncoder(models.visual, encode_stage, 1, settings.page_px)
    encoder.add(rgb)
    wait_for_pictures = encoder.close()
    lines = [] if models.page_ocr is None else recognize_text(models.page_ocr, rgb, Origin.OCR)
    passages = build_page_passages(lines, None)
    text = embed_passages(models.text, passages)
    return build_checkpoint(0, None, 1, [build_picture_segment()], wait_for_pictures(), passages, text)
