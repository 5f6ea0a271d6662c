"""How this process gives memory back. Indexing makes and drops pictures and tensors of many sizes in several threads;
glibc's defaults keep the blocks, each thread's apart from the others', and the process grows with every hour of video.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MMAP_THRESHOLD_BYTES = 128 << 10
_TRIM_THRESHOLD_BYTES = 1 << 20
_MAX_ARENAS = 2

MALLOC_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(_MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(_TRIM_THRESHOLD_BYTES),
    "MALLOC_ARENA_MAX": str(_MAX_ARENAS),
}
"""The same for a process that is to be started."""


def tune_malloc() -> None:
    """Let freed blocks above 1 MB go back at once, and threads share what is kept; nothing where there is no glibc.

    Best called before models load.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
        libc.mallopt(_M_ARENA_MAX, _MAX_ARENAS)
