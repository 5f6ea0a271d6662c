"""What a page's lines are, seen beside the pages around it: running lines and tables of contents.

A page is judged with the same few neighbours wherever reading begins, so that a resumed run reads it as an
uninterrupted one does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from indexer.media.pdf.contents_lines import find_contents_lines
from indexer.media.pdf.heading_context import add_context
from indexer.media.pdf.page_breaks import join_over_breaks
from indexer.media.pdf.running_lines import find_running_lines
from indexer.types import DocumentPage, LineRole

PAGE_REACH = 4
"""Chosen: pages before and after that a page is compared with; odd and even pages may have heads of their own, of which
two must be met. More would keep more pictures in memory."""


def add_structure(pages: Iterable[DocumentPage], first_page: int, title: str = "") -> Iterator[DocumentPage]:
    """Yield the pages from number `first_page` on with the roles of their lines and the context of each.

    `title` is that of the document. `pages` begin `PAGE_REACH` pages earlier, or with the first. As many are read
    ahead.
    """
    window: deque[DocumentPage] = deque()
    at = 0
    for page in pages:
        window.append(page)
        if len(window) - at > PAGE_REACH:
            yield from _describe(window, at, first_page, title)
            at = _advance(window, at)
    while at < len(window):
        yield from _describe(window, at, first_page, title)
        at = _advance(window, at)


def _advance(window: deque[DocumentPage], at: int) -> int:
    """Return the place of the next page; drop the page that it is too far from."""
    if at < PAGE_REACH:
        return at + 1
    window.popleft()
    return at


def _describe(window: Sequence[DocumentPage], at: int, first_page: int, title: str) -> Iterator[DocumentPage]:
    """Yield a page of the window with its roles and context, unless it is read for the following ones only."""
    if window[at].number >= first_page:
        before = [_with_roles(window, i) for i in range(max(0, at - PAGE_REACH), at)]
        after = _with_roles(window, at + 1) if at + 1 < len(window) else None
        yield join_over_breaks(add_context(_with_roles(window, at), before, title), before, after)


def _with_roles(window: Sequence[DocumentPage], at: int) -> DocumentPage:
    """Return a page of the window with the roles of its lines."""
    page = window[at]
    neighbours = [other for i, other in enumerate(window) if i != at and abs(i - at) <= PAGE_REACH]
    running = find_running_lines(page, neighbours)
    continues = at > 0 and bool(find_contents_lines(window[at - 1].lines, False))
    contents = find_contents_lines(page.lines, continues)
    roles = dict.fromkeys(contents, LineRole.CONTENTS) | dict.fromkeys(running, LineRole.RUNNING)
    return replace(page, lines=tuple(replace(line, role=roles.get(i, line.role)) for i, line in enumerate(page.lines)))
