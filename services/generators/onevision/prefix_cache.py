"""LRU cache of prefilled prefixes: keys and values of a video's memory, for the next question on the same video."""

from __future__ import annotations

from collections import OrderedDict

from services.generators.onevision.engine import Prefix


class PrefixCache:
    """LRU cache of prefixes by key, in at most `max_bytes`; a larger prefix is not cached. Not thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._prefixes: OrderedDict[str, Prefix] = OrderedDict()

    def get(self, key: str) -> Prefix | None:
        """Return the prefix of the key, or None; the caller may append to it and must truncate it afterwards."""
        if key in self._prefixes:
            self._prefixes.move_to_end(key)
        return self._prefixes.get(key)

    def put(self, key: str, prefix: Prefix) -> None:
        """Add a prefix; evict the least recently used ones beyond `max_bytes`."""
        if prefix.size_bytes > self._max_bytes:
            return
        self._prefixes[key] = prefix
        while self.size_bytes > self._max_bytes:
            self._prefixes.popitem(last=False)

    def clear(self) -> None:
        """Remove all prefixes."""
        self._prefixes.clear()

    @property
    def size_bytes(self) -> int:
        """Size of all cached prefixes in bytes."""
        return sum(prefix.size_bytes for prefix in self._prefixes.values())
