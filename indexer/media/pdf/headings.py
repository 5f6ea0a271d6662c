"""Headings of a page by how they are set: larger than the text, or bold lines of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from unicodedata import combining

import numpy as np
from numpy.typing import NDArray

from indexer.media.pdf.columns import display_width
from indexer.media.pdf.glyphs import Glyphs
from indexer.text.list_markers import has_option
from indexer.text.table_rows import is_caption
from indexer.types import LineRole, TextLine

_LARGER = 1.15
"""Chosen: a line higher than the usual one by this factor is larger; accents and parentheses change a line by less."""
_LARGER_AS_READ = 1.4
"""Chosen: the same for lines that OCR found, whose boxes are a quarter higher where letters reach up and down."""
_MIN_ROW_OVERLAP = 0.5
"""Chosen: share of the smaller height that two boxes of one row overlap."""
_BOLD_SHARE = 0.8
"""Chosen: share of a line's characters in bold fonts; a number or symbol in a heading may be in another."""
_MAX_CHARS = 120
"""Chosen: longer blocks are text, however they are set."""
_MIN_WIDE_FACTOR = 1.5
"""Form: display width over characters of a line half of which are wide."""
_MIN_USUAL_CHARS = 100
"""Chosen: characters that tell the usual height of wide or narrow lines; fewer may all be headings."""
_MIN_LETTER_SHARE = 0.6
"""Chosen: share of letters in a heading; formulas have fewer."""
_MAX_LINES = 3
"""Chosen: headings of more lines are rare, and short paragraphs are not."""
_MIN_TITLE_CHARS = 4
"""Chosen: shorter titles in metadata say nothing."""
_NO_TITLE = re.compile(r"^untitled|^microsoft |\.(?:dvi|docx?|odt|tex|indd|pdf|ps|html?|pptx?|xlsx?)$", re.IGNORECASE)
"""Source: what word processors and printers write where the author gave no title."""
_SECTION_NUMBER = re.compile(r"(?P<number>(?:[1-9]\d{0,2}|[A-Z])(?:\.\d{1,3}){0,5})[.)]?(?=[\s\t])")
_SECTION_WORD = re.compile(
    r"(?:chapter|kapitel|chapitre|cap[ií]tulo|глава|part|teil|제\s*\d+\s*[장절]|第.{1,4}[章节節])", re.IGNORECASE
)
_VALUE = re.compile(r"[\d.,:/\-\s]*\d[\d.,:/\-\s]*[%€$£¥₩]?")
_AMOUNT = re.compile(r"[€$£¥₩]\s*\d|\d\s*[€£¥₩%]|(?<![\d.])\d[\d.,]*[.,]\d\d(?![\d.])")
"""Amounts, dates and times may be set as large as headings."""


def mark_headings(lines: Sequence[TextLine], glyphs: Glyphs) -> tuple[TextLine, ...]:
    """Return lines with the role of headings where they are some; a heading is a block of its own.

    A row of cells that is bold, above rows that are not, has the role too: it has the heads of the columns.
    """
    bold = _bold_lines(lines, glyphs)
    return _mark(lines, _split_where_changed(lines, bold), bold, _relative_heights(lines) > _LARGER)


def mark_read_headings(lines: Sequence[TextLine]) -> tuple[TextLine, ...]:
    """Return lines that OCR read, with the role of headings where they are much larger than the others.

    A heading is a block of its own, and stands alone in its row.
    """
    larger = (_relative_heights(lines) > _LARGER_AS_READ) & _alone_in_row(lines)
    return _mark(lines, _split_where_changed(lines, larger), np.zeros(len(lines), np.bool_), larger)


def _mark(
    lines: Sequence[TextLine], blocks: Sequence[Sequence[int]], bold: NDArray[np.bool_], larger: NDArray[np.bool_]
) -> tuple[TextLine, ...]:
    """Return lines with their blocks and the role of headings, by which of them are bold and which are larger."""
    marked: list[TextLine] = []
    for number, block in enumerate(blocks):
        texts = [lines[i].text for i in block]
        following = blocks[number + 1] if number + 1 < len(blocks) else []
        if lines[block[0]].role is LineRole.LABEL:
            heads = set[int]()
        elif "\t" in texts[0] and not _SECTION_NUMBER.match(texts[0]):
            heads = _bold_rows(block, bold)
        else:
            is_larger = all(larger[i] for i in block)
            is_bold = all(bold[i] for i in block) and bool(following) and not all(bold[i] for i in following)
            heads = set(block) if (is_larger or is_bold) and _may_be_heading(texts, is_larger) else set()
        marked += [
            replace(lines[i], block=number, role=LineRole.HEADING if i in heads else lines[i].role) for i in block
        ]
    return tuple(marked)


def heading_rank(line: TextLine) -> tuple[float, int]:
    """Return what tells the level of a heading: its height, and the depth of its number (0: none)."""
    height = 0.0 if line.box is None else line.box.y1 - line.box.y0
    number = _SECTION_NUMBER.match(line.text)
    return height, number["number"].count(".") + 1 if number else 0


def is_title(text: str) -> bool:
    """Return True if the title in a file's metadata is one: not the name of a file or program, nor a few letters."""
    return _MIN_TITLE_CHARS <= len(text) <= _MAX_CHARS and _NO_TITLE.search(text) is None and text.isprintable()


def find_title(lines: Sequence[TextLine]) -> str:
    """Return the largest heading of a first page; empty where none is larger than the others are."""
    blocks = {line.block: line for line in lines if line.role is LineRole.HEADING and "\t" not in line.text}
    if not blocks:
        return ""
    largest = max(blocks.values(), key=lambda line: heading_rank(line)[0])
    return " ".join(line.text for line in lines if line.block == largest.block)


def _may_be_heading(texts: Sequence[str], is_larger: bool) -> bool:
    """Return True if a block reads like a heading: short, of words, without the end of a sentence."""
    text = " ".join(texts)
    if len(texts) > _MAX_LINES or display_width(text) > _MAX_CHARS or not _is_of_letters(text):
        return False
    if is_caption(text) or _has_value(text) or "=" in text or text.rstrip().endswith((",", ";", ":", "،")):
        return False
    if _SECTION_NUMBER.match(text) or _SECTION_WORD.match(text):
        return True
    if "\t" in text or not (text[0].isalpha() or text[0] in "\"'“„«¿¡「『【§0123456789"):
        return False
    return is_larger or (len(texts) == 1 and not text[0].islower() and not text.rstrip().endswith((".", "。", "!")))


def _is_of_letters(text: str) -> bool:
    """Return True if most characters of a text, without the number of its section, are letters."""
    number = _SECTION_NUMBER.match(text)
    rest = "".join((text[number.end() :] if number else text).split())
    letters = sum(character.isalpha() or combining(character) > 0 for character in rest)
    return letters > 1 and letters >= _MIN_LETTER_SHARE * len(rest)


def _has_value(text: str) -> bool:
    """Return True if a text, without the number of its section, is or has an amount."""
    number = _SECTION_NUMBER.match(text)
    rest = text[number.end() :] if number else text
    return _VALUE.fullmatch(text) is not None or _AMOUNT.search(rest) is not None


def _bold_rows(block: Sequence[int], bold: NDArray[np.bool_]) -> set[int]:
    """Return the bold rows at the top of a table; none where all of several are bold."""
    heads = 0
    while heads < len(block) and bold[block[heads]]:
        heads += 1
    return set(block[:heads]) if heads < len(block) or len(block) == 1 else set()


def _split_where_changed(lines: Sequence[TextLine], stands_out: NDArray[np.bool_]) -> list[list[int]]:
    """Return the indices of each block, cut where lines that stand out end and others begin, or the other way round."""
    blocks: list[list[int]] = []
    for i, line in enumerate(lines):
        same_block = bool(blocks) and lines[i - 1].block == line.block
        has_cells = "\t" in line.text or (same_block and "\t" in lines[i - 1].text)
        explains_option = same_block and has_option(lines[i - 1].text)
        if same_block and (has_cells or explains_option or stands_out[i - 1] == stands_out[i]):
            blocks[-1].append(i)
        else:
            blocks.append([i])
    return blocks


def _bold_lines(lines: Sequence[TextLine], glyphs: Glyphs) -> NDArray[np.bool_]:
    """Return which lines are set in bold fonts, `[lines]`."""
    result = np.zeros(len(lines), dtype=np.bool_)
    if not glyphs.bold_fonts:
        return result
    is_bold = np.isin(glyphs.fonts, list(glyphs.bold_fonts))
    centres = (glyphs.boxes[:, :2] + glyphs.boxes[:, 2:]) / 2
    drawn = (glyphs.fonts >= 0) & (glyphs.boxes[:, 2] > glyphs.boxes[:, 0])
    order = np.flatnonzero(drawn)[np.argsort(centres[drawn, 1], kind="stable")]
    heights = centres[order, 1]
    for i, line in enumerate(lines):
        if line.box is None:
            continue
        near = order[np.searchsorted(heights, line.box.y0) : np.searchsorted(heights, line.box.y1)]
        inside = near[(centres[near, 0] >= line.box.x0) & (centres[near, 0] <= line.box.x1)]
        result[i] = bool(inside.size) and is_bold[inside].mean() >= _BOLD_SHARE
    return result


def _relative_heights(lines: Sequence[TextLine]) -> NDArray[np.float64]:
    """Return the heights of lines, `[lines]`, in those that are usual on their page for letters of their width."""
    heights = _heights(lines)
    usual = {
        wide: _usual_height([i for i, line in enumerate(lines) if _is_wide(line) is wide], lines, heights)
        for wide in (False, True)
    }
    relative = [height / (usual[_is_wide(line)] or 1.0) for line, height in zip(lines, heights, strict=True)]
    return np.array(relative, np.float64)


def _alone_in_row(lines: Sequence[TextLine]) -> NDArray[np.bool_]:
    """Return which lines have no other one beside them, `[lines]`."""
    boxes = np.array([(0.0, 0.0) if line.box is None else (line.box.y0, line.box.y1) for line in lines]).reshape(-1, 2)
    top, bottom = boxes.T
    shared = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    beside = shared > _MIN_ROW_OVERLAP * np.minimum.outer(bottom - top, bottom - top)
    alone: NDArray[np.bool_] = beside.sum(axis=1) <= 1
    return alone


def _heights(lines: Sequence[TextLine]) -> list[float]:
    """Return the heights of lines as shares of the page; those that stand on their side have none."""
    return [
        0.0
        if line.box is None or (line.box.y1 - line.box.y0 > line.box.x1 - line.box.x0 and len(line.text) > 4)
        else line.box.y1 - line.box.y0
        for line in lines
    ]


def _is_wide(line: TextLine) -> bool:
    """Return True if most of a line is in East Asian wide characters, whose fonts have higher boxes."""
    return display_width(line.text) > _MIN_WIDE_FACTOR * len(line.text)


def _usual_height(chosen: Sequence[int], lines: Sequence[TextLine], heights: Sequence[float]) -> float:
    """Return the height of the lines that hold most characters of a page, of all lines where few are chosen."""
    few = sum(len(lines[i].text) for i in chosen) < _MIN_USUAL_CHARS
    weighted = sorted((heights[i], len(lines[i].text)) for i in (range(len(lines)) if few else chosen) if heights[i])
    total, passed = sum(count for _, count in weighted), 0
    for height, count in weighted:
        passed += count
        if passed * 2 >= total:
            return height
    return 0.0
