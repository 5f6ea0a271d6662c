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
        self._prefixes: OrderedDict[str, Prefix] = OrderedDict()

    def get(self, key: str) -> Prefix | None:
        """The prefix of that key, now the latest; the caller may read on behind it and must rewind it."""
        if key in self._prefixes:
            self._prefixes.move_to_end(key)
        return self._prefixes.get(key)

    def put(self, key: str, prefix: Prefix) -> None:
        """Keep a prefix; others go to make room."""
        if prefix.size_bytes > self._max_bytes:
            return
        self._prefixes[key] = prefix
        while self.size_bytes > self._max_bytes:
            self._prefixes.popitem(last=False)

    def clear(self) -> None:
        """Keep none."""
        self._prefixes.clear()

    @property
    def size_bytes(self) -> int:
        """What all of them take."""
        return sum(prefix.size_bytes for prefix in self._prefixes.values())
