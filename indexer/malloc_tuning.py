"""Tune glibc's allocator so that freed memory returns to the operating system.

Indexing allocates and frees pictures and tensors of many sizes in several threads. glibc's defaults keep freed blocks,
in an arena per thread, and the process grows with every hour of video (decision 0014).
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Source: parameter numbers of mallopt(3), from glibc's malloc.h."""

_MMAP_THRESHOLD_BYTES = 128 << 10
"""Source: glibc's initial value, see mallopt(3); setting it stops glibc from raising it as large blocks are freed."""

_TRIM_THRESHOLD_BYTES = 1 << 20
"""Chosen: eight times glibc's default; a larger heap top costs memory, a smaller one more system calls."""

_MAX_ARENAS = 2
"""Chosen: fewer arenas keep less freed memory, more would spare threads waiting for each other."""

MALLOC_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(_MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(_TRIM_THRESHOLD_BYTES),
    "MALLOC_ARENA_MAX": str(_MAX_ARENAS),
}
"""The same limits as environment variables, for a child process."""


def tune_malloc() -> None:
    """Set glibc's mmap and trim thresholds and its number of arenas in this process; do nothing without glibc.

    Call it before models are loaded: blocks allocated earlier stay where they are.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
        libc.mallopt(_M_ARENA_MAX, _MAX_ARENAS)
