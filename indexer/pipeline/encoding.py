"""Models and settings of an indexing pass, and batched encoding of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from indexer.media.jpeg import encode_jpeg
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.near_duplicates import NearDuplicateDetector
from indexer.ports import ImageTextEncoder, OcrEngine, SentenceEncoder, SpeechRecognizer, TokenEncoder
from indexer.text.passage import Passage, text_with_context
from indexer.types import Pixels, Vectors


@dataclass(frozen=True, slots=True)
class ModelSet:
    """Models of an indexing run; None disables a lane, OCR, speech recognition or the video memory.

    `frame_ocr` reads video frames, `page_ocr` pages and photos, whose print is finer; `token_encoder` makes the visual
    tokens of a video's memory.
    """

    visual: ImageTextEncoder | None = None
    text: SentenceEncoder | None = None
    frame_ocr: OcrEngine | None = None
    page_ocr: OcrEngine | None = None
    speech: SpeechRecognizer | None = None
    token_encoder: TokenEncoder | None = None

    def model_ids(self) -> dict[str, str]:
        """Return the ids of the enabled models by their stored names (`visual`, `text`, `reader`, …)."""
        models = {
            "visual": self.visual,
            "text": self.text,
            "reader": self.frame_ocr,
            "page_reader": self.page_ocr,
            "speech": self.speech,
            "memory": self.token_encoder,
        }
        return {name: model.model_id for name, model in models.items() if model is not None}


@dataclass(frozen=True, slots=True)
class IndexingSettings:
    """Settings of an indexing pass. Sizes in pixels are those of the longer side.

    Names and values of all fields but `encode_workers` are part of an artifact's version.
    """

    fps: float = 1.0
    """Sampled frames per second, where the video has them. Chosen: shorter events may be missed; more cost in
    proportion."""

    fps_floor: float = 0.8
    """Lowest sampling rate: no gap between sampled frames is longer than its inverse.

    Chosen: decision 0007; a floor of 0.5 misses the edges of short events, a higher one decodes more frames."""

    checkpoint_s: float = 60.0
    """Seconds of video in a checkpoint.

    Chosen: what a crash can cost at most; shorter checkpoints read more text anew and leave more to stitch."""

    read_px: int = 1280
    """Size of the frames that OCR reads, and at most of those that are embedded.

    Chosen: subtitles and signs stay legible; the time of decoding and OCR grows with the area."""

    read_page_px: int = 1600
    """Size of the pages and photos that OCR reads.

    Chosen: print is finer than on-screen text; the time of OCR grows with the area."""

    picture_px: int = 448
    """Size of the stored JPEG of a key frame; where that makes its text illegible, `read_px`.

    Chosen: visible detail against disk space."""

    page_px: int = 1024
    """Size of the stored JPEG of a page or photo; where that makes its text illegible, `read_page_px`.

    Chosen: legible print against disk space."""

    batch: int = 16
    """Pictures that are encoded together. Chosen: throughput against memory and the delay of a checkpoint."""

    encode_workers: int = 1
    """Batches that are encoded in parallel (decision 0009)."""

    near_duplicates: NearDuplicateDetector = field(default_factory=NearDuplicateDetector)


@dataclass(frozen=True, slots=True)
class EncodedPictures:
    """Results of encoding n pictures.

    Their JPEGs for storage, their embeddings `[n, dim]` (None: visual lane disabled), their visual tokens
    `[n, positions, width]` (None: no video memory), and JPEGs of the size that text was read in (none: it is not read).
    """

    jpegs: tuple[bytes, ...]
    visual: Vectors | None
    tokens: NDArray[np.float32] | None = None
    large_jpegs: tuple[bytes, ...] = ()


class BatchEncoder:
    """Encoder of one checkpoint's pictures in batches, which run in a stage and never cross checkpoints."""

    def __init__(
        self,
        encoder: ImageTextEncoder | None,
        stage: BoundedStage,
        batch_size: int,
        picture_px: int,
        token_encoder: TokenEncoder | None = None,
        large_px: int | None = None,
    ) -> None:
        self._encoder, self._stage, self._batch_size, self._picture_px = encoder, stage, batch_size, picture_px
        self._token_encoder, self._large_px = token_encoder, large_px
        self._pending_pictures: list[Pixels] = []
        self._futures: list[Future[EncodedPictures]] = []

    def add(self, rgb: Pixels) -> None:
        """Add a picture; block while the stage is full."""
        self._pending_pictures.append(rgb)
        if len(self._pending_pictures) == self._batch_size:
            self._flush()

    def close(self) -> Callable[[], EncodedPictures]:
        """Submit the last batch and return a function that waits for the results of all pictures, in order."""
        if self._pending_pictures:
            self._flush()
        batches = self._futures

        def result() -> EncodedPictures:
            """Wait for all batches and join their results; raise what a batch raised."""
            parts = [batch.result() for batch in batches]
            if not parts and self._encoder is not None:
                return EncodedPictures((), np.empty((0, self._encoder.dim), np.float32))
            return concatenate_pictures(parts)

        return result

    @property
    def futures(self) -> tuple[Future[EncodedPictures], ...]:
        """Futures of the batches submitted so far."""
        return tuple(self._futures)

    def _flush(self) -> None:
        pictures, self._pending_pictures = self._pending_pictures, []
        encoder, token_encoder, picture_px = self._encoder, self._token_encoder, self._picture_px
        large_px = self._large_px

        def task() -> EncodedPictures:
            jpegs = tuple(encode_jpeg(rgb, picture_px) for rgb in pictures)
            large = () if large_px is None else tuple(encode_jpeg(rgb, large_px) for rgb in pictures)
            return replace(encode_pictures(pictures, encoder, token_encoder), jpegs=jpegs, large_jpegs=large)

        self._futures.append(self._stage.submit(task))


def encode_pictures(
    pictures: Sequence[Pixels], encoder: ImageTextEncoder | None, token_encoder: TokenEncoder | None
) -> EncodedPictures:
    """Compute embeddings and visual tokens of pictures, in one forward pass where they share a tower; no JPEGs."""
    visual, visual_tokens = (None, None) if token_encoder is None else token_encoder.encode(pictures)
    if encoder is None:
        return EncodedPictures((), None, visual_tokens)
    return EncodedPictures((), encoder.encode_images(pictures) if visual is None else visual, visual_tokens)


def concatenate_pictures(parts: Sequence[EncodedPictures]) -> EncodedPictures:
    """Join encoded pictures, in order."""
    return EncodedPictures(
        tuple(jpeg for part in parts for jpeg in part.jpegs),
        _concatenate([part.visual for part in parts]),
        _concatenate([part.tokens for part in parts]),
        tuple(jpeg for part in parts for jpeg in part.large_jpegs),
    )


def _concatenate(parts: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None


def embed_passages(encoder: SentenceEncoder | None, passages: Sequence[Passage]) -> Vectors | None:
    """Embed passages, with their context, for the text lane, `[n, dim]`; None where the lane is disabled."""
    return None if encoder is None else encoder.encode([text_with_context(p) for p in passages])
