"""What the indexer needs from the outside world; adapters live in the files named for their vendors."""

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
    """Pictures and words in one space. Rows are L2-normalised; an empty input gives `[0, dim]`.

    `note` is what the weights say of themselves, for people; mostly empty. `floor` is the cosine below which their
    makers measured that a text does not describe a picture; -1 where they say nothing.
    """

    @property
    def model_id(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def min_similarity(self) -> float: ...
    @property
    def dim(self) -> int: ...
    def encode_images(self, pictures: Sequence[Pixels]) -> Vectors: ...
    def encode_texts(self, texts: Sequence[str]) -> Vectors: ...


class TokenEncoder(Protocol):
    """Visual tokens of pictures, what a video's memory is made of: `encode` gives `[n, positions, width]` float32.

    Beside them, where the tower is that of the visual lane, the lane's embeddings, from the same forward pass, equal to
    those of `ImageTextEncoder.encode_images`; None from a tower of its own. `model_id` names weights and pooling.
    """

    @property
    def model_id(self) -> str: ...
    @property
    def positions(self) -> int: ...
    @property
    def width(self) -> int: ...
    def encode(self, pictures: Sequence[Pixels]) -> tuple[Vectors | None, NDArray[np.float32]]: ...


class FrameSink(Protocol):
    """Takes in the key frames of one video, in order, checkpoint by checkpoint, while it is indexed.

    `take` makes checkpoint `number` (from 0) durable before it is committed itself; a crash between the two loses
    nothing, since what was held before it is kept until the next. `resume` goes on after `checkpoints` committed ones
    and gives how many of them it holds: fewer where its own are lost, and those behind have to be made again.
    `finish` completes what is kept. Errors: ArtifactError, StorageFull.
    """

    def resume(self, checkpoints: int) -> int: ...
    def save_checkpoint(self, number: int, key_frames: Sequence[KeyFrame]) -> None: ...
    def finish(self, checkpoints: int) -> None: ...


class SentenceEncoder(Protocol):
    """Sentences in a space of meaning. Rows are L2-normalised; an empty input gives `[0, dim]`."""

    @property
    def model_id(self) -> str: ...
    @property
    def dim(self) -> int: ...
    def encode(self, texts: Sequence[str]) -> Vectors: ...


class OcrEngine(Protocol):
    """Reads the text in pictures, in two steps, so that what did not change is not read again.

    `detect` gives quadrilaterals in pixels, `[n, 4, 2]` float32, corners clockwise from the text's upper left,
    in reading order. `recognise` reads them: for each its text (may be empty) and a confidence in [0, 1].
    """

    @property
    def model_id(self) -> str: ...
    def detect(self, picture: Pixels) -> NDArray[np.float32]: ...
    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]: ...


class SpeechRecognizer(Protocol):
    """Writes down what is said. Lines carry times in the video, origin SPEECH, in order."""

    @property
    def model_id(self) -> str: ...
    def transcribe(self, audio: AudioSpan) -> list[TextLine]: ...


class SegmentIndex(Protocol):
    """Finds segments again. Derived from artifacts; every change is one transaction and moves `generation` on.

    `put` replaces whatever the asset had, consumes the batches as a stream and gives the number of segments; `counts`
    gives that number for every asset. `tag` changes what filters see (AssetNotFound where there is nothing to see).
    `remove` gives the number of segments removed (0 for an unknown asset). `search` takes a unit vector `[dim]` for the
    visual and text lanes, words for keywords; at most `limit` hits, best first, ties by asset id and ordinal.
    `check` raises IndexMismatch where a lane was filled by another model than the one this index was opened with.
    Errors: IndexMismatch where the vector's width is not the lane's, StorageFull where a change cannot be written.
    """

    def put(self, tags: AssetTags, batches: Iterable[SegmentBatch]) -> int: ...
    def update_tags(self, tags: AssetTags) -> None: ...
    def remove(self, asset_id: str) -> int: ...
    def search(self, lane: Lane, query: NDArray[np.float32] | str, limit: int, filters: SegmentFilter) -> list[Hit]: ...
    def segment_counts(self) -> dict[str, int]: ...
    def generation(self) -> int: ...
    def verify_models(self) -> None: ...
    def close(self) -> None: ...


class ShadowIndex(Protocol):
    """Makes a segment index beside the one in use and puts it in that one's place.

    `begin` gives an empty index that no search sees. `swap` closes it and makes it the one in use, in one step; readers
    notice at their next search. What an earlier try left behind goes with it. Errors: StorageFull, IndexUnavailable.
    """

    def create(self) -> SegmentIndex: ...
    def promote(self) -> None: ...


class BlobStore(Protocol):
    """Named bytes: a folder here, an object store elsewhere. Keys are relative, with `/` between parts.

    `put` and `put_file` are atomic and durable: a reader sees all or nothing, also after a crash. `get` reads `length`
    bytes (all, if None) from `offset`. `names` lists the keys below a prefix, sorted. `delete` removes all below a
    prefix and gives how many; a key itself is no prefix. For large media, in memory that does not depend on size:
    `put_file` copies a file, `fetched` lends a blob as a file for the time of a `with` (not to be changed), `size` is
    in bytes, `stream` gives the bytes `[start, end)` (to the last, if None), some at a time.
    Errors: ArtifactError where a key is missing or too short, StorageFull where it cannot be written, BlobsUnavailable
    where the store does not answer.
    """

    def put(self, key: str, data: bytes) -> None: ...
    def put_file(self, key: str, path: Path) -> None: ...
    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes: ...
    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]: ...
    def local_file(self, key: str) -> AbstractContextManager[Path]: ...
    def size(self, key: str) -> int: ...
    def list_keys(self, prefix: str) -> Iterator[str]: ...
    def delete_prefix(self, prefix: str) -> int: ...
