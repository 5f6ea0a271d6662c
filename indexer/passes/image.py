"""The pass over a picture: one checkpoint with the picture and the text read in it."""

from __future__ import annotations

from pathlib import Path

from indexer.artifacts import Checkpoint
from indexer.media.process import MediaProcess
from indexer.passages import page_passages
from indexer.passes.checkpoints import build_checkpoint, whole_picture
from indexer.passes.tools import Encoding, Models, PassSettings, embed_passages
from indexer.readers.screen_text import read_picture
from indexer.stages import Stage
from indexer.types import Origin


def image_checkpoint(
    media: MediaProcess, models: Models, settings: PassSettings, encode: Stage, path: Path
) -> Checkpoint:
    """Decode, encode and read one picture."""
    rgb = media.image(path, settings.read_page_px)
    encoding = Encoding(models.visual, encode, 1, settings.page_px)
    encoding.add(rgb)
    encoded = encoding.close()
    lines = [] if models.page_reader is None else read_picture(models.page_reader, rgb, Origin.OCR)
    passages = page_passages(lines, None)
    text = embed_passages(models.text, passages)
    return build_checkpoint(0, None, 1, [whole_picture()], encoded(), passages, text)
