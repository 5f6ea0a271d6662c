"""What a pass works with: the models that are switched on, the numbers it keeps to, and the way of its pictures."""

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
from indexer.text.passages import Passage
from indexer.types import Pixels, Vectors


@dataclass(frozen=True, slots=True)
class ModelSet:
    """The models of an indexing run; None switches a lane or a reader off.

    `reader` reads frames, `page_reader` pages and photos, whose print is finer; `tokens` makes what a video's memory
    is made of.
    """

    visual: ImageTextEncoder | None = None
    text: SentenceEncoder | None = None
    frame_ocr: OcrEngine | None = None
    page_ocr: OcrEngine | None = None
    speech: SpeechRecognizer | None = None
    token_encoder: TokenEncoder | None = None

    def model_ids(self) -> dict[str, str]:
        """What made the artifacts: lane, reader or memory → model id, for those that are on."""
        named = {
            "visual": self.visual,
            "text": self.text,
            "reader": self.frame_ocr,
            "page_reader": self.page_ocr,
            "speech": self.speech,
            "memory": self.token_encoder,
        }
        return {name: model.model_id for name, model in named.items() if model is not None}


@dataclass(frozen=True, slots=True)
class IndexingSettings:
    """The numbers of a pass. Sizes in pixels are those of the longer side.

    `fps` frames a second are looked at where the video has them, never fewer than `fps_floor`. `picture_px` and
    `page_px` are what is kept of a key frame and of a page or photo; `read_px` and `read_page_px` what text is read in.
    `encode_workers` batches are encoded side by side.
    """

    fps: float = 1.0
    fps_floor: float = 0.8
    checkpoint_s: float = 60.0
    read_px: int = 1280
    read_page_px: int = 1600
    picture_px: int = 448
    page_px: int = 1024
    batch: int = 16
    encode_workers: int = 1
    near_duplicates: NearDuplicateDetector = field(default_factory=NearDuplicateDetector)


@dataclass(frozen=True, slots=True)
class EncodedPictures:
    """Pictures that went through the visual lane: their stored JPEGs, their embeddings `[n, dim]` (None: lane off) and
    their visual tokens `[n, positions, width]` (None: no memory is made)."""

    jpegs: tuple[bytes, ...]
    visual: Vectors | None
    tokens: NDArray[np.float32] | None = None


class BatchEncoder:
    """Pictures on their way through the visual lane, in batches that never leave their checkpoint."""

    def __init__(
        self,
        encoder: ImageTextEncoder | None,
        stage: BoundedStage,
        batch_size: int,
        picture_px: int,
        token_encoder: TokenEncoder | None = None,
    ) -> None:
        self._encoder, self._stage, self._batch_size, self._picture_px = encoder, stage, batch_size, picture_px
        self._token_encoder = token_encoder
        self._pending_pictures: list[Pixels] = []
        self._futures: list[Future[EncodedPictures]] = []

    def add(self, rgb: Pixels) -> None:
        """Take one picture; blocks while the encoder is behind."""
        self._pending_pictures.append(rgb)
        if len(self._pending_pictures) == self._batch_size:
            self._flush()

    def close(self) -> Callable[[], EncodedPictures]:
        """No more pictures; what it gives waits for all of them, and has them in order."""
        if self._pending_pictures:
            self._flush()
        batches = self._futures

        def result() -> EncodedPictures:
            parts = [batch.result() for batch in batches]
            if not parts and self._encoder is not None:
                return EncodedPictures((), np.empty((0, self._encoder.dim), np.float32))
            return EncodedPictures(
                tuple(jpeg for part in parts for jpeg in part.jpegs),
                _concatenate([part.visual for part in parts]),
                _concatenate([part.tokens for part in parts]),
            )

        return result

    @property
    def futures(self) -> tuple[Future[EncodedPictures], ...]:
        """The batches handed in so far."""
        return tuple(self._futures)

    def _flush(self) -> None:
        pictures, self._pending_pictures = self._pending_pictures, []
        encoder, token_encoder, picture_px = self._encoder, self._token_encoder, self._picture_px

        def task() -> EncodedPictures:
            jpegs = tuple(encode_jpeg(rgb, picture_px) for rgb in pictures)
            return replace(encode_pictures(pictures, encoder, token_encoder), jpegs=jpegs)

        self._futures.append(self._stage.submit(task))


def encode_pictures(
    pictures: Sequence[Pixels], encoder: ImageTextEncoder | None, token_encoder: TokenEncoder | None
) -> EncodedPictures:
    """Embeddings and tokens of pictures, from one forward pass where both come from one tower; no JPEGs."""
    visual, visual_tokens = (None, None) if token_encoder is None else token_encoder.encode(pictures)
    if encoder is None:
        return EncodedPictures((), None, visual_tokens)
    return EncodedPictures((), encoder.encode_images(pictures) if visual is None else visual, visual_tokens)


def _concatenate(parts: list[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def embed_passages(encoder: SentenceEncoder | None, passages: Sequence[Passage]) -> Vectors | None:
    """The text lane's embeddings of passages, `[n, dim]`; None where the lane is off."""
    return None if encoder is None else encoder.encode([passage.text for passage in passages])
