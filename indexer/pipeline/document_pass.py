"""Indexing pass over a document: each page becomes a checkpoint with its picture and its text passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.backlog import CheckpointBacklog, PendingCheckpoint
from indexer.pipeline.bounded_stage import BoundedStage
from indexer.pipeline.checkpoint_builder import build_checkpoint, build_picture_segment
from indexer.pipeline.encoding import BatchEncoder, IndexingSettings, ModelSet, embed_passages
from indexer.pipeline.page_reading import needs_ocr, read_page_lines
from indexer.storage.artifacts import Checkpoint
from indexer.text.passage import Passage
from indexer.text.passages import build_page_passages
from indexer.types import DocumentPage, Vectors


class DocumentPass:
    """Indexing pass over a document; `warnings` is complete after the last page."""

    def __init__(
        self,
        media: SandboxedDecoder,
        models: ModelSet,
        settings: IndexingSettings,
        encode_stage: BoundedStage,
        read_stage: BoundedStage,
    ) -> None:
        self._media, self._models, self._settings = media, models, settings
        self._encode_stage, self._read_stage = encode_stage, read_stage
        self.warnings: tuple[str, ...] = ()

    def run(self, path: Path, first_checkpoint: int) -> Iterator[Checkpoint]:
        """Yield the pages' checkpoints in order, from number `first_checkpoint` on.

        OCR of a page overlaps with rendering the next one.
        """
        backlog = CheckpointBacklog(2)
        for page in self._media.read_pages(path, first_checkpoint + 1, self._settings.read_page_px):
            backlog.add(self._start_page(page))
            yield from backlog.pop_ready()
        yield from backlog.drain()

    def _start_page(self, page: DocumentPage) -> PendingCheckpoint:
        encoder = BatchEncoder(
            self._models.visual,
            self._encode_stage,
            1,
            self._settings.page_px,
            large_px=self._settings.read_page_px,
        )
        encoder.add(page.rgb)
        collect_pictures = encoder.close()
        passages_future = self._read_stage.submit(lambda: self._build_passages(page))

        def result() -> Checkpoint:
            passages, text = passages_future.result()
            return build_checkpoint(
                page.number - 1, None, 1, [build_picture_segment(page.number)], collect_pictures(), passages, text
            )

        return PendingCheckpoint((*encoder.futures, passages_future), result)

    def _build_passages(self, page: DocumentPage) -> tuple[list[Passage], Vectors | None]:
        if self._models.page_ocr is None and needs_ocr(page):
            self.warnings = (*self.warnings, f"page {page.number} needs OCR, and no OCR model is configured")
        passages = build_page_passages(read_page_lines(page, self._models.page_ocr), page.number)
        return passages, embed_passages(self._models.text, passages)
