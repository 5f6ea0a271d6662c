"""Text tracking: lines of OCR text followed through the frames of a video; OCR of single pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.ocr.change_detection import ChangeDetector, ChangeSettings, simplify_regions
from indexer.ocr.reading_order import Rect, group_paragraphs, measure_slope, straighten
from indexer.ocr.text_similarity import is_fragment, is_same, is_scrolled
from indexer.ports import OcrEngine
from indexer.types import Box, Origin, Pixels, TextLine

_MIN_HEIGHT_RATIO, _MAX_HEIGHT_RATIO = 0.7, 1.43
"""Chosen: ratio of heights of one line read twice; detection varies by some pixels, other text mostly by more."""


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """Thresholds of OCR and of line identity.

    A detected box is an old one if it lies within it (to half a line's height) and the old one's pixels have not
    changed: fewer than `min_changed_cells` of its cells, a tenth of the line's height wide, differ. A line that changed
    is the same line if its text is alike and its box overlaps the old one or has moved.
    """

    min_confidence: float = 0.5
    """Source: rapidocr, its default `text_score`; readings of lower confidence are dropped."""
    min_characters: int = 2
    """Chosen: single characters are mostly misread graphics; single digits and letters are lost with them."""
    min_iou: float = 0.3
    """Chosen: intersection over union of the boxes of one line; detection moves edges, lines apart do not overlap."""
    cell_difference: int = 24
    """Chosen: change of luma, of 255, that counts; lower counts compression noise, higher misses faint text."""
    min_changed_cells: int = 2
    """Chosen: changed cells that cause a line to be read again; more would miss a changed digit."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A line that OCR read: its place in pixels, its text, and the confidence in it, in [0, 1].

    `slope` is by how many pixels the line falls for each to the right, `line_height` its height across its direction.
    """

    rect: Rect
    text: str
    confidence: float
    slope: float = 0.0
    line_height: float = 0.0


@dataclass(slots=True)
class OcrStats:
    """Counters of OCR work: frames, runs of the detector, boxes read by the recognizer."""

    frames: int = 0
    detections: int = 0
    recognized_boxes: int = 0


@dataclass(slots=True)
class _TrackedLine:
    """Line on the screen: its current box, that box's luma when it was read, and box and text of its best reading."""

    rect: Rect
    appearance: NDArray[np.int16]
    text: str
    confidence: float
    best_rect: Rect
    start_s: float
    number: int = 0
    block: int = 0


class TextTracker:
    """Tracker of the text lines of one video; only regions that changed are read again.

    A line lasts from the first frame that shows it to the first that does not. While its pixels stay, it is not read
    again. A line that is read again with small differences, grows or moves remains one line; its text and box are those
    of its best reading: the more confident of two alike, the longer where one is a fragment of the other, the first for
    a ticker (text that has scrolled half away begins a new line, so that none is lost). Lines whose digits differ are
    different lines.
    """

    def __init__(
        self, engine: OcrEngine, settings: OcrSettings | None = None, change_settings: ChangeSettings | None = None
    ) -> None:
        self.stats = OcrStats()
        self._engine = engine
        self._settings = settings or OcrSettings()
        self._change_settings = change_settings or ChangeSettings()
        self._shape = (0, 0)
        self._line_count = 0
        self._block_count = 0
        self._active: list[_TrackedLine] = []
        self._inactive: list[tuple[int, TextLine]] = []
        self._change_detector = ChangeDetector(self._change_settings)

    def update(self, time_s: float, rgb: Pixels) -> None:
        """Read the next sampled frame; `time_s` must be later than that of the last one."""
        self.stats.frames += 1
        if rgb.shape[:2] != self._shape:
            self._end_lines(self._active, time_s)
            self._shape = (rgb.shape[0], rgb.shape[1])
        regions = self._extend_to_lines(self._change_detector.detect(rgb))
        old_lines: list[_TrackedLine] = []
        new_lines: list[_TrackedLine] = []
        for region in regions:
            replaced, read = self._reread_region(region, rgb, time_s)
            old_lines += replaced
            new_lines += read
        self._change_detector.mark_read(regions)
        self._match_lines(old_lines, new_lines, time_s)

    def pop_lines_until(self, end_s: float) -> list[TextLine]:
        """Return and remove the lines that have ended by `end_s`, by start and reading order."""
        ready = [(number, line) for number, line in self._inactive if line.end_s is not None and line.end_s <= end_s]
        self._inactive = [pair for pair in self._inactive if pair not in ready]
        return [line for _, line in sorted(ready, key=lambda pair: pair[0])]

    def finish(self, end_s: float) -> list[TextLine]:
        """End all lines at `end_s` (later than the last frame), return those not returned yet, and reset."""
        self._end_lines(self._active, end_s)
        self._change_detector = ChangeDetector(self._change_settings)
        self._shape = (0, 0)
        return self.pop_lines_until(float("inf"))

    def _extend_to_lines(self, regions: list[Rect]) -> list[Rect]:
        """Return changed regions extended to all of the lines that they touch, merged where they overlap."""
        whole = Rect(0, 0, self._shape[1], self._shape[0])
        extended: list[Rect] = []
        for region in regions:
            for line in self._active:
                if line.rect.intersection_area(region):
                    region = region.union(_expand(line.rect, line.rect.height, whole))
            extended.append(region)
        return simplify_regions(extended, whole, self._change_settings)

    def _reread_region(self, region: Rect, rgb: Pixels, time_s: float) -> tuple[list[_TrackedLine], list[_TrackedLine]]:
        """Return the old lines of a region whose pixels changed, and the lines read there now."""
        inside = [line for line in self._active if line.rect.intersection_area(region)]
        unchanged = [line for line in inside if self._is_unchanged(line, rgb)]
        unchanged_ids = {id(line) for line in unchanged}
        unread: list[NDArray[np.float32]] = []
        for quad in self._detect(region, rgb):
            rect = Rect.around(quad)
            if any(_expand(line.rect, line.rect.height // 2, region).contains(rect) for line in unchanged):
                continue
            covered = (line for line in unchanged if rect.intersection_area(line.rect) > 0.5 * line.rect.area)
            unchanged_ids -= {id(line) for line in covered}
            unread.append(quad)
        return [line for line in inside if id(line) not in unchanged_ids], self._recognize_lines(unread, rgb, time_s)

    def _detect(self, region: Rect, rgb: Pixels) -> list[NDArray[np.float32]]:
        """Return the text boxes of a region in pixels of the frame, without those that its edge cuts off."""
        self.stats.detections += 1
        part = np.ascontiguousarray(rgb[region.y0 : region.y1, region.x0 : region.x1])
        offset = np.array([region.x0, region.y0], dtype=np.float32)
        quads = [quad + offset for quad in self._engine.detect(part)]
        return [quad for quad in quads if not self._is_clipped(Rect.around(quad), region)]

    def _is_clipped(self, rect: Rect, region: Rect) -> bool:
        """Return True if a box touches an edge of its region that is not an edge of the frame."""
        height, width = self._shape
        return (
            (rect.x0 <= region.x0 + 1 and region.x0 > 0)
            or (rect.y0 <= region.y0 + 1 and region.y0 > 0)
            or (rect.x1 >= region.x1 - 1 and region.x1 < width)
            or (rect.y1 >= region.y1 - 1 and region.y1 < height)
        )

    def _is_unchanged(self, line: _TrackedLine, rgb: Pixels) -> bool:
        """Return True if the pixels of a line look as they did when it was read."""
        differs = np.abs(_cell_luma(rgb, line.rect) - line.appearance) > self._settings.cell_difference
        return int(differs.sum()) < self._settings.min_changed_cells

    def _recognize_lines(self, quads: Sequence[NDArray[np.float32]], rgb: Pixels, time_s: float) -> list[_TrackedLine]:
        """Return the lines read from text boxes, those that are not legible with an empty text."""
        if not quads:
            return []
        self.stats.recognized_boxes += len(quads)
        whole = Rect(0, 0, self._shape[1], self._shape[0])
        lines: list[_TrackedLine] = []
        for quad, (text, confidence) in zip(quads, self._engine.recognize(rgb, np.stack(quads)), strict=True):
            rect = _clamp(Rect.around(quad), whole)
            legible = confidence >= self._settings.min_confidence and len(text.strip()) >= self._settings.min_characters
            lines.append(_TrackedLine(rect, _cell_luma(rgb, rect), text if legible else "", confidence, rect, time_s))
        return lines

    def _match_lines(self, old_lines: list[_TrackedLine], new_lines: list[_TrackedLine], time_s: float) -> None:
        """Update old lines that were read again, end those that are gone, and add new ones."""
        added: list[_TrackedLine] = []
        for line in new_lines:
            old = next((old for old in old_lines if self._is_same_line(old, line)), None)
            if old is None:
                added.append(line)
                continue
            old_lines.remove(old)
            _update_line(old, line)
        self._end_lines(old_lines, time_s)
        self._number_lines(added)
        self._active += added

    def _is_same_line(self, old: _TrackedLine, new: _TrackedLine) -> bool:
        """Return True if a reading continues an old line: read again, moved, grown or scrolled."""
        if not old.text or not new.text:
            return False
        if is_same(old.text, new.text) and (old.rect.iou(new.rect) > self._settings.min_iou or _same_height(old, new)):
            return True
        if not _same_height(old, new):
            return False
        beside = min(old.rect.y1, new.rect.y1) - max(old.rect.y0, new.rect.y0) > 0.5 * old.rect.height
        return is_fragment(old.text, new.text) or (beside and is_scrolled(old.text, new.text))

    def _number_lines(self, lines: Sequence[_TrackedLine]) -> None:
        """Assign numbers in reading order and blocks by paragraph to the legible lines; others are never returned."""
        legible = [line for line in lines if line.text]
        for group in group_paragraphs([line.rect for line in legible]):
            self._block_count += 1
            for i in group:
                self._line_count += 1
                legible[i].number, legible[i].block = self._line_count, self._block_count

    def _end_lines(self, lines: Iterable[_TrackedLine], end_s: float) -> None:
        """End lines at `end_s`; legible ones become text lines."""
        ended_ids = {id(line) for line in lines}
        height, width = self._shape
        for line in self._active:
            if id(line) in ended_ids and line.text:
                box = _to_box(line.best_rect, width, height)
                text = TextLine(line.text, Origin.OCR, line.start_s, end_s, box, line.confidence, line.block)
                self._inactive.append((line.number, text))
        self._active = [line for line in self._active if id(line) not in ended_ids]


def recognize_text(
    engine: OcrEngine, rgb: Pixels, origin: Origin = Origin.OCR, settings: OcrSettings | None = None
) -> list[TextLine]:
    """Read the lines of a single picture or scanned page, in reading order.

    Lines of one paragraph share a `block`, counted from 0.
    """
    readings = read_rects(engine, rgb, settings or OcrSettings())
    return order_readings(readings, rgb.shape[1], rgb.shape[0], origin)


def read_rects(engine: OcrEngine, rgb: Pixels, settings: OcrSettings) -> list[Reading]:
    """Read the legible lines of a picture, with their places in pixels."""
    quads = engine.detect(rgb)
    readings = engine.recognize(rgb, quads) if len(quads) else []
    return [
        Reading(Rect.around(quad), text, confidence, *measure_slope(quad))
        for quad, (text, confidence) in zip(quads, readings, strict=True)
        if confidence >= settings.min_confidence and len(text.strip()) >= settings.min_characters
    ]


def order_readings(readings: Sequence[Reading], width: int, height: int, origin: Origin) -> list[TextLine]:
    """Return lines of a picture of `width` x `height` pixels in reading order, with the paragraph of each."""
    slopes = [(reading.slope, reading.line_height) for reading in readings]
    paragraphs = group_paragraphs(straighten([reading.rect for reading in readings], slopes))
    return [
        TextLine(
            readings[i].text,
            origin,
            box=_to_box(readings[i].rect, width, height),
            confidence=readings[i].confidence,
            block=block,
        )
        for block, group in enumerate(paragraphs)
        for i in group
    ]


def _update_line(old: _TrackedLine, new: _TrackedLine) -> None:
    """Update a line with a new reading; its text changes only if the reading is better."""
    grows = len(new.text) > len(old.text) + 1 and is_fragment(old.text, new.text)
    better = grows or (is_same(old.text, new.text) and new.confidence > old.confidence)
    if better:
        old.text, old.confidence, old.best_rect = new.text, new.confidence, new.rect
    old.rect, old.appearance = new.rect, new.appearance


def _cell_luma(rgb: Pixels, rect: Rect) -> NDArray[np.int16]:
    """Return the mean luma of the cells of a box, `[rows, columns]`."""
    part = rgb[rect.y0 : rect.y1, rect.x0 : rect.x1].astype(np.uint16)
    luma = (part[..., 0] + 2 * part[..., 1] + part[..., 2]) >> 2
    cell = min(max(2, rect.height // 10), rect.height, rect.width)
    rows, columns = rect.height // cell, rect.width // cell
    cells = luma[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    return np.asarray(cells.mean(axis=(1, 3)), dtype=np.int16)


def _same_height(a: _TrackedLine, b: _TrackedLine) -> bool:
    """Return True if two lines differ in height by less than about 40 %."""
    return _MIN_HEIGHT_RATIO < a.rect.height / b.rect.height < _MAX_HEIGHT_RATIO


def _expand(rect: Rect, by: int, whole: Rect) -> Rect:
    """Return a rectangle grown by `by` pixels on all sides, within `whole`."""
    return _clamp(Rect(rect.x0 - by, rect.y0 - by, rect.x1 + by, rect.y1 + by), whole)


def _clamp(rect: Rect, whole: Rect) -> Rect:
    """Return the part of a rectangle within `whole`, at least one pixel wide and high."""
    x0, y0 = min(max(0, rect.x0), whole.x1 - 1), min(max(0, rect.y0), whole.y1 - 1)
    return Rect(x0, y0, max(x0 + 1, min(rect.x1, whole.x1)), max(y0 + 1, min(rect.y1, whole.y1)))


def _to_box(rect: Rect, width: int, height: int) -> Box:
    """Return a rectangle as fractions of the picture."""
    inside = _clamp(rect, Rect(0, 0, width, height))
    return Box(inside.x0 / width, inside.y0 / height, inside.x1 / width, inside.y1 / height)
