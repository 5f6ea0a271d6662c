"""Cache of clips that were cut lately: a player asks for one several times, in parts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TypeAlias

ClipKey: TypeAlias = tuple[str, float, float, int]
"""Asset id, start and end in seconds, longer side in pixels."""


class ClipCache:
    """Clips by key, `max_bytes` of them at most; the one that was used longest ago goes first. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._clips: OrderedDict[ClipKey, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: ClipKey) -> bytes | None:
        """Return a clip; None where it is not here."""
        with self._lock:
            if (clip := self._clips.get(key)) is not None:
                self._clips.move_to_end(key)
            return clip

    def put(self, key: ClipKey, clip: bytes) -> None:
        """Keep a clip, unless it is longer than all may be."""
        with self._lock:
            self._bytes -= len(self._clips.pop(key, b""))
            if len(clip) > self._max_bytes:
                return
            self._clips[key] = clip
            self._bytes += len(clip)
            while self._bytes > self._max_bytes:
                _, oldest = self._clips.popitem(last=False)
                self._bytes -= len(oldest)
