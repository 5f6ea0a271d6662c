"""Context of a page's lines: the title of the document and the headings above them, those of pages before included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from indexer.media.pdf.headings import heading_rank
from indexer.types import DocumentPage, LineRole, TextLine

_MAX_HEADINGS = 2
"""Chosen: the nearest headings that are context; more would outweigh the text in its embedding."""
_SAME_SIZE = 1.05
"""Chosen: headings within this factor are of one size; boxes vary with accents and descenders."""
_SAME_SIZE_AS_READ = 1.25
"""Chosen: the same for lines that OCR found, whose boxes are as high as their letters."""


@dataclass(frozen=True, slots=True)
class _Heading:
    """A heading with what tells its level."""

    text: str
    height: float
    depth: int

    def is_above(self, other: _Heading, same_size: float) -> bool:
        """Return True if a heading that follows is part of this one's section, by their numbers, else by their size.

        A chapter without a number is above its numbered sections, even in their size.
        """
        if self.depth and other.depth:
            return self.depth < other.depth
        if other.depth > 1 and self.height * same_size >= other.height:
            return True
        return self.height > same_size * other.height


def add_context(page: DocumentPage, before: Sequence[DocumentPage], title: str) -> DocumentPage:
    """Return a page whose lines have their context; `before` are the pages before it, in order."""
    path: list[_Heading] = []
    for other in before:
        for block in _blocks(other.lines):
            path = _enter(path, block, _SAME_SIZE)
    return replace(page, lines=tuple(_add_headings(page.lines, path, title, _SAME_SIZE)))


def add_own_context(lines: Sequence[TextLine]) -> list[TextLine]:
    """Return lines that OCR read of a page or picture, with the headings among them as their context."""
    return _add_headings(lines, [], "", _SAME_SIZE_AS_READ)


def _add_headings(lines: Sequence[TextLine], path: list[_Heading], title: str, same_size: float) -> list[TextLine]:
    """Return lines with their context: the title, and the headings, of `path` and their own, that they are below."""
    result: list[TextLine] = []
    for block in _blocks(lines):
        below = _enter(path, block, same_size)
        path = [heading for heading in below if heading in path] if below is not path else path
        result += [replace(line, context=_format(title, path)) for line in block]
        path = below
    return result


def _blocks(lines: Iterable[TextLine]) -> list[list[TextLine]]:
    """Return the lines block by block."""
    return [list(block) for _, block in groupby(lines, key=lambda line: line.block)]


def _enter(path: list[_Heading], block: Sequence[TextLine], same_size: float) -> list[_Heading]:
    """Return the headings above what follows a block: those before it, or, of a heading, those above it and itself."""
    height, depth = heading_rank(block[0])
    is_table = any("\t" in line.text for line in block[1:]) or ("\t" in block[0].text and not depth)
    if block[0].role is not LineRole.HEADING or is_table:
        return path
    heading = _Heading(" ".join(" ".join(line.text.split()) for line in block), height, depth)
    above = path
    while above and not above[-1].is_above(heading, same_size):
        above = above[:-1]
    return [*above, heading]


def _format(title: str, path: Sequence[_Heading]) -> str:
    """Return title and nearest headings, one a line, without those that repeat the title."""
    headings = [heading.text for heading in path if heading.text.casefold() not in title.casefold()]
    return "\n".join(filter(None, [title, *headings[-_MAX_HEADINGS:]]))
