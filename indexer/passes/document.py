"""The pass over a document: every page is a checkpoint with its picture and its passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indexer.artifacts import Checkpoint
from indexer.media.process import MediaProcess
from indexer.passages import Passage, page_passages
from indexer.passes.backlog import Backlog, Pending
from indexer.passes.checkpoints import build_checkpoint, whole_picture
from indexer.passes.tools import Encoding, Models, PassSettings, embed_passages
from indexer.readers.screen_text import read_picture
from indexer.stages import Stage
from indexer.types import Origin, Page, TextLine, Vectors


class DocumentPass:
    """Yields a checkpoint for every page, from page `first + 1` on."""

    def __init__(self, media: MediaProcess, models: Models, settings: PassSettings, encode: Stage, read: Stage) -> None:
        self._media, self._models, self._settings = media, models, settings
        self._encode, self._read = encode, read
        self.warnings: tuple[str, ...] = ()

    def checkpoints(self, path: Path, first: int) -> Iterator[Checkpoint]:
        """The pages' checkpoints in order; a page is read while the next one is drawn."""
        backlog = Backlog(2)
        for page in self._media.pages(path, first + 1, self._settings.read_page_px):
            backlog.add(self._begin(page))
            yield from backlog.ready()
        yield from backlog.rest()

    def _begin(self, page: Page) -> Pending:
        encoding = Encoding(self._models.visual, self._encode, 1, self._settings.page_px)
        encoding.add(page.rgb)
        encoded = encoding.close()
        written = self._read.submit(lambda: self._passages(page))

        def result() -> Checkpoint:
            passages, text = written.result()
            return build_checkpoint(page.number - 1, None, 1, [whole_picture(page.number)], encoded(), passages, text)

        return Pending((*encoding.parts, written), result)

    def _passages(self, page: Page) -> tuple[list[Passage], Vectors | None]:
        lines = page.lines
        if not page.trusted:
            lines = self._read_again(page)
        passages = page_passages(lines, page.number)
        return passages, embed_passages(self._models.text, passages)

    def _read_again(self, page: Page) -> tuple[TextLine, ...]:
        if self._models.page_reader is None:
            self.warnings = (*self.warnings, f"page {page.number} is a picture and no text reader is configured")
            return page.lines
        read = tuple(read_picture(self._models.page_reader, page.rgb, Origin.OCR))
        return max(read, page.lines, key=lambda lines: sum(len(line.text) for line in lines))
