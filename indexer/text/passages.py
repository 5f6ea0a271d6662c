"""Passages of pages, pictures and screens: lines of text grouped to the units that are searched, quoted and cited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby

from indexer.text.hangul_words import is_divided_word
from indexer.text.hyphenation import join_at_hyphen, words_of
from indexer.text.line_breaks import CELL, SPACE, find_separators
from indexer.text.list_markers import has_list_marker, has_option, leads_in
from indexer.text.passage import (
    Passage,
    SpannedText,
    concatenate,
    separator_between,
    split_text,
    stack,
    to_spanned_text,
)
from indexer.text.sentences import split_sentences
from indexer.text.table_rows import is_caption, is_table, split_table
from indexer.types import LineRole, TextLine

_MIN_PARAGRAPH_WORDS = 16
"""Measured: shorter paragraphs join the next one of their section; with 8 there are a tenth more passages to encode."""
_MAX_LEAD_CHARS = 200
"""Chosen: characters of a sentence that leads in, or a caption, in the context of what follows; its end says most."""


def build_page_passages(lines: Sequence[TextLine], page: int | None, max_words: int = 80) -> list[Passage]:
    """Build the passages of a page or picture from its lines, paragraph by paragraph, in the order of `lines`.

    Words that are divided at the end of a line are joined. A paragraph above `max_words` is cut where a sentence ends
    (a longer sentence between words); one of fewer than 8 words joins the next one. A table (a block with tabs in its
    lines) becomes a passage for every few rows, one row a line, cells separated by ` | `; its caption and the heads of
    its columns are context of each. A sentence that leads in (it ends with a colon) goes with what follows, and is
    context of the items of a list. The labels of a chart or diagram are a passage of their own. Running lines and lines
    of a table of contents are left out.
    """
    passages: list[Passage] = []
    vocabulary = words_of(line.text for line in lines)
    for _, group in groupby(filter(_belongs_to_passage, lines), key=lambda line: line.origin):
        same_origin = list(group)
        texts = _merge_and_split(_build_blocks(same_origin, max_words, vocabulary), max_words)
        passages += [text.to_passage(page, replace(same_origin[0], start_s=None, end_s=None)) for text in texts]
    return passages


def build_screen_passages(lines: Sequence[TextLine]) -> list[Passage]:
    """Build passages of screen text, in order of time: lines with equal `(start_s, end_s)` are one passage.

    Within a passage paragraphs follow each other, each from top to bottom.
    """
    spans: dict[tuple[float, float], list[TextLine]] = {}
    for line in lines:
        if line.text.strip():
            spans.setdefault((line.start_s or 0.0, line.end_s or 0.0), []).append(line)
    passages = []
    for span in sorted(spans):
        simultaneous = sorted(spans[span], key=lambda line: line.block)
        paragraphs = [
            _join_lines(_sort_by_rows(list(block))) for _, block in groupby(simultaneous, key=lambda line: line.block)
        ]
        passages.append(stack(paragraphs).to_passage(None, simultaneous[0]))
    return passages


def _sort_by_rows(lines: list[TextLine]) -> list[TextLine]:
    """Return the lines of a paragraph sorted by rows, each row from left to right."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: line.box.y0 + line.box.y1 if line.box else 0.0):
        middle = (line.box.y0 + line.box.y1) / 2 if line.box else 0.0
        if rows and (above := rows[-1][0].box) is not None and middle < above.y1:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box.x0 if line.box else 0.0)]


# Lines to paragraphs


def _belongs_to_passage(line: TextLine) -> bool:
    """Return True if a line has text that may be searched and quoted: no running line, none of a table of contents."""
    return bool(line.text.strip()) and line.role not in (LineRole.RUNNING, LineRole.CONTENTS)


def _join_lines(lines: Sequence[TextLine], vocabulary: Set[str] = frozenset()) -> SpannedText:
    """Join lines to one text: divided words are joined, others separated by a space where the script has spaces.

    Lines that end on purpose, and cells of a row, stay apart (`find_separators`). `vocabulary` are the words of the
    page, as `join_at_hyphen` needs them.
    """
    parts: list[tuple[str, SpannedText]] = []
    for line, separator in zip(map(to_spanned_text, lines), ("", *find_separators(lines)), strict=True):
        before = parts[-1][1] if parts else line
        kept = join_at_hyphen(before.text, line.text, vocabulary) if parts and separator != CELL else None
        if kept is None:
            if separator == SPACE:
                joined = is_divided_word(before.text, line.text, vocabulary)
                separator = "" if joined else separator_between(before.text, line.text)
            parts.append((separator, line))
        else:
            parts[-1] = (parts[-1][0], before.cut(0, min(len(kept), len(before.text))))
            parts.append((" " if kept.endswith(" ") else "", line))
    return concatenate(parts)


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph as one text, or a table as several."""

    texts: tuple[SpannedText, ...]
    is_heading: bool = False
    is_item: bool = False
    is_alone: bool = False


def _build_blocks(lines: Sequence[TextLine], max_words: int, vocabulary: Set[str]) -> Iterator[_Block]:
    """Yield the paragraphs and tables; a caption, or what leads in, above a table is part of its context."""
    above = ""
    blocks = [list(group) for _, group in groupby(lines, key=lambda line: line.block)]
    for block, following in zip(blocks, [*blocks[1:], []], strict=True):
        if block[0].role is LineRole.LABEL:
            yield _build_labels(block, above, following, max_words)
            continue
        if is_table(block):
            announced = above if is_caption(above) or leads_in(above) else ""
            context = "\n".join(filter(None, [block[0].context, announced[-_MAX_LEAD_CHARS:]]))
            yield _Block(tuple(split_table(block, context, max_words)))
            above = ""
            continue
        text = replace(_join_lines([*block, *_continuation(block[-1])], vocabulary), context=block[0].context)
        yield _Block((text,), block[0].role is LineRole.HEADING, has_list_marker(text.text) or has_option(text.text))
        above = text.text


def _build_labels(block: Sequence[TextLine], above: str, following: Sequence[TextLine], max_words: int) -> _Block:
    """Return the labels of a drawing, a row a line, as a passage of its own; its caption is context."""
    below = " ".join(line.text for line in following)
    caption = next((text for text in (below, above) if is_caption(text)), "")
    context = "\n".join(filter(None, [block[0].context, caption[:_MAX_LEAD_CHARS]]))
    rows = replace(stack([to_spanned_text(row, CELL) for row in block]), context=context)
    return _Block(tuple(split_text(rows, max_words, max_words)), is_alone=True)


def _continuation(last: TextLine) -> list[TextLine]:
    """Return what a page's last line goes on with on the next page, as a line without a place on this one."""
    return [replace(last, text=last.continuation, box=None, cells=())] if last.continuation else []


class _Merger:
    """Merging of blocks to passages: tiny ones, headings and what leads in go with what follows."""

    def __init__(self, max_words: int) -> None:
        self._max_words = max_words
        self._merged: list[SpannedText] = []
        self._pending: SpannedText | None = None
        self._only_headings = False
        self._ends_with_item = False
        self._lead = ""

    def add(self, block: _Block) -> None:
        """Add the next block."""
        if (block.is_heading and not self._only_headings) or self._ends_list(block):
            self._flush()
        if block.is_alone:
            self._flush()
            self._merged += block.texts
            return
        follows_lead = self._pending is not None and leads_in(self._pending.text)
        if not (block.is_item or follows_lead):
            self._lead = ""
        parts = [self._with_lead(part) for part in self._split(block)]
        if self._pending is not None:
            parts[0] = replace(stack([self._pending, parts[0]]), context=parts[0].context)
        self._merged += parts[:-1]
        self._only_headings = block.is_heading and (self._only_headings or self._pending is None)
        self._pending = parts[-1]
        self._ends_with_item = block.is_item
        if not self._waits(block, parts):
            self._flush()
        if leads_in(parts[-1].text):
            start, end = list(split_sentences(parts[-1].text))[-1]
            self._lead = parts[-1].text[start:end][-_MAX_LEAD_CHARS:]

    def finish(self) -> list[SpannedText]:
        """Return all passages."""
        self._flush()
        return self._merged

    def _ends_list(self, block: _Block) -> bool:
        """Return True if the items that wait are complete: another text follows, or an item that is one too many."""
        if self._pending is None or not self._ends_with_item:
            return False
        waiting = self._pending.count_words()
        if block.is_item:
            return waiting + block.texts[0].count_words() > self._max_words // 2
        return waiting >= _MIN_PARAGRAPH_WORDS

    def _split(self, block: _Block) -> list[SpannedText]:
        """Return a block in parts of the right size; the first leaves room for what waits."""
        if len(block.texts) > 1:
            return list(block.texts)
        waiting = self._pending.count_words() if self._pending else 0
        return split_text(block.texts[0], max(self._max_words - waiting, self._max_words // 2, 1), self._max_words)

    def _with_lead(self, part: SpannedText) -> SpannedText:
        """Return an item of a list with the sentence that leads in as context."""
        return replace(part, context="\n".join(filter(None, [part.context, self._lead])))

    def _waits(self, block: _Block, parts: Sequence[SpannedText]) -> bool:
        """Return True if the last part goes with what follows."""
        announces = leads_in(parts[-1].text) or is_caption(block.texts[0].text)
        if announces and parts[-1].count_words() < self._max_words:
            return True
        is_tiny = len(parts) == 1 and (block.is_item or block.texts[0].count_words() < _MIN_PARAGRAPH_WORDS)
        return is_tiny and parts[0].count_words() < self._max_words // 2

    def _flush(self) -> None:
        """End the passage that waits for more."""
        self._merged += [] if self._pending is None else [self._pending]
        self._pending, self._only_headings, self._ends_with_item = None, False, False


def _merge_and_split(blocks: Iterable[_Block], max_words: int) -> list[SpannedText]:
    """Return passages of the right size: tiny blocks are merged with the next, long ones are split."""
    merger = _Merger(max_words)
    for block in blocks:
        merger.add(block)
    return merger.finish()
