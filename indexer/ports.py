"""Ports of the indexer: protocols of models, indexes and blob storage; their adapters are named for their vendors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.types import (
    AssetTags,
    AudioSpan,
    Hit,
    KeyFrame,
    Lane,
    Pixels,
    SegmentBatch,
    SegmentFilter,
    TextLine,
    Vectors,
)


class ImageTextEncoder(Protocol):
    """Encoder of pictures and texts into one embedding space; rows are L2-normalised."""

    @property
    def model_id(self) -> str:
        """Identifier of model and weights."""

    @property
    def note(self) -> str:
        """Remark of the weights' makers for users; mostly empty."""

    @property
    def min_similarity(self) -> float:
        """Cosine below which, as its makers measured, a text does not describe a picture; -1 where unknown."""

    @property
    def dim(self) -> int:
        """Width of an embedding."""

    def encode_images(self, pictures: Sequence[Pixels]) -> Vectors:
        """Embed pictures, `[n, dim]` in their order; `[0, dim]` for no pictures."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, `[n, dim]` in their order; `[0, dim]` for no texts."""


class TokenEncoder(Protocol):
    """Encoder of pictures into visual tokens, the input of a video memory."""

    @property
    def model_id(self) -> str:
        """Identifier of weights and pooling."""

    @property
    def positions(self) -> int:
        """Number of tokens of a picture."""

    @property
    def width(self) -> int:
        """Width of a token."""

    def encode(self, pictures: Sequence[Pixels]) -> tuple[Vectors | None, NDArray[np.float32]]:
        """Return embeddings and visual tokens `[n, positions, width]` float32, from one forward pass.

        The embeddings equal those of the visual lane's `ImageTextEncoder.encode_images`; None where the tokens come
        from a tower of their own.
        """


class FrameSink(Protocol):
    """Consumer of one video's key frames during indexing, in order, checkpoint by checkpoint.

    Errors: ArtifactError, StorageFull.
    """

    def resume(self, checkpoints: int) -> int:
        """Continue after `checkpoints` committed ones; return how many of them the sink still has.

        Where it has fewer, its own state was lost, and the checkpoints behind that number must be made again.
        """

    def save_checkpoint(self, number: int, key_frames: Sequence[KeyFrame]) -> None:
        """Make the key frames of checkpoint `number` (from 0) durable, before the checkpoint itself is committed.

        The state before it is kept until the next one, so that a crash between the two loses nothing.
        """

    def finish(self, checkpoints: int) -> None:
        """Complete the state of a video of `checkpoints` checkpoints."""


class SentenceEncoder(Protocol):
    """Encoder of texts into a space of meaning; rows are L2-normalised.

    Many models encode what is looked for otherwise than what is found; those that do not have one way for both.
    """

    @property
    def model_id(self) -> str:
        """Identifier of model and weights, as far as the vectors of passages depend on them."""

    @property
    def query_model_id(self) -> str:
        """Identifier of all that the vectors of queries depend on: a change of it alone needs no index made anew."""

    @property
    def dim(self) -> int:
        """Width of an embedding."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Embed passages, `[n, dim]` in their order; `[0, dim]` for no texts."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed what is asked or looked for, `[n, dim]` in their order; `[0, dim]` for no texts."""


class OcrEngine(Protocol):
    """OCR in two steps, detection and recognition, so that unchanged text is not recognised again."""

    @property
    def model_id(self) -> str:
        """Identifier of models and weights."""

    def detect(self, picture: Pixels) -> NDArray[np.float32]:
        """Return quadrilaterals around lines of text, `[n, 4, 2]` in pixels, in reading order.

        Corners go clockwise from the upper left of the text.
        """

    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]:
        """Return text (may be empty) and confidence in [0, 1] for each quadrilateral."""


class SpeechRecognizer(Protocol):
    """Speech-to-text model."""

    @property
    def model_id(self) -> str:
        """Identifier of model and weights."""

    def find_pause(self, audio: AudioSpan) -> float:
        """Return a time within `audio`, in seconds of the video, at which speech may be divided; its start if silent.

        The same sound gives the same time.
        """

    def transcribe(self, audio: AudioSpan) -> list[TextLine]:
        """Return spoken lines in order, with times in the video and origin SPEECH."""


class SegmentIndex(Protocol):
    """Search index over segments, derived from artifacts; every change is one transaction.

    Errors: IndexMismatch where a vector's width or model is not the lane's, StorageFull where a change cannot be
    written.
    """

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int:
        """Replace all segments of an asset by a stream of batches; return the number of segments."""

    def update_tags(self, tags: AssetTags) -> None:
        """Replace the filterable properties of an asset. Errors: AssetNotFound where it is not in the index."""

    def remove(self, asset_id: str) -> int:
        """Remove an asset; return its number of segments, 0 for an unknown asset."""

    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]:
        """Return at most `limit` hits, best first, ties by asset id and ordinal.

        The visual and text lanes take a unit vector `[dim]`, keywords a text. Errors: InvalidInput.
        """

    def segment_counts(self) -> dict[str, int]:
        """Return the number of segments of every asset."""

    def generation(self) -> int:
        """Return the number of the index state; every change increases it."""

    def verify_models(self) -> None:
        """Raise IndexMismatch if the vectors of a lane are not of the configured model."""

    def close(self) -> None:
        """Release files and caches; the next use opens them again."""


class ShadowIndex(Protocol):
    """Builder of a second segment index that replaces the one in use. Errors: StorageFull, IndexUnavailable."""

    def create(self) -> SegmentIndex:
        """Create an empty index that no search sees."""

    def promote(self) -> None:
        """Close the new index and put it in use, in one step; remove the previous one and leftovers of failed builds.

        Readers notice at their next search.
        """


class BlobStore(Protocol):
    """Blob storage: named bytes in a folder or an object store. Keys are relative paths with `/`.

    Errors: ArtifactError where a key is missing or too short, StorageFull where it cannot be written,
    BlobStoreUnavailable where the store does not answer.
    """

    def put(self, key: str, data: bytes) -> None:
        """Write a blob atomically and durably: a reader sees all of it or nothing, also after a crash."""

    def put_file(self, key: str, path: Path) -> None:
        """Copy a local file to a blob atomically and durably, in memory that does not depend on its size."""

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes from `offset` on, all that follow if None."""

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes `[start, end)` in chunks, to the last byte if `end` is None."""

    def local_file(self, key: str) -> AbstractContextManager[Path]:
        """Provide a blob as a read-only local file for the duration of a `with`."""

    def size(self, key: str) -> int:
        """Return the size in bytes."""

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, sorted; a key is not below itself."""

    def delete_prefix(self, prefix: str) -> int:
        """Delete all blobs below a prefix and return their number; a blob named exactly like the prefix stays."""
