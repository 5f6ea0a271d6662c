"""A passage of text with the places of its parts, and what is made of it: cutting, joining, locating."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

from indexer.text.sentences import joins_without_space, split_sentences, split_words
from indexer.types import Box, LineSpan, Origin, Segment, TextLine

_MAX_UPRIGHT_CHARS = 4
"""Chosen: a line this short may be higher than wide and still be horizontal."""
_SOFT_HYPHEN_INSIDE = re.compile(r"\u00ad(?!\s*$)")


@dataclass(frozen=True, slots=True)
class Passage:
    """A few sentences that belong together; `lines` locates the parts of `text`, `box` is their bounding box."""

    text: str
    origin: Origin
    start_s: float | None = None
    end_s: float | None = None
    page: int | None = None
    box: Box | None = None
    lines: tuple[LineSpan, ...] = ()
    context: str = ""


@dataclass(frozen=True, slots=True)
class SpannedText:
    """Text with the boxes of its parts."""

    text: str
    spans: tuple[LineSpan, ...]
    context: str = ""

    def count_words(self) -> int:
        """Return the number of words."""
        return len(split_words(self.text))

    def cut(self, start: int, end: int) -> SpannedText:
        """Return the characters `[start, end)` with their spans, in the same context."""
        clipped = (_clip_span(span, start, end) for span in self.spans)
        spans = tuple(LineSpan(span.start - start, span.end - start, span.box) for span in clipped if span is not None)
        return SpannedText(self.text[start:end], spans, self.context)

    def to_passage(self, page: int | None, template: TextLine) -> Passage:
        """Return the text as a passage with origin and times of `template`."""
        return Passage(
            self.text,
            template.origin,
            template.start_s,
            template.end_s,
            page,
            bounding_box(self.spans),
            self.spans,
            self.context,
        )


def text_with_context(passage: Passage | Segment) -> str:
    """Return what is searched of a passage: the lines of its context that its text does not have, and its text."""
    return "\n".join([*list_context(passage), passage.text])


def list_context(passage: Passage | Segment) -> list[str]:
    """Return the lines of a passage's context that its text does not have: what it is about, the nearest last."""
    own = set(passage.text.splitlines())
    return [line for line in passage.context.splitlines() if line not in own]


def locate_text(segment: Segment, start: int, end: int) -> Box | None:
    """Return the bounding box of the characters `[start, end)` of a segment's text; None where it is unknown.

    A line that is covered in part contributes the covered share of its width.
    """
    return bounding_box(tuple(part for span in segment.lines if (part := _clip_span(span, start, end)) is not None))


def _clip_span(span: LineSpan, start: int, end: int) -> LineSpan | None:
    """Return the part of a line within `[start, end)`; None if empty. Vertical lines keep their whole box."""
    first, last = max(span.start, start), min(span.end, end)
    if first >= last:
        return None
    box, length = span.box, span.end - span.start
    width = box.x1 - box.x0
    if length <= _MAX_UPRIGHT_CHARS or width >= box.y1 - box.y0:
        x0 = box.x0 + width * (first - span.start) / length
        x1 = box.x1 - width * (span.end - last) / length
        box = Box(x0, box.y0, x1, box.y1) if x0 < x1 else box
    return LineSpan(first, last, box)


def bounding_box(spans: Sequence[LineSpan]) -> Box | None:
    """Return the bounding box of spans; None where there are none."""
    return reduce(Box.union, (span.box for span in spans)) if spans else None


def to_spanned_text(line: TextLine, cell_separator: str = " ") -> SpannedText:
    """Return a line with normalized whitespace, without soft hyphens inside it."""
    visible = _SOFT_HYPHEN_INSIDE.sub("", line.text)
    parts = [" ".join(cell.split()) for cell in visible.split("\t")]
    text = cell_separator.join(part for part in parts if part)
    if len(line.cells) == len(parts) and all(parts):
        return SpannedText(text, _cell_spans(parts, line.cells, len(cell_separator)))
    return SpannedText(text, (LineSpan(0, len(text), line.box),) if line.box else ())


def _cell_spans(parts: Sequence[str], boxes: Sequence[Box], separator_chars: int) -> tuple[LineSpan, ...]:
    """Return the places of the cells of a row in its text."""
    ends = list(accumulate(len(part) + separator_chars for part in parts))
    starts = [0, *ends[:-1]]
    return tuple(LineSpan(a, a + len(part), box) for a, part, box in zip(starts, parts, boxes, strict=True))


def separator_between(left: str, right: str) -> str:
    """Return what stands between two joined lines: a space, or nothing in scripts without spaces."""
    return "" if joins_without_space(left, right) else " "


def concatenate(parts: Iterable[tuple[str, SpannedText]]) -> SpannedText:
    """Join pairs of separator and text to one text."""
    texts: list[str] = []
    spans: list[LineSpan] = []
    length = 0
    for separator, part in parts:
        length += len(separator)
        spans += [LineSpan(span.start + length, span.end + length, span.box) for span in part.spans]
        length += len(part.text)
        texts += [separator, part.text]
    return SpannedText("".join(texts), tuple(spans))


def stack(texts: Sequence[SpannedText]) -> SpannedText:
    """Join texts with line breaks."""
    return concatenate(("\n" if i else "", text) for i, text in enumerate(texts))


def split_text(spanned: SpannedText, first_words: int, max_words: int) -> list[SpannedText]:
    """Split a text into pieces of whole sentences, the first of at most `first_words`, the others of `max_words`."""
    pieces: list[SpannedText] = []
    limit, start, end, word_count = first_words, 0, 0, 0
    for begin, finish in _split_long_sentences(spanned.text, min(first_words, max_words)):
        count = len(split_words(spanned.text[begin:finish]))
        if word_count and word_count + count > limit:
            pieces.append(spanned.cut(start, end))
            limit, start, word_count = max_words, begin, 0
        end, word_count = finish, word_count + count
    return [*pieces, spanned.cut(start, end)]


def _split_long_sentences(text: str, max_words: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences; those above `max_words` in portions of that many."""
    for start, end in split_sentences(text):
        words = split_words(text[start:end])
        for i in range(0, len(words), max_words):
            portion = words[i : i + max_words]
            yield start + portion[0][0], start + portion[-1][1]
