"""`--save-evidence DIR`: the pictures that prove a result, their boxes drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from api.cli.console import err, escape_markup
from indexer.errors import StorageFull
from indexer.media.jpeg import draw_boxes
from indexer.storage.artifacts import ArtifactStore
from indexer.types import Box, Origin, Segment
from services.answering.types import Sentence
from services.search.types import Moment
from services.summaries.types import Chapter


def save_moments(artifacts: ArtifactStore, moments: Sequence[Moment], folder: Path) -> None:
    """A JPEG for every result, numbered as the results are."""
    for number, moment in enumerate(moments, 1):
        _save(artifacts, folder, f"{number:02}", moment.asset.name, moment.best_segment, moment.best_segment.box)


def save_answer(artifacts: ArtifactStore, sentences: Sequence[Sentence], folder: Path) -> None:
    """A JPEG for every citation, under the id of its evidence."""
    for citation in (c for sentence in sentences for c in sentence.citations):
        retrieved = citation.evidence.result
        _save(artifacts, folder, citation.evidence.id, retrieved.asset.name, retrieved.segment, citation.box)


def save_chapters(artifacts: ArtifactStore, name: str, chapters: Sequence[Chapter], folder: Path) -> None:
    """A JPEG for every chapter that shows something, numbered as they are."""
    for number, chapter in enumerate(chapters, 1):
        segment = Segment(-1, Origin.PICTURE, chapter.start_s, chapter.end_s, picture=chapter.key_frame)
        _save(artifacts, folder, f"{number:02}", name, segment, None)


def _save(artifacts: ArtifactStore, folder: Path, label: str, name: str, segment: Segment, box: Box | None) -> None:
    if segment.picture is None:
        return
    data = draw_boxes(artifacts.read_picture(segment.picture), [] if box is None else [box])
    write_picture(folder / f"{label}-{_make_file_name(name, segment)}.jpg", data)


def write_picture(path: Path, data: bytes) -> None:
    """Write a picture, its folder too, and say so. Errors: StorageFull."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise StorageFull(f"{path}: cannot be written ({error.strerror})") from error
    err.print(f"[dim]wrote {escape_markup(path)}[/]", soft_wrap=True)


def _make_file_name(name: str, segment: Segment) -> str:
    where = f"page-{segment.page}" if segment.page is not None else f"{segment.start_s or 0:.1f}s"
    stem = make_file_stem(name)
    return f"{stem}-{where}" if segment.page is not None or segment.start_s is not None else stem


def make_file_stem(name: str) -> str:
    """An asset's name as the beginning of a file's."""
    return re.sub(r"[^\w.-]+", "_", Path(name).stem)[:60]
