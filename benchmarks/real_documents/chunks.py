"""Plain chunks of the documents' pages: what the baselines search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium

from benchmarks.real_documents.bed import Document

_CHUNK_CHARS = 700
"""Chosen: about 150 words, which the encoders of the baselines take without cutting."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a page's text; `page` counts from 1 in the document as cut."""

    document: str
    page: int
    text: str


def cut_chunks(archive: Path, documents: Mapping[str, Document]) -> list[Chunk]:
    """Return the chunks of all documents in an archive, by name; scans and photographs have none."""
    return [
        Chunk(document.id, page, text)
        for name, document in sorted(documents.items())
        if name.endswith(".pdf")
        for page, page_text in enumerate(_read_pages(archive / name), 1)
        for text in cut_text(page_text)
    ]


def cut_text(text: str) -> Iterator[str]:
    """Yield a text in pieces that end between words where they can."""
    text = " ".join(text.split())
    while text:
        end = len(text) if len(text) <= _CHUNK_CHARS else text.rfind(" ", 1, _CHUNK_CHARS + 1)
        end = _CHUNK_CHARS if end <= 0 else end
        yield text[:end]
        text = text[end:].lstrip()


def _read_pages(path: Path) -> Iterator[str]:
    with pdfium.PdfDocument(path) as pdf:
        for page in pdf:
            text = page.get_textpage()
            yield text.get_text_bounded()
            text.close()
            page.close()
