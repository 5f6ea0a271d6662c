"""One writer at a time, across processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.errors import IndexBusy


@contextmanager
def writing(home: Path) -> Iterator[None]:
    """Hold the right to change what is below `home`; IndexBusy names the process that has it."""
    home.mkdir(parents=True, exist_ok=True)
    lock, note = FileLock(home / "write.lock"), home / "write.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        holder = note.read_text() if note.exists() else "?"
        raise IndexBusy(f"process {holder} is writing to {home}; try again when it is done") from error
    try:
        note.write_text(str(os.getpid()))
        yield
    finally:
        lock.release()
