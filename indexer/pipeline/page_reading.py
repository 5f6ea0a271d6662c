"""Reading of a document page: its text layer where it is to be trusted, OCR where it is not or where there is none.

Trust is a matter of regions and lines, not of pages: a scan may have a digital stamp, a digital page a screenshot.
A page is judged by itself, so that a resumed run reads it as an uninterrupted one does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from statistics import mean
from unicodedata import combining, normalize

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.heading_context import add_own_context
from indexer.media.pdf.headings import mark_read_headings
from indexer.ocr.text_tracking import recognize_text
from indexer.ports import OcrEngine
from indexer.text.letter_statistics import is_unlikely, main_script, script_of
from indexer.types import Box, DocumentPage, Origin, Pixels, TextLine

_WHOLE_PAGE_SHARE = 0.4
"""Chosen: regions of more than this share of a page are read as the whole page, which then costs no more."""
_WARNED_SHARE = 0.1
"""Chosen: without OCR, regions of more than this share of a page are worth a warning; less is a small figure."""
_MIN_COVERED_SHARE = 0.5
"""Chosen: a recognised line is the layer's own if its lines cover this share of it; edges of boxes vary by less."""
_CHECKED_LINES = 3
"""Chosen: doubtful lines of a page that are compared with the picture, the longest; fewer differ by chance."""
_MIN_CHECKED_CHARS = 12
"""Chosen: shorter lines agree or differ by chance."""
_MIN_CONFIDENCE = 0.8
"""Chosen: OCR that is less sure of a line says nothing against the text layer."""
_MIN_MATCH = 3
"""Chosen: characters in a row that count as agreement; shorter ones match by chance."""
_MIN_HIDDEN_AGREEMENT = 0.75
"""Chosen: share of the recognised characters that a hidden layer must have too; about one error in eight characters."""
_MIN_SHARED_WORDS = 0.6
"""Chosen: the same by whole words of a page; one error in eight characters spoils more than half of the words."""
_MIN_DRAWN_AGREEMENT = 0.4
"""Chosen: the same for text that is drawn; a wrong character map agrees in nothing, while codes are easily misread."""
_MIN_REREAD_SHARE = 0.5
"""Chosen: OCR replaces lines only with this share of their characters; with fewer it has read something else."""
_READABLE_SCRIPTS = {"LATIN", "CJK"}
"""Chosen: scripts in which a reading may count against a text layer; engines read others as letters that look alike."""


def read_page_lines(page: DocumentPage, engine: OcrEngine | None) -> tuple[TextLine, ...]:
    """Return the lines of a page: those of its text layer that are to be trusted, then recognised ones, then its notes.

    Without an engine the text layer is all there is.
    """
    if engine is None:
        return (*page.lines, *page.notes)
    if not page.text_layer_reliable:
        return (*_choose_reading(read_picture_lines(engine, page.rgb), page.lines), *page.notes)
    whole = _read_whole(page, engine) if _is_whole_read(page) else None
    refuted = _refuted_lines(page, engine, whole)
    trusted = tuple(line for i, line in enumerate(page.lines) if i not in refuted)
    if refuted:
        whole = whole or _read_whole(page, engine)
        if _length(_outside_of(trusted, whole)) < _MIN_REREAD_SHARE * (_length(page.lines) - _length(trusted)):
            trusted = page.lines
    recognized = _outside_of(trusted, _recognize_regions(engine, page) if whole is None else whole)
    if page.hidden_lines:
        recognized = _not_said_in(trusted, recognized)
    return (*trusted, *_with_blocks_after(trusted, recognized), *page.notes)


def read_picture_lines(engine: OcrEngine, rgb: Pixels) -> list[TextLine]:
    """Return the lines that OCR reads of a scanned page or a picture, below the headings that are among them."""
    return add_own_context(mark_read_headings(recognize_text(engine, rgb, Origin.OCR)))


def needs_ocr(page: DocumentPage) -> bool:
    """Return True if much of a page cannot be read without OCR: its layer is poor, or much of it is a picture."""
    return not page.text_layer_reliable or _area(page.unread_regions) > _WARNED_SHARE


# Regions


def _is_whole_read(page: DocumentPage) -> bool:
    """Return True if a page is read as a whole: its regions are most of it, or an OCR layer misses some of them."""
    return bool(page.hidden_lines and page.unread_regions) or _area(page.unread_regions) > _WHOLE_PAGE_SHARE


def _read_whole(page: DocumentPage, engine: OcrEngine) -> list[TextLine]:
    """Read the whole picture of a page."""
    return read_picture_lines(engine, page.rgb)


def _recognize_regions(engine: OcrEngine, page: DocumentPage) -> list[TextLine]:
    """Read the regions of a page that no line covers, one after the other."""
    lines: list[TextLine] = []
    for region in page.unread_regions:
        read = _recognize_region(engine, page.rgb, region)
        lines += _with_blocks_after(lines, read)
    return lines


def _recognize_region(engine: OcrEngine, rgb: Pixels, region: Box) -> list[TextLine]:
    """Read a region of a picture; the boxes of its lines are fractions of the whole picture."""
    height, width = rgb.shape[:2]
    x0, y0 = int(region.x0 * width), int(region.y0 * height)
    crop = np.ascontiguousarray(rgb[y0 : int(np.ceil(region.y1 * height)), x0 : int(np.ceil(region.x1 * width))])
    if not crop.size:
        return []
    across, down = crop.shape[1] / width, crop.shape[0] / height
    left, top = x0 / width, y0 / height
    return [
        replace(
            line,
            box=Box(
                left + line.box.x0 * across,
                top + line.box.y0 * down,
                min(1.0, left + line.box.x1 * across),
                min(1.0, top + line.box.y1 * down),
            ),
        )
        for line in recognize_text(engine, crop, Origin.OCR)
        if line.box is not None
    ]


def _outside_of(trusted: Sequence[TextLine], recognized: Sequence[TextLine]) -> list[TextLine]:
    """Return the recognised lines that are not those of the text layer, by their place."""
    boxes = [line.box for line in trusted if line.box is not None]
    return [
        line
        for line in recognized
        if line.box is None or sum(_shared(line.box, b) for b in boxes) < _MIN_COVERED_SHARE * _area([line.box])
    ]


def _not_said_in(trusted: Sequence[TextLine], recognized: Sequence[TextLine]) -> list[TextLine]:
    """Return the recognised lines whose text is not part of the layer, where its places are not exact."""
    said = _folded(" ".join(line.text for line in trusted))
    return [line for line in recognized if _folded(line.text) not in said]


def _shared(a: Box, b: Box) -> float:
    """Return the area that two boxes share."""
    return max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0)) * max(0.0, min(a.y1, b.y1) - max(a.y0, b.y0))


def _area(boxes: Sequence[Box]) -> float:
    """Return the summed area of boxes."""
    return sum((box.x1 - box.x0) * (box.y1 - box.y0) for box in boxes)


def _with_blocks_after(before: Sequence[TextLine], lines: Sequence[TextLine]) -> list[TextLine]:
    """Return lines with blocks that follow those of others."""
    first = max((line.block for line in before), default=-1) + 1
    return [replace(line, block=first + line.block) for line in lines]


# Doubts


def _refuted_lines(page: DocumentPage, engine: OcrEngine, whole: Sequence[TextLine] | None) -> set[int]:
    """Return the indices of lines that the picture contradicts: a bad OCR layer, or a wrong character map.

    `whole` are the recognised lines of the page, where it has been read.
    """
    refuted: set[int] = set()
    hidden, unlikely = set(page.hidden_lines), set(page.unlikely_lines)
    if hidden and (
        _is_refuted(page, hidden, engine, _MIN_HIDDEN_AGREEMENT) if whole is None else _differs(page, hidden, whole)
    ):
        refuted |= hidden
    if unlikely - refuted and _is_refuted(page, unlikely, engine, _MIN_DRAWN_AGREEMENT):
        refuted |= unlikely
    return refuted


def _is_refuted(page: DocumentPage, doubtful: Collection[int], engine: OcrEngine, min_agreement: float) -> bool:
    """Return True if OCR is sure of the longest doubtful lines, and reads other text there that is likely."""
    lines = [line for i, line in enumerate(page.lines) if i in doubtful and line.box is not None]
    legible = [line for line in lines if len(_folded(line.text)) >= _MIN_CHECKED_CHARS]
    checked = sorted(legible, key=lambda line: len(line.text))[-_CHECKED_LINES:]
    if not checked:
        return False
    height, width = page.rgb.shape[:2]
    readings = engine.recognize(page.rgb, np.stack([_quad(line, width, height) for line in checked]))
    if mean(confidence for _, confidence in readings) < _MIN_CONFIDENCE:
        return False
    if not _can_judge(" ".join(text for text, _ in readings), " ".join(line.text for line in checked)):
        return False
    agreements = [_agreement(read, line.text) for (read, _), line in zip(readings, checked, strict=True)]
    return mean(agreements) < min_agreement


def _differs(page: DocumentPage, hidden: Collection[int], whole: Sequence[TextLine]) -> bool:
    """Return True if the recognised words of a page are sure, and hardly any are those of its hidden lines.

    Either may have only a part of the page, so the share of the one that has more of the other counts.
    """
    layer = " ".join(line.text for i, line in enumerate(page.lines) if i in hidden)
    reading = " ".join(line.text for line in whole)
    if not whole or mean(line.confidence for line in whole) < _MIN_CONFIDENCE or not _can_judge(reading, layer):
        return False
    return max(_share_of_words_in(reading, layer), _share_of_words_in(layer, reading)) < _MIN_SHARED_WORDS


def _share_of_words_in(text: str, other: str) -> float:
    """Return the share of a text's longer words, by their letters, that another has; 1 where there are none."""
    words = [word for word in map(_folded, text.split()) if len(word) > _MIN_MATCH]
    found = _folded(other)
    return sum(len(word) for word in words if word in found) / sum(map(len, words)) if words else 1.0


def _can_judge(reading: str, layer: str) -> bool:
    """Return True if a reading may count against a layer: it is likely text, of a script that the engine reads.

    A layer of another script must be unlikely by itself to be doubted.
    """
    script = main_script(reading)
    if script not in _READABLE_SCRIPTS or is_unlikely(reading):
        return False
    return is_unlikely(layer) or (script == main_script(layer) and _kana_share(layer) <= 2 * _kana_share(reading))


def _kana_share(text: str) -> float:
    """Return the share of kana among the characters of a text."""
    return sum(script_of(character) in ("HIRAGANA", "KATAKANA") for character in text) / max(1, len(text))


def _agreement(reading: str, layer: str) -> float:
    """Return the share of a reading that stands in the layer, in runs of characters, without spaces and accents.

    A reading may be part of the line: boxes of hidden text are often too narrow.
    """
    read, text = _folded(reading), _folded(layer)
    blocks = SequenceMatcher(None, read, text, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= _MIN_MATCH) / max(1, len(read))


def _folded(text: str) -> str:
    """Return the letters and digits of a text, without case and accents."""
    return "".join(c for c in normalize("NFKD", text.casefold()) if c.isalnum() and not combining(c))


def _quad(line: TextLine, width: int, height: int) -> NDArray[np.float32]:
    """Return the box of a line as a quadrilateral in pixels, `[4, 2]`, clockwise from the upper left."""
    box = line.box or Box(0.0, 0.0, 1.0, 1.0)
    corners = ((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1))
    return np.array([(x * width, y * height) for x, y in corners], dtype=np.float32)


# Poor layers


def _choose_reading(recognized: Sequence[TextLine], layer: Sequence[TextLine]) -> Sequence[TextLine]:
    """Return recognised lines or those of a poor layer, whichever are longer.

    A layer in a script of which nothing was recognised is kept, with what was recognised beside it.
    """
    script = main_script(" ".join(line.text for line in layer))
    read = {script_of(character) for line in recognized for character in line.text}
    if script and script not in _READABLE_SCRIPTS | read:
        return [*layer, *_with_blocks_after(layer, _outside_of(layer, recognized))]
    return max(recognized, layer, key=_length)


def _length(lines: Sequence[TextLine]) -> int:
    """Return the number of characters of lines."""
    return sum(len(line.text) for line in lines)
