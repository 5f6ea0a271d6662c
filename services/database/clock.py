"""The wall clock of rows: Unix time in seconds."""

from __future__ import annotations

import time


def now() -> float:
    """The time, as a Unix time."""
    return time.time()
