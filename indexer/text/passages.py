"""Passage building: lines of text grouped to the units that are searched, quoted and cited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby

from indexer.text.hyphenation import join_at_hyphen, words_of
from indexer.text.sentences import joins_without_space, split_sentences, split_words
from indexer.types import Box, LineRole, LineSpan, Origin, Segment, TextLine

__all__ = [
    "Passage",
    "build_cue_passages",
    "build_page_passages",
    "build_screen_passages",
    "locate_text",
    "split_sentences",
]

_MIN_PARAGRAPH_WORDS = 8
"""Chosen: a paragraph of fewer words (a heading, a label) joins the next one; alone it is hardly found."""
_MIN_CUE_PASSAGE_WORDS = 25
"""Chosen: a passage of cues of this many words ends with its sentence; longer ones locate an answer less exactly."""
_ROWS_PER_TABLE_PASSAGE = 4
"""Chosen: more rows in a passage dilute its embedding, fewer repeat the header more often."""
_CELL_SEPARATOR = " | "
_MAX_UPRIGHT_CHARS = 4
"""Chosen: a line this short may be higher than wide and still be horizontal."""
_DUPLICATE_CUE_S = 1.0
"""Chosen: equal passages of two tracks that begin within this time are one; a longer time would drop repetitions."""

_SOFT_HYPHEN_INSIDE = re.compile(r"\u00ad(?!\s*$)")
_ENDS_SENTENCE = re.compile(r"[.!?…。！？｡؟।][\"'”’»)\]」』）]*$")


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


@dataclass(frozen=True, slots=True)
class _SpannedText:
    """Text with the boxes of its parts."""

    text: str
    spans: tuple[LineSpan, ...]

    def count_words(self) -> int:
        """Return the number of words."""
        return len(split_words(self.text))

    def cut(self, start: int, end: int) -> _SpannedText:
        """Return the characters `[start, end)` with their spans."""
        clipped = (_clip_span(span, start, end) for span in self.spans)
        spans = tuple(LineSpan(span.start - start, span.end - start, span.box) for span in clipped if span is not None)
        return _SpannedText(self.text[start:end], spans)

    def to_passage(self, page: int | None, template: TextLine) -> Passage:
        """Return the text as a passage with origin and times of `template`."""
        return Passage(
            self.text, template.origin, template.start_s, template.end_s, page, _bounding_box(self.spans), self.spans
        )


def build_page_passages(lines: Sequence[TextLine], page: int | None, max_words: int = 80) -> list[Passage]:
    """Build the passages of a page or picture from its lines, paragraph by paragraph, in the order of `lines`.

    Words that are divided at the end of a line are joined. A paragraph above `max_words` is cut where a sentence ends
    (a longer sentence between words); one of fewer than 8 words joins the next one. A table (a block with tabs in its
    lines) becomes a passage for every few rows, one row a line, cells separated by ` | `, each beginning with the
    header. Running lines and lines of a table of contents are left out.
    """
    passages: list[Passage] = []
    vocabulary = words_of(line.text for line in lines)
    for _, group in groupby(filter(_belongs_to_passage, lines), key=lambda line: line.origin):
        same_origin = list(group)
        texts = _merge_and_split(_paragraphs(same_origin, max_words, vocabulary), max_words)
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
        passages.append(_stack(paragraphs).to_passage(None, simultaneous[0]))
    return passages


def build_cue_passages(
    lines: Sequence[TextLine], max_gap_s: float = 1.5, max_words: int = 60, max_span_s: float = 30.0
) -> list[Passage]:
    """Build passages from cues of subtitles or speech, in order of time, each from its first cue to its last.

    A passage ends with its sentence once it has 25 words, at a pause above `max_gap_s`, and before it would exceed
    `max_words` or `max_span_s`; a single cue above `max_words` is cut, its time divided by characters. Tracks (runs of
    cues of one origin and block that do not go back in time) are not mixed; duplicates between tracks are dropped.
    """
    passages_by_text: dict[str, list[Passage]] = {}
    for track in _split_tracks(lines):
        for cues in _group_cues(track, max_gap_s, max_words, max_span_s):
            start_s, end_s = cues[0].start_s or 0.0, max(cue.end_s or 0.0 for cue in cues)
            passage = Passage(_join_cues(cues), cues[0].origin, start_s, end_s)
            equal = passages_by_text.setdefault(passage.text, [])
            if all(abs((other.start_s or 0.0) - start_s) > _DUPLICATE_CUE_S for other in equal):
                equal.append(passage)
    return sorted(
        (p for equal in passages_by_text.values() for p in equal), key=lambda p: (p.start_s or 0.0, p.end_s or 0.0)
    )


def locate_text(segment: Segment, start: int, end: int) -> Box | None:
    """Return the bounding box of the characters `[start, end)` of a segment's text; None where it is unknown.

    A line that is covered in part contributes the covered share of its width.
    """
    return _bounding_box(tuple(part for span in segment.lines if (part := _clip_span(span, start, end)) is not None))


# Boxes of text


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


def _bounding_box(spans: Sequence[LineSpan]) -> Box | None:
    """Return the bounding box of spans; None where there are none."""
    return reduce(Box.union, (span.box for span in spans)) if spans else None


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


def _to_spanned_text(line: TextLine, cell_separator: str = " ") -> _SpannedText:
    """Return a line with normalized whitespace, without soft hyphens inside it."""
    visible = _SOFT_HYPHEN_INSIDE.sub("", line.text)
    parts = (" ".join(cell.split()) for cell in visible.split("\t"))
    text = cell_separator.join(part for part in parts if part)
    return _SpannedText(text, (LineSpan(0, len(text), line.box),) if line.box else ())


def _join_lines(lines: Sequence[TextLine], vocabulary: Set[str] = frozenset()) -> _SpannedText:
    """Join lines to one text: divided words are joined, others separated by a space where the script has spaces.

    `vocabulary` are the words of the page, as `join_at_hyphen` needs them.
    """
    parts: list[tuple[str, _SpannedText]] = []
    for line in map(_to_spanned_text, lines):
        before = parts[-1][1] if parts else line
        kept = join_at_hyphen(before.text, line.text, vocabulary) if parts else None
        if kept is None:
            parts.append((_separator_between(before.text, line.text) if parts else "", line))
        else:
            parts[-1] = (parts[-1][0], before.cut(0, min(len(kept), len(before.text))))
            parts.append((" " if kept.endswith(" ") else "", line))
    return _concatenate(parts)


def _separator_between(left: str, right: str) -> str:
    """Return what stands between two joined lines: a space, or nothing in scripts without spaces."""
    return "" if joins_without_space(left, right) else " "


def _concatenate(parts: Iterable[tuple[str, _SpannedText]]) -> _SpannedText:
    """Join pairs of separator and text to one text."""
    texts: list[str] = []
    spans: list[LineSpan] = []
    length = 0
    for separator, part in parts:
        length += len(separator)
        spans += [LineSpan(span.start + length, span.end + length, span.box) for span in part.spans]
        length += len(part.text)
        texts += [separator, part.text]
    return _SpannedText("".join(texts), tuple(spans))


def _stack(texts: Sequence[_SpannedText]) -> _SpannedText:
    """Join texts with line breaks."""
    return _concatenate(("\n" if i else "", text) for i, text in enumerate(texts))


def _paragraphs(lines: Sequence[TextLine], max_words: int, vocabulary: Set[str]) -> Iterator[list[_SpannedText]]:
    """Yield for each block its text, of a table its parts."""
    for _, group in groupby(lines, key=lambda line: line.block):
        block = list(group)
        if sum("\t" in line.text for line in block) > 1:
            yield _split_table(block, max_words)
        else:
            yield [_join_lines(block, vocabulary)]


def _merge_and_split(blocks: Iterable[list[_SpannedText]], max_words: int) -> list[_SpannedText]:
    """Return paragraphs of the right size: tiny ones are merged with the next, long ones are split."""
    merged: list[_SpannedText] = []
    pending: _SpannedText | None = None
    for block in blocks:
        word_count = pending.count_words() if pending else 0
        parts = (
            block
            if len(block) > 1
            else _split_text(block[0], max(max_words - word_count, max_words // 2, 1), max_words)
        )
        if pending is not None:
            parts = [_stack([pending, parts[0]]), *parts[1:]]
        is_tiny = (
            len(parts) == 1
            and block[0].count_words() < _MIN_PARAGRAPH_WORDS
            and parts[0].count_words() < max_words // 2
        )
        pending = parts.pop() if is_tiny else None
        merged += parts
    return [*merged, pending] if pending is not None else merged


def _split_text(spanned: _SpannedText, first_words: int, max_words: int) -> list[_SpannedText]:
    """Split a text into pieces of whole sentences, the first of at most `first_words`, the others of `max_words`."""
    pieces: list[_SpannedText] = []
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


def _split_table(rows: Sequence[TextLine], max_words: int) -> list[_SpannedText]:
    """Return a table as texts of a few rows, one a line, each with the header; only the first has the header's box."""
    texts = [_to_spanned_text(row, _CELL_SEPARATOR) for row in rows]
    header = texts.pop(0) if not any(cell.strip()[:1].isdigit() for cell in rows[0].text.split("\t")) else None
    parts: list[list[_SpannedText]] = [[]]
    header_words = header.count_words() if header else 0
    for text in texts:
        size = sum(row.count_words() for row in parts[-1]) + text.count_words() + header_words
        if parts[-1] and (len(parts[-1]) == _ROWS_PER_TABLE_PASSAGE or size > max_words):
            parts.append([])
        parts[-1].append(text)
    if header is not None:
        parts = [[header, *parts[0]], *([_SpannedText(header.text, ()), *part] for part in parts[1:])]
    return [_stack(part) for part in parts]


# Cues


def _join_cues(cues: Sequence[TextLine]) -> str:
    """Join cues to one text; a hyphen at the end of a cue is a pause in speech and stays."""
    texts = [_to_spanned_text(cue).text for cue in cues]
    return "".join(_separator_between(texts[i - 1], text) + text if i else text for i, text in enumerate(texts))


def _split_tracks(lines: Iterable[TextLine]) -> Iterator[list[TextLine]]:
    """Yield runs of cues of one origin and block that do not go back in time; empty cues are dropped."""
    track: list[TextLine] = []
    for line in lines:
        if not line.text.strip():
            continue
        if track and not _is_same_track(track[-1], line):
            yield track
            track = []
        track.append(line)
    if track:
        yield track


def _is_same_track(before: TextLine, line: TextLine) -> bool:
    """Return True if a cue continues the track of the one before."""
    has_same_source = (line.origin, line.block) == (before.origin, before.block)
    return has_same_source and (line.start_s or 0.0) >= (before.start_s or 0.0)


def _group_cues(
    track: Iterable[TextLine], max_gap_s: float, max_words: int, max_span_s: float
) -> Iterator[list[TextLine]]:
    """Yield the cues of each passage of a track."""
    group: list[TextLine] = []
    word_count = 0
    for cue in (part for line in track for part in _split_cue(line, max_words)):
        count, start_s, end_s = len(split_words(cue.text)), cue.start_s or 0.0, cue.end_s or 0.0
        if group:
            paused = start_s - max(other.end_s or 0.0 for other in group) > max_gap_s
            full = word_count + count > max_words or end_s - (group[0].start_s or 0.0) > max_span_s
            if (
                paused
                or full
                or (word_count >= _MIN_CUE_PASSAGE_WORDS and _ENDS_SENTENCE.search(group[-1].text.rstrip()))
            ):
                yield group
                group, word_count = [], 0
        group.append(cue)
        word_count += count
    if group:
        yield group


def _split_cue(cue: TextLine, max_words: int) -> list[TextLine]:
    """Return a cue, or its pieces if it is too long, each with the share of time of its characters."""
    spanned = _to_spanned_text(cue)
    if spanned.count_words() <= max_words:
        return [cue]
    start_s, end_s = cue.start_s or 0.0, cue.end_s or 0.0
    per_character, at = (end_s - start_s) / len(spanned.text), 0
    pieces = []
    for piece in _split_text(spanned, max_words, max_words):
        begin = spanned.text.index(piece.text, at)
        at = begin + len(piece.text)
        pieces.append(
            replace(cue, text=piece.text, start_s=start_s + begin * per_character, end_s=start_s + at * per_character)
        )
    return pieces
