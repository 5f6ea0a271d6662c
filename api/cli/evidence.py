"""Files of `--save-evidence DIR`: the pictures of results, with their boxes drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from api.cli.console import err, escape_markup
from api.cli.messages import translate as _
from indexer.errors import StorageFull
from indexer.media.jpeg import draw_boxes
from indexer.storage.artifacts import ArtifactStore
from indexer.types import Box, Origin, Segment
from services.answering.types import Sentence
from services.search.types import Moment
from services.summaries.types import Chapter

_MAX_STEM_CHARS = 60
"""Form: keeps file names readable, and far below the 255 bytes of file systems."""


def save_moments(artifacts: ArtifactStore, moments: Sequence[Moment], folder: Path) -> None:
    """Write a JPEG for every result of a search, numbered as the results are."""
    for number, moment in enumerate(moments, 1):
        _save(artifacts, folder, f"{number:02}", moment.asset.name, moment.best_segment, moment.best_segment.box)


def save_answer(artifacts: ArtifactStore, sentences: Sequence[Sentence], folder: Path) -> None:
    """Write a JPEG for every citation of an answer, named by the id of its evidence."""
    for citation in (citation for sentence in sentences for citation in sentence.citations):
        retrieved = citation.evidence.result
        _save(artifacts, folder, citation.evidence.id, retrieved.asset.name, retrieved.segment, citation.box)


def save_chapters(artifacts: ArtifactStore, name: str, chapters: Sequence[Chapter], folder: Path) -> None:
    """Write a JPEG for every chapter that has a key frame, numbered as the chapters are."""
    for number, chapter in enumerate(chapters, 1):
        segment = Segment(-1, Origin.PICTURE, chapter.start_s, chapter.end_s, picture=chapter.key_frame)
        _save(artifacts, folder, f"{number:02}", name, segment, None)


def _save(artifacts: ArtifactStore, folder: Path, label: str, name: str, segment: Segment, box: Box | None) -> None:
    if segment.picture is None:
        return
    region = segment.picture.region
    boxes = [] if box is None or box == region else [box if region is None else box.relative_to(region)]
    data = draw_boxes(artifacts.read_picture(segment.picture), boxes)
    write_picture(folder / f"{label}-{_make_file_name(name, segment)}.jpg", data)


def write_picture(path: Path, data: bytes) -> None:
    """Write a picture and the folder it goes to, and report it. Errors: StorageFull."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise StorageFull(f"{path}: cannot be written ({error.strerror})") from error
    err.print(f"[dim]{_('wrote {path}', path=escape_markup(path))}[/]", soft_wrap=True)


def _make_file_name(name: str, segment: Segment) -> str:
    """Return the file name of a segment's picture: asset, and page or time; no suffix."""
    stem = make_file_stem(name)
    if segment.page is not None:
        return f"{stem}-page-{segment.page}"
    return stem if segment.start_s is None else f"{stem}-{segment.start_s:.1f}s"


def make_file_stem(name: str) -> str:
    """Return an asset's name as a safe beginning of a file name."""
    return re.sub(r"[^\w.-]+", "_", Path(name).stem)[:_MAX_STEM_CHARS]
