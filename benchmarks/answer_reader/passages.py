"""Passages of the documents for training: of packaged files as the product reads them, of sheets as it cuts lines.

What is read of a document is kept in the cache, for this version of the reading and of the encoder.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_documents.bed import TRAINING_DATA, Document
from benchmarks.real_documents.fetch import make_document
from indexer.pipeline.encoding import IndexingSettings
from indexer.pipeline.page_reading import read_page_lines
from indexer.ports import SentenceEncoder
from indexer.text.passage import Passage, text_with_context
from indexer.text.passages import build_page_passages
from indexer.types import Origin, Segment, TextLine
from services.container import Container
from services.settings import load_settings


@dataclass(frozen=True, slots=True)
class PlacedPassage:
    """A passage of a document of the bed on a page, with its embedding `[dim]`."""

    document: str
    page: int
    segment: Segment
    vector: NDArray[np.float32]


def collect_passages(documents: Sequence[Document], cache_folder: Path) -> list[PlacedPassage]:
    """Return all passages of documents for training, which are fetched and read in the cache where they are not.

    As many processes read as there are processors.
    """
    for document in documents:
        if not document.is_sheet:
            make_document(document, cache_folder)
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        parts = pool.map(_read_or_load, documents, [cache_folder] * len(documents))
        return [passage for part in parts for passage in part]


def _read_or_load(document: Document, cache_folder: Path) -> list[PlacedPassage]:
    container = _open_container(cache_folder)
    kept = cache_folder / "training-passages" / container.pipeline.version / f"{document.id}.pickle"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        placed = list(_place(document, container, cache_folder))
        written = kept.with_suffix(f".{os.getpid()}")
        written.write_bytes(pickle.dumps(placed))
        written.replace(kept)
    passages: list[PlacedPassage] = pickle.loads(kept.read_bytes())
    return passages


@cache
def _open_container(cache_folder: Path) -> Container:
    """Return the services of this process, whose models take one processor."""
    settings = load_settings("local").model_copy(update={"home": cache_folder / "home-training", "threads": 1})
    return Container(settings)


def _place(document: Document, container: Container, cache_folder: Path) -> Iterator[PlacedPassage]:
    encoder = container.models.sentence_encoder
    assert encoder is not None, "the profile names an encoder"
    if document.is_sheet:
        yield from _embed(document, _cut_sheet(document), encoder, 0)
        return
    _, page_ocr = container.models.ocr_engines
    ordinal = 0
    for page in container.decoder.read_pages(make_document(document, cache_folder), 1, IndexingSettings().read_page_px):
        passages = build_page_passages(read_page_lines(page, page_ocr), page.number)
        yield from _embed(document, passages, encoder, ordinal)
        ordinal += len(passages)


def _cut_sheet(document: Document) -> list[Passage]:
    """Return the passages of a text file, whose blocks are divided by empty lines."""
    lines, block = [], 0
    for line in (TRAINING_DATA / document.path).read_text("utf-8").splitlines():
        block += not line.strip()
        if line.strip():
            lines.append(TextLine(line, Origin.OCR, block=block))
    return build_page_passages(lines, 1)


def _embed(
    document: Document, passages: Sequence[Passage], encoder: SentenceEncoder, first: int
) -> Iterator[PlacedPassage]:
    """Yield passages with their vectors, numbered from `first` on."""
    vectors = encoder.encode([text_with_context(passage) for passage in passages])
    for ordinal, (passage, vector) in enumerate(zip(passages, vectors, strict=True), first):
        page = passage.page or 1
        segment = Segment(ordinal, passage.origin, page=page, text=passage.text, context=passage.context)
        yield PlacedPassage(document.id, page, segment, vector)
