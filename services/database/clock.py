"""Wall clock of stored times: Unix time in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Returns the current time in seconds; classes take one as a parameter, so that a test can set it."""


def now() -> float:
    """Return the current Unix time in seconds."""
    return time.time()
