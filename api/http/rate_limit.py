"""How often a key may ask: a bucket for each, which fills up again as time goes by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from indexer.errors import AfterimageError

_MAX_BUCKETS = 10_000


class TooManyRequests(AfterimageError, RuntimeError):
    """A key asks more often than it may; `again_s` says when it may again."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"this key may ask again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated_at: float


class RateLimiter:
    """The buckets of this process. A key that has not asked for a minute may ask all of its minute's requests at once.

    `clock` gives seconds. Several processes of one server count each for themselves.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._buckets: dict[str, _Bucket] = {}

    def acquire(self, key_id: str, requests_per_minute: int) -> None:
        """One request of a key. Errors: TooManyRequests."""
        with self._lock:
            now = self._clock()
            if len(self._buckets) >= _MAX_BUCKETS:
                self._buckets = {key: one for key, one in self._buckets.items() if now - one.updated_at < 60}
            bucket = self._buckets.setdefault(key_id, _Bucket(float(requests_per_minute), now))
            bucket.tokens = min(
                float(requests_per_minute), bucket.tokens + (now - bucket.updated_at) * requests_per_minute / 60
            )
            bucket.updated_at = now
            if bucket.tokens < 1:
                raise TooManyRequests((1 - bucket.tokens) * 60 / requests_per_minute)
            bucket.tokens -= 1
