"""Read-only storage: how it is noticed, and how SQLite files on it are opened."""

from __future__ import annotations

import os
from pathlib import Path

_HAS_EFFECTIVE_IDS = os.access in os.supports_effective_ids


def is_read_only(folder: Path) -> bool:
    """Return True for a folder that nothing can be written to: a read-only mount, or no permission for it."""
    return folder.is_dir() and not os.access(folder, os.W_OK, effective_ids=_HAS_EFFECTIVE_IDS)


def read_only_uri(path: Path) -> str:
    """Return the URI under which SQLite opens a file on read-only storage (decision 0103).

    The file is `immutable`: no lock is taken and no `-shm` file needed. Where a write-ahead log has content, as after a
    kill or while another machine writes, SQLite needs to read that, too, with the `-shm` file that lies beside it.
    """
    log = path.with_name(f"{path.name}-wal")
    has_log = log.is_file() and log.stat().st_size > 0
    return f"{path.absolute().as_uri()}?mode=ro" + ("" if has_log else "&immutable=1")
