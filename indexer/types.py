"""The values that every layer shares: what media is, and what was found in it.

Times are seconds from the first presented frame, spans are half-open `[start_s, end_s)`, pages count from 1,
boxes are fractions of the upright picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""An upright RGB picture, `[height, width, 3]`, uint8, C-contiguous."""

Vectors: TypeAlias = NDArray[np.float32]
"""L2-normalised embeddings, `[n, dim]`, float32, C-contiguous."""


class AssetKind(StrEnum):
    """What an asset is; a recording without pictures is a video too."""

    VIDEO = "video"
    IMAGE = "image"
    DOCUMENT = "document"


class Lane(StrEnum):
    """One way to find a segment."""

    VISUAL = "visual"
    TEXT = "text"
    KEYWORDS = "keywords"


class Origin(StrEnum):
    """Where a segment comes from: a picture, or the words of one of four sources."""

    PICTURE = "picture"
    PAGE = "page"
    OCR = "ocr"
    SUBTITLE = "subtitle"
    SPEECH = "speech"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle inside a picture, as fractions of its width and height, `0 <= x0 < x1 <= 1`, y downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file says of itself, as far as it was found true.

    `duration_s` is None where a stream does not know its length (or the asset is no video); `taken_at` is the
    moment of capture as a Unix time where the file names one; `sees` tells whether there is a picture stream.
    """

    kind: AssetKind
    format: str
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    pages: int | None = None
    taken_at: float | None = None
    has_video: bool = True
    has_audio: bool = False
    subtitle_streams: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of a video. `time_s` was derived once, from `pts` and `time_base`, at the decode edge."""

    pts: int
    time_base: Fraction
    time_s: float
    rgb: Pixels


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A key frame of a video, as a memory takes it in: `frames` looked-at frames show the same, from it until `end_s`;
    `tokens` are its visual tokens, `[positions, width]` float32."""

    time_s: float
    end_s: float
    frame_count: int
    tokens: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text that was read somewhere: a subtitle cue, a line on a screen, a line of a page.

    `confidence` is 1.0 where the text is given, not recognised. Lines of one `block` belong together (a paragraph).
    """

    text: str
    origin: Origin
    start_s: float | None = None
    end_s: float | None = None
    box: Box | None = None
    confidence: float = 1.0
    block: int = 0


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page of a document: its picture, upright, and the lines of its text layer in reading order.

    `trusted` is False where the text layer is missing or poor and the picture should be read instead.
    """

    number: int
    rgb: Pixels
    lines: tuple[TextLine, ...]
    text_layer_reliable: bool


@dataclass(frozen=True, slots=True)
class AudioSpan:
    """Mono sound, float32 in [-1, 1], `[samples]` at `rate` Hz, beginning at `start_s`."""

    start_s: float
    sample_rate: int
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PictureRef:
    """A stored JPEG: `length` bytes at `offset` of the blob `key`."""

    key: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class LineSpan:
    """Where the characters `[start, end)` of a segment's text stand in the picture."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Segment:
    """The unit of indexing: a span of one video, a page or a region of it, or a whole image.

    `ordinal` is unique within the asset. A picture has no text; a passage of text knows the picture it is seen in.
    """

    ordinal: int
    origin: Origin
    start_s: float | None = None
    end_s: float | None = None
    page: int | None = None
    box: Box | None = None
    text: str = ""
    lines: tuple[LineSpan, ...] = ()
    picture: PictureRef | None = None


@dataclass(frozen=True, slots=True)
class SegmentBatch:
    """Segments of one asset with their embeddings: row i of `vectors[lane]` belongs to segment `rows[lane][i]`
    (an index into `segments`). A lane that is off is absent."""

    segments: tuple[Segment, ...]
    rows: dict[Lane, NDArray[np.int64]]
    vectors: dict[Lane, Vectors]


@dataclass(frozen=True, slots=True)
class AssetTags:
    """What an index must know of an asset to filter by: its kind, the collections that hold it, its file date."""

    asset_id: str
    kind: AssetKind
    collections: frozenset[str]
    file_time: float | None = None


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """Which segments a search may find; an empty field does not restrict.

    `start_s`/`end_s`: the segment's span overlaps `[start_s, end_s)` (segments without a span do not pass).
    `file_after`/`file_before`: Unix times, half-open; assets without a date do not pass. `collections=frozenset()`
    (empty, not None) passes nothing.
    """

    collections: frozenset[str] | None = None
    kinds: frozenset[AssetKind] | None = None
    assets: frozenset[str] | None = None
    start_s: float | None = None
    end_s: float | None = None
    file_after: float | None = None
    file_before: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A segment found by one lane. `score` is the lane's own: a cosine, or the share of the query's weight found."""

    asset_id: str
    kind: AssetKind
    lane: Lane
    segment: Segment
    score: float
