"""A segment index made beside the one in use, in folders: a new folder, and a link that moves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from indexer.errors import StorageFull
from indexer.ports import SegmentIndex
from indexer.storage.folder_blobs import fsync_folder


def ensure_index_folder(folder: Path) -> None:
    """Make the first index folder, and the link that names it, where there is none. Errors: StorageFull."""
    if folder.exists():
        return
    first = folder.with_name(f"{folder.name}-0")
    try:
        first.mkdir(parents=True, exist_ok=True)
        folder.unlink(missing_ok=True)
        folder.symlink_to(first.name)
    except OSError as error:
        raise StorageFull(f"{folder} cannot be made ({error.strerror})") from error


class FolderShadow:
    """`ShadowIndex` by a link: `folder` is the link that names the folder in use, others lie beside it as
    `folder-STAMP`. `open_index` makes an empty index in a folder that is not there yet."""

    def __init__(self, folder: Path, open_index: Callable[[Path], SegmentIndex]) -> None:
        self._folder, self._open_index = folder, open_index
        self._shadow: tuple[Path, SegmentIndex] | None = None

    def create(self) -> SegmentIndex:
        shadow = self._folder.with_name(f"{self._folder.name}-{time.time_ns()}")
        index = self._open_index(shadow)
        self._shadow = shadow, index
        return index

    def promote(self) -> None:
        """Point the link to the new folder: one rename. Readers of the old one notice at their next search."""
        if self._shadow is None:
            raise ValueError("there is no shadow to swap in")
        (shadow, index), self._shadow = self._shadow, None
        index.close()
        link = self._folder.with_name(f"{self._folder.name}.new")
        link.unlink(missing_ok=True)
        link.symlink_to(shadow.name)
        link.replace(self._folder)
        fsync_folder(self._folder.parent)
        for folder in self._folder.parent.glob(f"{self._folder.name}-*"):
            if folder.name != shadow.name:
                shutil.rmtree(folder, ignore_errors=True)
