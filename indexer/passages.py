"""Lines of text made into passages: what is searched, quoted and cited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby

from indexer.sentences import joins_without_space, sentences, words
from indexer.types import Box, LineSpan, Origin, Segment, TextLine

__all__ = ["Passage", "cue_passages", "locate", "page_passages", "screen_passages", "sentences"]

_TINY_WORDS = 8
"""A paragraph of fewer words (a heading, a label) goes with the one that follows."""
_CUE_WORDS = 25
"""A passage of cues this long ends with the sentence."""
_TABLE_ROWS = 4
_CELL = " | "
_SIDEWAYS_CHARS = 4
_SAME_S = 1.0

_BROKEN_WORD = re.compile(r"[^\W\d_][-\u2010\u00ad]$")
_SOFT_HYPHEN_INSIDE = re.compile(r"\u00ad(?!\s*$)")
_ENDS_SENTENCE = re.compile(r"[.!?…。！？｡؟।][\"'”’»)\]」』）]*$")


@dataclass(frozen=True, slots=True)
class Passage:
    """A few sentences that belong together. `lines` tells where each part of `text` stands, `box` is around them."""

    text: str
    origin: Origin
    start_s: float | None = None
    end_s: float | None = None
    page: int | None = None
    box: Box | None = None
    lines: tuple[LineSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class _Flow:
    """Text, and where its parts stand."""

    text: str
    spans: tuple[LineSpan, ...]

    def size(self) -> int:
        return len(words(self.text))

    def cut(self, start: int, end: int) -> _Flow:
        inside = (_narrowed(span, start, end) for span in self.spans)
        spans = tuple(LineSpan(span.start - start, span.end - start, span.box) for span in inside if span is not None)
        return _Flow(self.text[start:end], spans)

    def passage(self, page: int | None, like: TextLine) -> Passage:
        return Passage(self.text, like.origin, like.start_s, like.end_s, page, _around(self.spans), self.spans)


def page_passages(lines: Sequence[TextLine], page: int | None, max_words: int = 80) -> list[Passage]:
    """The paragraphs of a page or picture, in the order of `lines`.

    Hyphenated words are mended. A paragraph above `max_words` is cut where a sentence ends (a longer sentence between
    words); one of fewer than 8 words goes with what follows. A table (a block with tabs in its lines) gives a passage
    for every few rows, one row a line, cells apart by ` | `, each passage beginning with the header.
    """
    passages: list[Passage] = []
    for _, same in groupby((line for line in lines if line.text.strip()), key=lambda line: line.origin):
        of_one_origin = list(same)
        flows = _gathered(_paragraphs(of_one_origin, max_words), max_words)
        passages += [flow.passage(page, replace(of_one_origin[0], start_s=None, end_s=None)) for flow in flows]
    return passages


def screen_passages(lines: Sequence[TextLine]) -> list[Passage]:
    """What stood on the screen together, as one passage: lines of one span `(start_s, end_s)`, paragraph by paragraph,
    each from top to bottom. In order of time."""
    spans: dict[tuple[float, float], list[TextLine]] = {}
    for line in lines:
        if line.text.strip():
            spans.setdefault((line.start_s or 0.0, line.end_s or 0.0), []).append(line)
    passages = []
    for span in sorted(spans):
        together = sorted(spans[span], key=lambda line: line.block)
        paragraphs = [_joined(_top_down(list(block))) for _, block in groupby(together, key=lambda line: line.block)]
        passages.append(_stacked(paragraphs).passage(None, together[0]))
    return passages


def cue_passages(
    lines: Sequence[TextLine], max_gap_s: float = 1.5, max_words: int = 60, max_span_s: float = 30.0
) -> list[Passage]:
    """Cues of subtitles or speech as passages of sentences, in order of time, each from its first cue to its last.

    A passage ends with the sentence once it has 25 words, at a pause above `max_gap_s`, and before it would exceed
    `max_words` or `max_span_s`; a single cue above `max_words` is cut, its time shared out by characters. Tracks (runs
    of cues of one origin and block that do not go back in time) are not mixed; what one repeats of another is left out.
    """
    found: dict[str, list[Passage]] = {}
    for track in _tracks(lines):
        for cues in _grouped(track, max_gap_s, max_words, max_span_s):
            start_s, end_s = cues[0].start_s or 0.0, max(cue.end_s or 0.0 for cue in cues)
            passage = Passage(_spoken(cues), cues[0].origin, start_s, end_s)
            same = found.setdefault(passage.text, [])
            if all(abs((other.start_s or 0.0) - start_s) > _SAME_S for other in same):
                same.append(passage)
    return sorted((p for same in found.values() for p in same), key=lambda p: (p.start_s or 0.0, p.end_s or 0.0))


def locate(segment: Segment, start: int, end: int) -> Box | None:
    """The box around the characters `[start, end)` of a segment's text; None where nothing is known of them.

    Of lines that are covered in part, only the share of the characters counts.
    """
    return _around(tuple(part for span in segment.lines if (part := _narrowed(span, start, end)) is not None))


# Where text stands


def _narrowed(span: LineSpan, start: int, end: int) -> LineSpan | None:
    """The part of a line within `[start, end)`. Lines that stand on their side keep their whole box."""
    first, last = max(span.start, start), min(span.end, end)
    if first >= last:
        return None
    box, length = span.box, span.end - span.start
    width = box.x1 - box.x0
    if length <= _SIDEWAYS_CHARS or width >= box.y1 - box.y0:
        x0 = box.x0 + width * (first - span.start) / length
        x1 = box.x1 - width * (span.end - last) / length
        box = Box(x0, box.y0, x1, box.y1) if x0 < x1 else box
    return LineSpan(first, last, box)


def _around(spans: Sequence[LineSpan]) -> Box | None:
    return reduce(Box.union, (span.box for span in spans)) if spans else None


def _top_down(lines: list[TextLine]) -> list[TextLine]:
    """Lines of one paragraph by rows, each row from left to right."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: line.box.y0 + line.box.y1 if line.box else 0.0):
        middle = (line.box.y0 + line.box.y1) / 2 if line.box else 0.0
        if rows and (above := rows[-1][0].box) is not None and middle < above.y1:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box.x0 if line.box else 0.0)]


# Lines to paragraphs


def _flow(line: TextLine, cells: str = " ") -> _Flow:
    """A line with its space made regular; soft hyphens count only where it ends."""
    written = _SOFT_HYPHEN_INSIDE.sub("", line.text)
    parts = (" ".join(cell.split()) for cell in written.split("\t"))
    text = cells.join(part for part in parts if part)
    return _Flow(text, (LineSpan(0, len(text), line.box),) if line.box else ())


def _joined(lines: Sequence[TextLine]) -> _Flow:
    """Lines as one text: words broken by a hyphen mended, otherwise a space where the script has spaces."""
    parts: list[tuple[str, _Flow]] = []
    for flow in map(_flow, lines):
        before = parts[-1][1] if parts else flow
        if parts and _BROKEN_WORD.search(before.text):
            if flow.text[:1].islower():
                parts[-1] = (parts[-1][0], before.cut(0, len(before.text) - 1))
            parts.append(("", flow))
        else:
            parts.append((_glue(before.text, flow.text) if parts else "", flow))
    return _chained(parts)


def _glue(left: str, right: str) -> str:
    return "" if joins_without_space(left, right) else " "


def _chained(parts: Iterable[tuple[str, _Flow]]) -> _Flow:
    """Flows one after the other, each with what stands before it."""
    texts: list[str] = []
    spans: list[LineSpan] = []
    length = 0
    for glue, flow in parts:
        length += len(glue)
        spans += [LineSpan(span.start + length, span.end + length, span.box) for span in flow.spans]
        length += len(flow.text)
        texts += [glue, flow.text]
    return _Flow("".join(texts), tuple(spans))


def _stacked(flows: Sequence[_Flow]) -> _Flow:
    """Flows one below the other."""
    return _chained(("\n" if i else "", flow) for i, flow in enumerate(flows))


def _paragraphs(lines: Sequence[TextLine], max_words: int) -> Iterator[list[_Flow]]:
    """For each block its text; of a table, its parts."""
    for _, same in groupby(lines, key=lambda line: line.block):
        block = list(same)
        if sum("\t" in line.text for line in block) > 1:
            yield _table(block, max_words)
        else:
            yield [_joined(block)]


def _gathered(blocks: Iterable[list[_Flow]], max_words: int) -> list[_Flow]:
    """Paragraphs of the right size: tiny ones wait for the next, long ones are cut."""
    done: list[_Flow] = []
    waiting: _Flow | None = None
    for block in blocks:
        taken = waiting.size() if waiting else 0
        parts = block if len(block) > 1 else _cut(block[0], max(max_words - taken, max_words // 2, 1), max_words)
        if waiting is not None:
            parts = [_stacked([waiting, parts[0]]), *parts[1:]]
        is_tiny = len(parts) == 1 and block[0].size() < _TINY_WORDS and parts[0].size() < max_words // 2
        waiting = parts.pop() if is_tiny else None
        done += parts
    return [*done, waiting] if waiting is not None else done


def _cut(flow: _Flow, first_words: int, max_words: int) -> list[_Flow]:
    """Pieces of whole sentences, the first of at most `first_words`, the others of at most `max_words`."""
    pieces: list[_Flow] = []
    limit, start, end, taken = first_words, 0, 0, 0
    for begin, finish in _portions(flow.text, min(first_words, max_words)):
        count = len(words(flow.text[begin:finish]))
        if taken and taken + count > limit:
            pieces.append(flow.cut(start, end))
            limit, start, taken = max_words, begin, 0
        end, taken = finish, taken + count
    return [*pieces, flow.cut(start, end)]


def _portions(text: str, max_words: int) -> Iterator[tuple[int, int]]:
    """The sentences; those above `max_words` in portions of that many."""
    for start, end in sentences(text):
        within = words(text[start:end])
        for i in range(0, len(within), max_words):
            some = within[i : i + max_words]
            yield start + some[0][0], start + some[-1][1]


def _table(rows: Sequence[TextLine], max_words: int) -> list[_Flow]:
    """A few rows together, one to a line; a header is repeated as text, but stands where it stands only once."""
    flows = [_flow(row, _CELL) for row in rows]
    header = flows.pop(0) if not any(cell.strip()[:1].isdigit() for cell in rows[0].text.split("\t")) else None
    parts: list[list[_Flow]] = [[]]
    for flow in flows:
        size = sum(row.size() for row in parts[-1]) + flow.size() + (header.size() if header else 0)
        if parts[-1] and (len(parts[-1]) == _TABLE_ROWS or size > max_words):
            parts.append([])
        parts[-1].append(flow)
    if header is not None:
        parts = [[header, *parts[0]], *([_Flow(header.text, ()), *part] for part in parts[1:])]
    return [_stacked(part) for part in parts]


# Cues


def _spoken(cues: Sequence[TextLine]) -> str:
    """Cues as one text; a hyphen at the end of a cue is a pause in speech and stays."""
    flows = [_flow(cue).text for cue in cues]
    return "".join(_glue(flows[i - 1], text) + text if i else text for i, text in enumerate(flows))


def _tracks(lines: Iterable[TextLine]) -> Iterator[list[TextLine]]:
    track: list[TextLine] = []
    for line in lines:
        if not line.text.strip():
            continue
        if track and not _follows(track[-1], line):
            yield track
            track = []
        track.append(line)
    if track:
        yield track


def _follows(before: TextLine, line: TextLine) -> bool:
    of_one_track = (line.origin, line.block) == (before.origin, before.block)
    return of_one_track and (line.start_s or 0.0) >= (before.start_s or 0.0)


def _grouped(
    track: Iterable[TextLine], max_gap_s: float, max_words: int, max_span_s: float
) -> Iterator[list[TextLine]]:
    group: list[TextLine] = []
    taken = 0
    for cue in (part for line in track for part in _shares(line, max_words)):
        count, start_s, end_s = len(words(cue.text)), cue.start_s or 0.0, cue.end_s or 0.0
        if group:
            paused = start_s - max(other.end_s or 0.0 for other in group) > max_gap_s
            full = taken + count > max_words or end_s - (group[0].start_s or 0.0) > max_span_s
            if paused or full or (taken >= _CUE_WORDS and _ENDS_SENTENCE.search(group[-1].text.rstrip())):
                yield group
                group, taken = [], 0
        group.append(cue)
        taken += count
    if group:
        yield group


def _shares(cue: TextLine, max_words: int) -> list[TextLine]:
    """The cue, or if it is too long its pieces, each with the share of the time that its characters take."""
    flow = _flow(cue)
    if flow.size() <= max_words:
        return [cue]
    start_s, end_s = cue.start_s or 0.0, cue.end_s or 0.0
    per_character, at = (end_s - start_s) / len(flow.text), 0
    shares = []
    for piece in _cut(flow, max_words, max_words):
        begin = flow.text.index(piece.text, at)
        at = begin + len(piece.text)
        shares.append(
            replace(cue, text=piece.text, start_s=start_s + begin * per_character, end_s=start_s + at * per_character)
        )
    return shares
