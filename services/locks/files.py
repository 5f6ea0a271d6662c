"""One writer below a folder, across the processes of a machine (filelock)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.errors import IndexBusy, StorageFull
from services.ports import Held


class FileLocks:
    """One writer below `home`, whichever asset it changes: they share one index in one file."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @contextmanager
    def writing(self, asset_id: str | None, patience_s: float = 0.0) -> Iterator[Held]:
        """See `Locks`; IndexBusy names the process that has it."""
        lock, note = FileLock(self._home / "write.lock"), self._home / "write.pid"
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=max(0.0, patience_s))
        except Timeout as error:
            holder = note.read_text() if note.exists() else "?"
            raise IndexBusy(f"process {holder} is writing to {self._home}; try again when it is done") from error
        except OSError as error:
            raise StorageFull(f"{self._home} cannot be written to ({error.strerror})") from error
        try:
            with suppress(OSError):  # a full disk: who waits is not told the process, no more
                note.write_text(str(os.getpid()))
            yield _Held()
        finally:
            lock.release()


class _Held:
    def check(self) -> None:
        """A file that is locked stays so until it is given back."""
