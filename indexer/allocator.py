"""How this process gives memory back. Indexing makes and drops pictures and tensors of many sizes in several threads;
glibc's defaults keep the blocks, each thread's apart from the others', and the process grows with every hour of video.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 128 << 10
_KEPT_BYTES = 1 << 20
_ARENAS = 2

ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(_LARGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(_KEPT_BYTES),
    "MALLOC_ARENA_MAX": str(_ARENAS),
}
"""The same for a process that is to be started."""


def give_memory_back() -> None:
    """Let freed blocks above 1 MB go back at once, and threads share what is kept; nothing where there is no glibc.

    Best called before models load.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
