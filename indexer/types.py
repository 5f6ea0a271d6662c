"""Domain types shared by all layers: media properties, decoded media, segments, filters and hits.

Times are seconds from the start of the recording, spans are half-open `[start_s, end_s)`, pages count from 1,
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
    """Kind of an asset; a recording without pictures is a video too."""

    VIDEO = "video"
    IMAGE = "image"
    DOCUMENT = "document"


class Lane(StrEnum):
    """Retrieval lane: image-text embeddings, sentence embeddings, or keywords."""

    VISUAL = "visual"
    TEXT = "text"
    KEYWORDS = "keywords"


class Modality(StrEnum):
    """How something is perceived in its source: seen in a picture, written somewhere, or spoken."""

    SEEN = "seen"
    WRITTEN = "written"
    SPOKEN = "spoken"


class Origin(StrEnum):
    """Source of a segment's content: a picture, or the text of one of five sources.

    METADATA is what the file says about itself: title, caption, keywords, people, places.
    """

    PICTURE = "picture"
    PAGE = "page"
    OCR = "ocr"
    SUBTITLE = "subtitle"
    SPEECH = "speech"
    METADATA = "metadata"

    @property
    def modality(self) -> Modality:
        """How it is perceived."""
        return {Origin.PICTURE: Modality.SEEN, Origin.SPEECH: Modality.SPOKEN}.get(self, Modality.WRITTEN)


class LineRole(StrEnum):
    """Role of a line on its page; lines of a running head or of a table of contents are no part of any passage.

    Labels are those of a chart or diagram, which are no sentences and no rows of a table.
    """

    BODY = "body"
    HEADING = "heading"
    RUNNING = "running"
    CONTENTS = "contents"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Box:
    """Bounding box in a picture, as fractions of its width and height, `0 <= x0 < x1 <= 1`, y downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    def union(self, other: Box) -> Box:
        """Return the smallest box that contains both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def intersection_area(self, other: Box) -> float:
        """Return the share of the picture that both boxes cover."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(0.0, width) * max(0.0, height)

    def relative_to(self, region: Box) -> Box:
        """Return the part of this box inside `region` as fractions of it; all of it where they do not meet."""
        if not self.intersection_area(region):
            return Box(0.0, 0.0, 1.0, 1.0)
        width, height = region.x1 - region.x0, region.y1 - region.y0
        x0, x1 = ((min(max(x, region.x0), region.x1) - region.x0) / width for x in (self.x0, self.x1))
        y0, y1 = ((min(max(y, region.y0), region.y1) - region.y0) / height for y in (self.y0, self.y1))
        return Box(x0, y0, x1, y1)


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Half-open time interval `[start_s, end_s)` in seconds. Errors: ValueError where `end_s < start_s`."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        """Raise ValueError if the end is before the start."""
        if self.end_s < self.start_s:
            raise ValueError(f"the time span ends at {self.end_s} s, before its start at {self.start_s} s")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def overlaps(self, other: TimeSpan) -> bool:
        """Return True if each span starts before the other ends; an empty span overlaps one that it lies inside."""
        return self.start_s < other.end_s and other.start_s < self.end_s

    def contains(self, time_s: float) -> bool:
        """Return True if `start_s <= time_s < end_s`."""
        return self.start_s <= time_s < self.end_s


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Properties of a media file, as probed and verified.

    `duration_s` is None where a stream does not state its length or the asset is no video; `taken_at` is the time of
    capture as a Unix time, None where the file names none, and `date_source` the field of the file that says so;
    `has_video` and `has_audio` say which streams there are; `metadata` are lines of text that the file says about
    itself (`Title: …`).
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
    date_source: str = ""
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """Decoded picture of a video with its presentation time; `time_s` is derived once, from `pts` and `time_base`."""

    pts: int
    time_base: Fraction
    time_s: float
    rgb: Pixels


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Key frame with its visual tokens, the input of a video memory.

    It stands for `frame_count` near-duplicate sampled frames, in `[time_s, end_s)`; `tokens` are `[positions, width]`,
    float32.
    """

    time_s: float
    end_s: float
    frame_count: int
    tokens: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TextLine:
    """Line of extracted text with its place: a subtitle cue, a line on a screen, a line of a page.

    `confidence` is 1.0 where the text was stored as text, not recognised. Lines of one `block` form a paragraph.
    `context` is what stands above a line and says what it is about: title and headings, one a line, the nearest last.
    `cells` are the boxes of the cells of a table's row, which tabs separate in its text. `continuation` is the end of
    its sentence on the next page, where it is the last line of a page.
    """

    text: str
    origin: Origin
    start_s: float | None = None
    end_s: float | None = None
    box: Box | None = None
    confidence: float = 1.0
    block: int = 0
    role: LineRole = LineRole.BODY
    context: str = ""
    cells: tuple[Box, ...] = ()
    continuation: str = ""


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Document page: its upright picture, and the lines of its text layer in reading order.

    `text_layer_reliable` is False where the text layer is missing or poor, so that the page needs OCR. Otherwise
    `unread_regions` are parts of the picture that look like text and that no line covers, `hidden_lines` the indices of
    lines that are not drawn (an OCR layer), `unlikely_lines` those whose letters are unlikely for text. `notes` are
    comments on the page, which its picture may not show.
    """

    number: int
    rgb: Pixels
    lines: tuple[TextLine, ...]
    text_layer_reliable: bool
    unread_regions: tuple[Box, ...] = ()
    hidden_lines: tuple[int, ...] = ()
    unlikely_lines: tuple[int, ...] = ()
    notes: tuple[TextLine, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioSpan:
    """Mono audio from `start_s` on: float32 in [-1, 1], `[samples]`, `sample_rate` in Hz."""

    start_s: float
    sample_rate: int
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PictureRef:
    """Reference to a stored JPEG: `length` bytes at `offset` of the blob `key`.

    `region` is the part of the whole picture that it shows, where it is a tile of it; None: all of it.
    """

    key: str
    offset: int
    length: int
    region: Box | None = None


@dataclass(frozen=True, slots=True)
class LineSpan:
    """Bounding box of the characters `[start, end)` of a segment's text."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Segment:
    """Unit of indexing: a time span of a video, a page or a region of it, or a whole image.

    `ordinal` is unique within the asset. A picture has no text; a text passage refers to the picture that shows it.
    `context` says what the text is about: title, headings, a table's caption and column heads, one a line, the nearest
    last. It is searched with the text, and is no part of a quote.
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
    context: str = ""

    @property
    def span(self) -> TimeSpan | None:
        """Time span of the segment, of zero length where it has no end; None where it has no times."""
        if self.start_s is None:
            return None
        return TimeSpan(self.start_s, self.start_s if self.end_s is None else self.end_s)


@dataclass(frozen=True, slots=True)
class SegmentBatch:
    """Segments of one asset with their embeddings.

    Row i of `vectors[lane]` belongs to segment `rows[lane][i]`, an index into `segments`. A disabled lane is absent.
    """

    segments: tuple[Segment, ...]
    rows: dict[Lane, NDArray[np.int64]]
    vectors: dict[Lane, Vectors]


@dataclass(frozen=True, slots=True)
class AssetTags:
    """Filterable properties of an asset: its kind, its collections, its file date (Unix time)."""

    asset_id: str
    kind: AssetKind
    collections: frozenset[str]
    file_time: float | None = None


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """Search filter over segments; a field that is None does not restrict, an empty set passes nothing.

    `start_s`/`end_s`: the segment's span overlaps `[start_s, end_s)`; segments without a span do not pass.
    `file_after`/`file_before`: Unix times, half-open; assets without a date do not pass.
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
    """Search result of one lane: a segment and its score.

    `score` is a cosine similarity in the vector lanes, the matched share of the query's IDF in the keywords lane.
    """

    asset_id: str
    kind: AssetKind
    lane: Lane
    segment: Segment
    score: float
