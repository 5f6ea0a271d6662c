"""Write locks among the processes of one machine: a lock file in the home folder (filelock)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.errors import ReadOnlyArchive, StorageFull, WriteLockTimeout
from indexer.storage.read_only import is_read_only
from services.ingest.ports import WriteLock


class FileLocks:
    """One writer per home, whichever asset it changes: all assets share one index file."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @contextmanager
    def write_lock(self, asset_id: str | None, timeout_s: float = 0.0) -> Iterator[WriteLock]:
        """Acquire the lock, whatever the asset (`services.ingest.ports.Locks`); a timeout names the holder.

        Errors: also ReadOnlyArchive.
        """
        if is_read_only(self._home):
            raise ReadOnlyArchive
        lock, pid_file = FileLock(self._home / "write.lock"), self._home / "write.pid"
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=max(0.0, timeout_s))
        except Timeout as error:
            holder = pid_file.read_text() if pid_file.exists() else "?"
            raise WriteLockTimeout(f"process {holder} is writing to {self._home}; try again when it is done") from error
        except OSError as error:
            raise StorageFull(f"{self._home} cannot be written to ({error.strerror})") from error
        try:
            with suppress(OSError):  # on a full disk the error of a waiter lacks the process id, no more
                pid_file.write_text(str(os.getpid()))
            yield _FileWriteLock()
        finally:
            lock.release()


class _FileWriteLock:
    def raise_if_lost(self) -> None:
        """Do nothing: a file lock cannot be lost while its process lives."""
