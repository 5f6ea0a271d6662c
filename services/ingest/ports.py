"""Ports of ingestion: write locks on assets and on the whole archive, the observation of folders."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

ChangeCallback: TypeAlias = Callable[[Path], None]
"""Called, in any thread, with a path at which something was made, written, moved or removed."""


class WriteLock(Protocol):
    """A write lock that is held."""

    def raise_if_lost(self) -> None:
        """Raise DatabaseUnavailable if the lock was lost, so that nothing more is written."""
        ...


class Locks(Protocol):
    """Write locks: one writer of an asset at a time. The lock of a process that dies is released."""

    def write_lock(self, asset_id: str | None, timeout_s: float = 0.0) -> AbstractContextManager[WriteLock]:
        """Acquire the lock of an asset (None: of the whole archive), waiting for up to `timeout_s` seconds.

        Not reentrant. Errors: WriteLockTimeout, StorageFull, DatabaseUnavailable.
        """
        ...


class FolderObserver(Protocol):
    """Tells what changes below folders. It may miss changes (behind links, or too many at once); it invents some."""

    def watch(self, folder: Path, on_change: ChangeCallback) -> None:
        """Begin to tell what changes below a folder. Errors: SourceNotFound where it cannot be watched."""
        ...

    def unwatch(self, folder: Path) -> None:
        """Stop telling of a folder; nothing happens where it is not watched."""
        ...

    def close(self) -> None:
        """Stop telling of all folders."""
        ...
