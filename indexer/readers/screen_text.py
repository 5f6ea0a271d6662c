"""The text of a video, followed through its frames, and the text of single pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.ports import TextReader
from indexer.readers.changes import ChangeRule, Changes, simplified
from indexer.readers.reading_order import Rect, paragraphs
from indexer.readers.same_text import alike, part_of, shifted
from indexer.types import Box, Origin, Pixels, TextLine


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """What counts as text, and as the same line.

    Readings below `confidence` or with fewer than `characters` are dropped. A box found anew is an old one where it
    lies within it (to half a line's height) and the old one's pixels do not differ: fewer than `cells` of its cells, a
    tenth of the line's height wide, by more than `difference` of 255. A line that changed is the same line where the
    text is alike and the intersection over union of the boxes is above `near_box`, or it has moved.
    """

    confidence: float = 0.5
    characters: int = 2
    near_box: float = 0.3
    difference: int = 24
    cells: int = 2


@dataclass(slots=True)
class ReadingCounts:
    """How much was done: frames seen, pictures or parts of them searched for text, boxes read."""

    frames: int = 0
    detections: int = 0
    recognised_boxes: int = 0


@dataclass(slots=True)
class _Line:
    """A line on the screen: where it is now, how that looked when it was read, and where its text was read best."""

    rect: Rect
    look: NDArray[np.int16]
    text: str
    confidence: float
    read_at: Rect
    start_s: float
    number: int = 0
    block: int = 0


class ScreenText:
    """Reads the looked-at frames of one video, in order, and reads again only what has changed.

    A line lives from the first frame that shows it to the first that does not. While the pixels of its box stay, it is
    not read again. A line that is read again with small differences, grows or moves stays one line; its text and box
    are those of its best reading: the more confident one of two alike, the longer one where one is part of the other,
    the first for a ticker (what has scrolled half away begins a new line, so that no text is lost). Texts whose digits
    differ are different lines.
    """

    def __init__(
        self, reader: TextReader, reading: ReadingRule | None = None, change: ChangeRule | None = None
    ) -> None:
        self.counts = ReadingCounts()
        self._reader = reader
        self._rule = reading or ReadingRule()
        self._change = change or ChangeRule()
        self._shape = (0, 0)
        self._lines = 0
        self._blocks = 0
        self._live: list[_Line] = []
        self._ended: list[tuple[int, TextLine]] = []
        self._changes = Changes(self._change)

    def see(self, time_s: float, rgb: Pixels) -> None:
        """The next looked-at frame; `time_s` is later than the last one's."""
        self.counts.frames += 1
        if rgb.shape[:2] != self._shape:
            self._end(self._live, time_s)
            self._shape = (rgb.shape[0], rgb.shape[1])
        regions = self._whole_lines(self._changes.regions(rgb))
        lost: list[_Line] = []
        fresh: list[_Line] = []
        for region in regions:
            gone, found = self._look(region, rgb, time_s)
            lost += gone
            fresh += found
        self._changes.looked(regions)
        self._settle(lost, fresh, time_s)

    def lines_until(self, end_s: float) -> list[TextLine]:
        """The lines that have ended by then, by start and reading order; each is given once. What lives, stays."""
        ready = [(number, line) for number, line in self._ended if line.end_s is not None and line.end_s <= end_s]
        self._ended = [pair for pair in self._ended if pair not in ready]
        return [line for _, line in sorted(ready, key=lambda pair: pair[0])]

    def finish(self, end_s: float) -> list[TextLine]:
        """Ends what lives at `end_s` (later than the last frame), gives all lines not given yet, and starts afresh."""
        self._end(self._live, end_s)
        self._changes = Changes(self._change)
        self._shape = (0, 0)
        return self.lines_until(float("inf"))

    def _whole_lines(self, regions: list[Rect]) -> list[Rect]:
        whole = Rect(0, 0, self._shape[1], self._shape[0])
        grown: list[Rect] = []
        for region in regions:
            for line in self._live:
                if line.rect.intersection(region):
                    region = region.union(_widened(line.rect, line.rect.height, whole))
            grown.append(region)
        return simplified(grown, whole, self._change)

    def _look(self, region: Rect, rgb: Pixels, time_s: float) -> tuple[list[_Line], list[_Line]]:
        inside = [line for line in self._live if line.rect.intersection(region)]
        same = [line for line in inside if self._unchanged(line, rgb)]
        kept = {id(line) for line in same}
        unread: list[NDArray[np.float32]] = []
        for quad in self._detect(region, rgb):
            rect = Rect.around(quad)
            if any(_widened(line.rect, line.rect.height // 2, region).contains(rect) for line in same):
                continue
            kept -= {id(line) for line in same if rect.intersection(line.rect) > 0.5 * line.rect.area}
            unread.append(quad)
        return [line for line in inside if id(line) not in kept], self._read(unread, rgb, time_s)

    def _detect(self, region: Rect, rgb: Pixels) -> list[NDArray[np.float32]]:
        self.counts.detections += 1
        part = np.ascontiguousarray(rgb[region.y0 : region.y1, region.x0 : region.x1])
        offset = np.array([region.x0, region.y0], dtype=np.float32)
        found = [quad + offset for quad in self._reader.detect(part)]
        return [quad for quad in found if not self._is_cut(Rect.around(quad), region)]

    def _is_cut(self, rect: Rect, region: Rect) -> bool:
        height, width = self._shape
        return (
            (rect.x0 <= region.x0 + 1 and region.x0 > 0)
            or (rect.y0 <= region.y0 + 1 and region.y0 > 0)
            or (rect.x1 >= region.x1 - 1 and region.x1 < width)
            or (rect.y1 >= region.y1 - 1 and region.y1 < height)
        )

    def _unchanged(self, line: _Line, rgb: Pixels) -> bool:
        differs = np.abs(_look_of(rgb, line.rect) - line.look) > self._rule.difference
        return int(differs.sum()) < self._rule.cells

    def _read(self, quads: Sequence[NDArray[np.float32]], rgb: Pixels, time_s: float) -> list[_Line]:
        if not quads:
            return []
        self.counts.recognised_boxes += len(quads)
        whole = Rect(0, 0, self._shape[1], self._shape[0])
        found: list[_Line] = []
        for quad, (text, confidence) in zip(quads, self._reader.recognise(rgb, np.stack(quads)), strict=True):
            rect = _inside(Rect.around(quad), whole)
            legible = confidence >= self._rule.confidence and len(text.strip()) >= self._rule.characters
            found.append(_Line(rect, _look_of(rgb, rect), text if legible else "", confidence, rect, time_s))
        return found

    def _settle(self, lost: list[_Line], fresh: list[_Line], time_s: float) -> None:
        added: list[_Line] = []
        for line in fresh:
            old = next((old for old in lost if self._continues(old, line)), None)
            if old is None:
                added.append(line)
                continue
            lost.remove(old)
            _adopt(old, line)
        self._end(lost, time_s)
        self._number(added)
        self._live += added

    def _continues(self, old: _Line, new: _Line) -> bool:
        if not old.text or not new.text:
            return False
        if alike(old.text, new.text) and (old.rect.iou(new.rect) > self._rule.near_box or _same_height(old, new)):
            return True
        if not _same_height(old, new):
            return False
        beside = min(old.rect.y1, new.rect.y1) - max(old.rect.y0, new.rect.y0) > 0.5 * old.rect.height
        return part_of(old.text, new.text) or (beside and shifted(old.text, new.text))

    def _number(self, lines: Sequence[_Line]) -> None:
        for group in paragraphs([line.rect for line in lines]):
            self._blocks += 1
            for i in group:
                self._lines += 1
                lines[i].number, lines[i].block = self._lines, self._blocks

    def _end(self, lines: Iterable[_Line], end_s: float) -> None:
        ended = {id(line) for line in lines}
        height, width = self._shape
        for line in self._live:
            if id(line) in ended and line.text:
                box = _box(line.read_at, width, height)
                text = TextLine(line.text, Origin.OCR, line.start_s, end_s, box, line.confidence, line.block)
                self._ended.append((line.number, text))
        self._live = [line for line in self._live if id(line) not in ended]


def read_picture(
    reader: TextReader, rgb: Pixels, origin: Origin = Origin.OCR, rule: ReadingRule | None = None
) -> list[TextLine]:
    """The lines of a single picture or scanned page, paragraph by paragraph, columns of prose one after the other.

    Lines of one paragraph share a `block`, counted from 0.
    """
    rule = rule or ReadingRule()
    quads = reader.detect(rgb)
    readings = reader.recognise(rgb, quads) if len(quads) else []
    legible = [
        (Rect.around(quad), text, confidence)
        for quad, (text, confidence) in zip(quads, readings, strict=True)
        if confidence >= rule.confidence and len(text.strip()) >= rule.characters
    ]
    height, width = rgb.shape[:2]
    return [
        TextLine(text, origin, box=_box(rect, width, height), confidence=confidence, block=block)
        for block, group in enumerate(paragraphs([rect for rect, _, _ in legible]))
        for rect, text, confidence in (legible[i] for i in group)
    ]


def _adopt(old: _Line, new: _Line) -> None:
    grows = len(new.text) > len(old.text) + 1 and part_of(old.text, new.text)
    better = grows or (alike(old.text, new.text) and new.confidence > old.confidence)
    if better:
        old.text, old.confidence, old.read_at = new.text, new.confidence, new.rect
    old.rect, old.look = new.rect, new.look


def _look_of(rgb: Pixels, rect: Rect) -> NDArray[np.int16]:
    """The mean luma of the cells of a box, `[rows, columns]`."""
    part = rgb[rect.y0 : rect.y1, rect.x0 : rect.x1].astype(np.uint16)
    luma = (part[..., 0] + 2 * part[..., 1] + part[..., 2]) >> 2
    cell = min(max(2, rect.height // 10), rect.height, rect.width)
    rows, columns = rect.height // cell, rect.width // cell
    cells = luma[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    return np.asarray(cells.mean(axis=(1, 3)), dtype=np.int16)


def _same_height(a: _Line, b: _Line) -> bool:
    return 0.7 < a.rect.height / b.rect.height < 1.43


def _widened(rect: Rect, by: int, whole: Rect) -> Rect:
    return _inside(Rect(rect.x0 - by, rect.y0 - by, rect.x1 + by, rect.y1 + by), whole)


def _inside(rect: Rect, whole: Rect) -> Rect:
    x0, y0 = min(max(0, rect.x0), whole.x1 - 1), min(max(0, rect.y0), whole.y1 - 1)
    return Rect(x0, y0, max(x0 + 1, min(rect.x1, whole.x1)), max(y0 + 1, min(rect.y1, whole.y1)))


def _box(rect: Rect, width: int, height: int) -> Box:
    inside = _inside(rect, Rect(0, 0, width, height))
    return Box(inside.x0 / width, inside.y0 / height, inside.x1 / width, inside.y1 / height)
