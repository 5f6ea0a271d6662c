"""Memories that the model has read before: keys and values kept for the next question on the same video, bounded."""

from __future__ import annotations

from collections import OrderedDict

from services.generators.onevision.engine import Prefix


class PrefixCache:
    """The latest prefixes, by key, in at most `max_bytes`; the one that was longest not asked for goes first.

    What is larger than all of it is not kept. Not for several threads at once.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, Prefix] = OrderedDict()

    def get(self, key: str) -> Prefix | None:
        """The prefix of that key, now the latest; the caller may read on behind it and must rewind it."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, prefix: Prefix) -> None:
        """Keep a prefix; others go to make room."""
        if prefix.bytes > self._max_bytes:
            return
        self._kept[key] = prefix
        while self.bytes > self._max_bytes:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Keep none."""
        self._kept.clear()

    @property
    def bytes(self) -> int:
        """What all of them take."""
        return sum(prefix.bytes for prefix in self._kept.values())
