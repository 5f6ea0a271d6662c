"""Passages of the documents for training: of packaged files as the product indexes them, of sheets as it cuts lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_documents.archive import open_archive
from benchmarks.real_documents.bed import TRAINING_DATA, Document
from benchmarks.real_documents.fetch import fill_archive
from benchmarks.real_documents.verdicts import read_page
from indexer.ports import SentenceEncoder
from indexer.text.passage import text_with_context
from indexer.text.passages import build_page_passages
from indexer.types import Lane, Origin, Segment, TextLine
from services.catalog.types import Asset
from services.container import Container


@dataclass(frozen=True, slots=True)
class PlacedPassage:
    """A passage of a document of the bed on a page, with its embedding `[dim]`."""

    document: str
    page: int
    segment: Segment
    vector: NDArray[np.float32]


def collect_passages(documents: Sequence[Document], cache: Path) -> list[PlacedPassage]:
    """Return all passages of documents for training, which are fetched and indexed in the cache where they are not."""
    packaged = [document for document in documents if not document.is_sheet]
    names = fill_archive(packaged, cache, "training")
    container = open_archive(cache / "training", names, cache / "home-training", "local")
    passages = [
        passage
        for asset in container.catalog.assets()
        for passage in read_asset(container, asset, names[asset.name].id)
    ]
    encoder = container.models.sentence_encoder
    assert encoder is not None, "the profile names an encoder"
    sheets = [passage for document in documents if document.is_sheet for passage in _cut_sheet(document, encoder)]
    container.close()
    return passages + sheets


def read_asset(container: Container, asset: Asset, document: str) -> Iterator[PlacedPassage]:
    """Yield the passages of an indexed document."""
    manifest = container.artifacts.read_manifest(asset.asset_id, asset.version)
    for batch in container.pipeline.read_batches(manifest):
        # A batch of pictures alone has no texts.
        for row, vector in zip(batch.rows.get(Lane.TEXT, ()), batch.vectors.get(Lane.TEXT, ()), strict=True):
            segment = batch.segments[row]
            yield PlacedPassage(document, read_page(asset, segment), segment, vector)


def _cut_sheet(document: Document, encoder: SentenceEncoder) -> Iterator[PlacedPassage]:
    """Yield the passages of a text file, whose blocks are divided by empty lines."""
    lines, block = [], 0
    for line in (TRAINING_DATA / document.path).read_text("utf-8").splitlines():
        block += not line.strip()
        if line.strip():
            lines.append(TextLine(line, Origin.OCR, block=block))
    passages = build_page_passages(lines, 1)
    vectors = encoder.encode([text_with_context(passage) for passage in passages])
    for ordinal, (passage, vector) in enumerate(zip(passages, vectors, strict=True)):
        segment = Segment(ordinal, passage.origin, page=1, text=passage.text, context=passage.context)
        yield PlacedPassage(document.id, 1, segment, vector)
