"""One writer below a folder, across the processes of a machine (filelock)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.errors import StorageFull, WriteLockTimeout
from services.ingest.ports import WriteLock


class FileLocks:
    """One writer below `home`, whichever asset it changes: they share one index in one file."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @contextmanager
    def write_lock(self, asset_id: str | None, timeout_s: float = 0.0) -> Iterator[WriteLock]:
        """See `Locks`; IndexBusy names the process that has it."""
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
            with suppress(OSError):  # a full disk: who waits is not told the process, no more
                pid_file.write_text(str(os.getpid()))
            yield _FileWriteLock()
        finally:
            lock.release()


class _FileWriteLock:
    def raise_if_lost(self) -> None:
        """A file that is locked stays so until it is given back."""
