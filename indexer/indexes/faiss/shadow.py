"""Shadow index in a folder, promoted by replacing a symbolic link (decision 0004)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from indexer.errors import StorageFull
from indexer.ports import SegmentIndex
from indexer.storage.folder_blobs import fsync_folder


def ensure_index_folder(folder: Path) -> None:
    """Create the first index folder and the symbolic link to it, if missing. Errors: StorageFull."""
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
    """`ShadowIndex` in folders: `folder` is a symbolic link to the one in use, `folder-STAMP` beside it.

    `open_index` creates an empty index in a folder that does not exist yet.
    """

    def __init__(self, folder: Path, open_index: Callable[[Path], SegmentIndex]) -> None:
        self._folder, self._open_index = folder, open_index
        self._shadow: tuple[Path, SegmentIndex] | None = None

    def create(self) -> SegmentIndex:
        """Create an empty index in a new folder."""
        shadow = self._folder.with_name(f"{self._folder.name}-{time.time_ns()}")
        index = self._open_index(shadow)
        self._shadow = shadow, index
        return index

    def promote(self) -> None:
        """Close the new index, point the link to it by one rename, and delete the other folders.

        Readers of the old one notice at their next search. Errors: ValueError without a shadow index.
        """
        if self._shadow is None:
            raise ValueError("there is no shadow index to promote")
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
