"""What goes on over the end of a page: a sentence, or a table whose heads stand on a page before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from indexer.text.hyphenation import join_at_hyphen
from indexer.text.list_markers import has_list_marker, has_option
from indexer.text.sentences import joins_without_space, split_sentences
from indexer.text.table_rows import column_heads, is_caption
from indexer.types import DocumentPage, LineRole, TextLine

_MAX_CARRIED_CHARS = 400
"""Chosen: characters of a sentence that are carried over a page's end; longer ones are no sentences."""
_MIN_BODY_HEIGHT = 0.9
"""Chosen: lower lines than this share of those of the next page are notes at the foot of a page."""
_FULL_LINE = 0.95
"""Chosen: a line that reaches this far to the right edge of the text is full; the last one of a paragraph rarely is."""
_SAME_EDGE = 0.01
"""Chosen: columns of two pages are the same if their edges differ by this share of the width."""
_MIN_SAME_COLUMNS = 0.6
"""Chosen: share of the columns of a table that are the same on the next page; cells are empty or of other widths."""
_ENDS_SENTENCE = re.compile(r"[.!?:;…。！？：；।][\"'”’»)\]」』）]*$")


def join_over_breaks(page: DocumentPage, before: Sequence[DocumentPage], after: DocumentPage | None) -> DocumentPage:
    """Return a page whose last sentence has its end on the next page, whose first one knows its beginning.

    The first table of the page has the heads, and caption, that it has on a page before as context.
    """
    blocks = _body_blocks(page)
    lines = list(page.lines)
    if blocks and after is not None and (lower := _body_blocks(after)) and _goes_on(blocks[-1], lower[0]):
        at = lines.index(blocks[-1][-1])
        lines[at] = replace(lines[at], continuation=_first_sentence(_join(lower[0])))
    extra = _carried_context(blocks, before) if blocks and before else ""
    if extra:
        block = blocks[0][0].block
        lines = [
            replace(line, context="\n".join(filter(None, [line.context, extra]))) if line.block == block else line
            for line in lines
        ]
    return replace(page, lines=tuple(lines))


def _carried_context(blocks: Sequence[list[TextLine]], before: Sequence[DocumentPage]) -> str:
    """Return what the first block of a page needs of the pages before it: a sentence's beginning, or column heads."""
    upper = _body_blocks(before[-1])
    if not upper:
        return ""
    if _goes_on(upper[-1], blocks[0]):
        return _last_sentence(_join(upper[-1]))
    return "" if not blocks[0][0].cells or column_heads(blocks[0]) else _heads_of(blocks[0], before)


def _heads_of(table: Sequence[TextLine], before: Sequence[DocumentPage]) -> str:
    """Return caption and column heads of a table that begins on a page before; empty where it does not."""
    for page in reversed(before):
        blocks = _body_blocks(page)
        if not blocks or not _has_same_columns(blocks[-1], table):
            return ""
        last = blocks[-1]
        heads = column_heads([*last, *table] if len(last) == 1 else last)
        if heads:
            above = _join(blocks[-2]) if len(blocks) > 1 else ""
            caption = [above] if is_caption(above) else []
            return "\n".join([*caption, *(" | ".join(head.split("\t")) for head in heads)])
        if len(blocks) > 1:
            return ""
    return ""


def _has_same_columns(upper: Sequence[TextLine], lower: Sequence[TextLine]) -> bool:
    """Return True if most cells of a table's row begin or end where those of another page's table do."""
    above, below = upper[-1].cells, lower[0].cells
    if not above or not below:
        return False
    same = sum(any(min(abs(a.x0 - b.x0), abs(a.x1 - b.x1)) <= _SAME_EDGE for a in above) for b in below)
    return same > 1 and same >= _MIN_SAME_COLUMNS * len(below)


def _body_blocks(page: DocumentPage) -> list[list[TextLine]]:
    """Return the blocks of a page that are text: no running lines, none of a table of contents, no labels."""
    body = (line for line in page.lines if line.role in (LineRole.BODY, LineRole.HEADING) and line.box)
    return [list(block) for _, block in groupby(body, key=lambda line: line.block)]


def _goes_on(upper: Sequence[TextLine], lower: Sequence[TextLine]) -> bool:
    """Return True if a sentence goes on from the last block of a page to the first of the next one."""
    last, first = upper[-1], lower[0]
    is_text = all(line.role is LineRole.BODY and "\t" not in line.text for line in (last, first))
    if not is_text or _ENDS_SENTENCE.search(last.text.rstrip()) or last.box is None or first.box is None:
        return False
    right = max(line.box.x1 for line in lower if line.box)
    if last.box.x1 < _FULL_LINE * right or has_list_marker(first.text) or has_option(first.text):
        return False
    if last.box.y1 - last.box.y0 < _MIN_BODY_HEIGHT * (first.box.y1 - first.box.y0):
        return False
    return first.text[:1].islower() or joins_without_space(last.text, first.text)


def _join(lines: Sequence[TextLine]) -> str:
    """Return lines as one text."""
    text = ""
    for line in lines:
        own = " ".join(line.text.split())
        kept = join_at_hyphen(text, own, frozenset()) if text else None
        separator = "" if not text or kept is not None or joins_without_space(text, own) else " "
        text = (text if kept is None else kept) + separator + own
    return text


def _first_sentence(text: str) -> str:
    """Return the beginning of a text up to the end of its first sentence."""
    start, end = next(iter(split_sentences(text)))
    return text[start:end][:_MAX_CARRIED_CHARS]


def _last_sentence(text: str) -> str:
    """Return the last sentence of a text."""
    start, end = list(split_sentences(text))[-1]
    return text[start:end][-_MAX_CARRIED_CHARS:]
