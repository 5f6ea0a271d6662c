"""Stored pictures: small ones save space, and the text of each can be read in it."""

from __future__ import annotations

import numpy as np

from indexer.media.jpeg import encode_jpeg, read_size
from indexer.pipeline.checkpoint_builder import build_checkpoint
from indexer.pipeline.encoding import EncodedPictures
from indexer.text.passage import Passage
from indexer.types import Box, LineSpan, Origin, Segment


def _passage(start_s: float, height: float) -> Passage:
    line = LineSpan(0, 4, Box(0.1, 0.5, 0.6, 0.5 + height))
    return Passage("rope", Origin.OCR, start_s, start_s + 1, box=line.box, lines=(line,))


def test_a_picture_whose_text_would_be_illegible_is_stored_large() -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    small, large = encode_jpeg(frame, 448), encode_jpeg(frame, 1280)
    pictures = [Segment(0, Origin.PICTURE, start_s=float(second), end_s=second + 1.0) for second in range(3)]
    encoded = EncodedPictures((small,) * 3, None, None, (large,) * 3)
    passages = [_passage(0.5, 40 / 720), _passage(1.5, 20 / 720)]
    checkpoint = build_checkpoint(0, 3.0, 3, pictures, encoded, passages, None)
    assert [read_size(jpeg) for jpeg in checkpoint.pictures] == [(448, 252), (1280, 720), (448, 252)]
    assert checkpoint.picture_of == (0, 1, 2, 0, 1)


def test_without_reading_of_text_all_pictures_are_small() -> None:
    jpeg = encode_jpeg(np.zeros((72, 128, 3), np.uint8), 64)
    pictures = [Segment(0, Origin.PICTURE, start_s=0.0, end_s=1.0)]
    passages = [Passage("a subtitle", Origin.SUBTITLE, 0.2, 0.9)]
    checkpoint = build_checkpoint(0, 1.0, 1, pictures, EncodedPictures((jpeg,), None), passages, None)
    assert checkpoint.pictures == (jpeg,)
