"""One writer at a time, across processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.errors import IndexBusy, StorageFull


@contextmanager
def writing(home: Path) -> Iterator[None]:
    """Hold the right to change what is below `home`; IndexBusy names the process that has it."""
    lock, note = FileLock(home / "write.lock"), home / "write.pid"
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        holder = note.read_text() if note.exists() else "?"
        raise IndexBusy(f"process {holder} is writing to {home}; try again when it is done") from error
    except OSError as error:
        raise StorageFull(f"{home} cannot be written to ({error.strerror})") from error
    try:
        with suppress(OSError):  # a full disk: who waits is not told the process, no more
            note.write_text(str(os.getpid()))
        yield
    finally:
        lock.release()
