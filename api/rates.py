"""How often a key may ask: a bucket for each, which fills up again as time goes by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from indexer.errors import AfterimageError

_MOST_BUCKETS = 10_000


class TooManyRequests(AfterimageError, RuntimeError):
    """A key asks more often than it may; `again_s` says when it may again."""

    def __init__(self, again_s: float) -> None:
        super().__init__(f"this key may ask again in {again_s:.1f} s")
        self.again_s = again_s


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """The buckets of this process. A key that has not asked for a minute may ask all of its minute's requests at once.

    `clock` gives seconds. Several processes of one server count each for themselves.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key_id: str, per_minute: int) -> None:
        """One request of a key. Errors: TooManyRequests."""
        with self._lock:
            at = self._clock()
            if len(self._buckets) >= _MOST_BUCKETS:
                self._buckets = {key: one for key, one in self._buckets.items() if at - one.at < 60}
            bucket = self._buckets.setdefault(key_id, _Bucket(float(per_minute), at))
            bucket.left = min(float(per_minute), bucket.left + (at - bucket.at) * per_minute / 60)
            bucket.at = at
            if bucket.left < 1:
                raise TooManyRequests((1 - bucket.left) * 60 / per_minute)
            bucket.left -= 1
